// Why an item is there, why another is not, and what sets two apart.
import { ask, at, color, drawn, during, isPhone, isReadOnly, make, named, number, path, percent, say, state, whole } from "./core.js";
import { answers, dismiss, give, hider, told as toldOf } from "./answer.js";

const SHOWN = 8;

export function drawWhy(found, isAnswer) {
  at("why").hidden = !found;
  if (!found) return (state.why = null);
  const isSame = state.why?.item === found.item;
  state.why = found;
  // Under the pointer nothing changes places: tags keep their order until another item is chosen.
  const tags = new Map(found.tags.map((row) => [row.tag, row]));
  if (!isSame || !isAnswer) state.order = found.tags.slice(0, SHOWN).map((row) => row.tag);
  const shown = state.order.filter((tag) => tags.has(tag)).map((tag) => tags.get(tag));
  at("why-title").textContent = found.title;
  at("place").textContent = [placeOf(found), found.year].filter(Boolean).join(" · ");
  const own = found.tags.filter((row) => row.on_item).map((row) => row.tag);
  at("own-tags").replaceChildren(...own.slice(0, SHOWN).map((tag) => color(make("span", { className: "dot", textContent: named(tag), dir: "auto" }), tag)));
  const lead = state.talk.list.find((row) => row.item === found.item)?.color ?? own[0];
  color(at("cover"), lead, own.find((tag) => tag !== lead));
  at("sentence").textContent = found.text;
  drawBars(found, shown);
  at("certainty").textContent = found.told === null ? "" : say("certainty", { told: percent(found.told), chance: percent(found.told_by_chance ?? 0) });
  at("reject").hidden = isReadOnly() || found.rank === null;
  at("reject").onclick = () => give({ action: "reject", item: found.item }, at("reject"));
  drawOtherTag(own);
  if (!isSame) at("compared").replaceChildren();
  drawCompare(found);
}

function placeOf(found) {
  if (found.rank === null) return say("not_listed");
  return say(found.rank > state.talk.list.length ? "below" : "rank", { n: whole(found.rank) });
}

// From the average person to the score: each bar starts where the one above ends.
function drawBars(found, shown) {
  const others = found.tags.filter((row) => !shown.includes(row)), more = others.reduce((sum, row) => sum + row.contribution, 0);
  const average = found.base_value - found.activity, end = found.score + found.asked;
  const rows = [{ name: say("average"), from: 0, to: average, kind: "base" }];
  let here = average;
  const step = (row) => {
    rows.push({ ...row, from: here, to: here + row.size });
    here += row.size;
  };
  if (found.activity) step({ name: say("level"), size: found.activity, kind: "rest" });
  for (const row of shown) step({ name: named(row.tag), size: row.contribution, tag: row.tag });
  if (others.length) step({ name: say("other_tags", { n: others.length }), size: more, kind: "rest" });
  step({ name: say("rest"), size: found.residual, kind: "rest" });
  step({ name: say("asked"), size: found.asked, kind: "asked" });
  const cents = adding(rows.map((row) => row.to - row.from), end);
  rows.forEach((row, index) => (row.shown = cents[index]));
  rows.push({ name: say("score"), from: 0, to: end, kind: "base total" });
  const low = Math.min(0, ...rows.map((row) => row.to)), high = Math.max(0, ...rows.map((row) => row.to));
  at("bars").tBodies[0].replaceChildren(...rows.map((row) => bar(row, low, high - low || 1)));
}

// The numbers rounded to hundredths, so that they add up to the rounded sum: what rounding down cuts
// off most is rounded up.
function adding(parts, sum) {
  const cents = parts.map((part) => Math.floor(100 * part));
  const cut = parts.map((part, index) => [100 * part - cents[index], index]).sort((one, other) => other[0] - one[0]);
  const missing = Math.round(100 * sum) - cents.reduce((all, each) => all + each, 0);
  for (const [, index] of cut.slice(0, Math.max(0, missing))) cents[index] += 1;
  return cents.map((each) => each / 100);
}

function bar(row, low, span) {
  const size = row.to - row.from, x = (value) => (100 * (value - low)) / span;
  const [start, end] = [x(row.from), x(row.to)], tip = Math.min(2.5, Math.abs(end - start)) * Math.sign(end - start);
  const points = [[start, 1], [end - tip, 1], [end, 8], [end - tip, 15], [start, 15]].map((point) => point.join(",")).join(" ");
  const kind = row.kind ?? (size >= 0 ? "for" : "against");
  const picture = drawn("svg", { class: "bar", viewBox: "-1 0 102 16", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("line", { x1: x(0), x2: x(0), y1: 0, y2: 16 }), drawn("polygon", { class: kind, points }));
  const name = make("th", { scope: "row", textContent: row.name, dir: "auto" });
  if (row.tag) color(name, row.tag).classList.add("dotted");
  const buttons = make("td", { className: "answers" }, ...(row.tag ? [...answers(row.tag), ...hider(row.tag)] : []));
  const value = make("td", { className: "value", textContent: number(row.shown ?? size, !row.kind?.startsWith("base")) });
  const line = make("tr", { className: row.kind ?? "own" }, name, make("td", { className: "picture" }, picture), value, buttons);
  return line;
}

// Any tag can be answered on, not only those of this item.
function drawOtherTag(own) {
  const place = at("other-tag");
  place.hidden = isReadOnly();
  if (isReadOnly() || place.firstChild) return;
  const tags = make("datalist", { id: "all-tags" }, ...state.model.tags.map((tag) => make("option", { value: named(tag) })));
  const input = make("input", { type: "text", id: "any-tag", label: say("other_tag"), placeholder: say("other_tag"), autocomplete: "off" });
  input.setAttribute("list", "all-tags");
  const buttons = make("span", { className: "row" });
  input.addEventListener("input", () => {
    const tag = state.model.tags.find((each) => named(each).toLowerCase() === input.value.trim().toLowerCase());
    buttons.replaceChildren(...(tag ? [...answers(tag), ...hider(tag)] : []));
    for (const button of buttons.children) button.dataset.key += ":any";
  });
  place.replaceChildren(input, tags, buttons);
}

function drawCompare(found) {
  const others = state.talk.list.filter((row) => row.item !== found.item), chosen = at("compare").value;
  at("compare").replaceChildren(make("option", { value: "", textContent: say("compare_choose") }), ...others.map((row) => make("option", { value: row.item, textContent: row.title })));
  at("compare").value = others.some((row) => row.item === chosen) && at("compared").firstChild ? chosen : "";
  if (!at("compare").value) at("compared").replaceChildren();
  at("compare").onchange = () => during(async () => {
    const other = at("compare").value;
    if (!other) return at("compared").replaceChildren();
    const told = await ask("POST", path("/compare"), { item: found.item, other });
    const parts = told.tags.slice(0, 6).map((row) => ({ name: named(row.tag), size: row.contribution, tag: row.tag }));
    const rest = told.difference - told.asked - parts.reduce((sum, row) => sum + row.size, 0);
    parts.push({ name: say("rest"), size: rest, kind: "rest" });
    if (told.asked) parts.push({ name: say("asked"), size: told.asked, kind: "asked" });
    parts.sort((one, other) => Math.abs(other.size) - Math.abs(one.size));
    const most = Math.max(...parts.map((row) => Math.abs(row.size)), 1e-12);
    at("compared").replaceChildren(make("p", { textContent: told.text, dir: "auto" }), make("table", { className: "plain" }, make("tbody", {}, ...parts.map((row) => {
      const line = bar({ ...row, from: 0, to: row.size }, -most, 2 * most);
      line.lastChild.remove();
      return line;
    }))));
  }, at("compare"));
}

let about = null;

export function clearWhyNot() {
  about = null;
  at("answer-not").replaceChildren();
}

// What an answer changed may be what was told; nothing waits for it.
export function freshenWhyNot() {
  if (about === null) return;
  at("answer-not").setAttribute("aria-busy", "true");
  drawWhyNot(about).catch(clearWhyNot);
}

export async function drawWhyNot(item, isAsked = false) {
  about = item;
  const { id, version } = state.talk, told = await ask("POST", path("/why_not"), { item });
  if (state.talk?.id !== id || state.talk.version !== version || about !== item) return;
  const film = told.item, lines = [];
  const place = told.is_rejected ? say("is_rejected") : told.is_seen ? say("is_seen") : told.other === null ? say("is_listed", { n: whole(film.rank) }) : say("stands", { n: whole(film.rank), all: whole(film.n_ranked) });
  lines.push(make("h3", { dir: "auto", textContent: film.name }), make("p", { textContent: [place, told.text].filter(Boolean).join(" "), dir: "auto" }));
  if (told.other !== null && !isReadOnly()) {
    const best = told.answers[0], enters = best && best.rank <= state.talk.list.length;
    lines.push(make("p", { className: "soft", textContent: enters ? say("would_bring") : best ? say("closest", { n: whole(best.rank) }) : say("no_answer") }));
    lines.push(make("div", { className: "offers" }, ...told.answers.map((each) => {
      const button = make("button", { className: "main", key: `bring:${each.words}`, textContent: say("give", { said: each.words }) });
      const named = (tags) => Object.fromEntries(tags.map((tag) => [tag, 1]));
      button.addEventListener("click", async () => {
        await give({ action: "say", like: named(each.like), dislike: named(each.dislike), amount: each.amount, look: item }, button);
        if (isPhone()) at("listed").scrollIntoView();
        at(isPhone() ? "listed-title" : "find-other-input").focus({ preventScroll: true });
      });
      // Of what it brings in, the one that was asked about is named.
      const came = [...each.came].sort((one, other) => (other === film.title) - (one === film.title));
      return make("div", {}, button, make("p", { className: "then" }, ...toldOf({ ...each, came }, "like")));
    })));
  }
  at("answer-not").removeAttribute("aria-busy");
  at("answer-not").replaceChildren(...lines);
  if (!isAsked) return;
  dismiss();
  at("why-not").scrollIntoView({ block: "nearest" });
}
