// The list, what left it, and what was said.
import { at, color, isCalm, isReadOnly, make, named, say, state, whole } from "./core.js";
import { give } from "./answer.js";

const tiles = new Map();

export function drawList(talk, look, choose) {
  const isKnown = talk.user !== null;
  at("listed-title").textContent = isKnown || !isReadOnly() ? say("for", { name: talk.name }) : say("whose");
  at("speaks-to").textContent = isKnown ? say("speaks_to", { name: talk.name }) : isReadOnly() ? say("speaks_to_owner") : "";
  at("speaks-to").hidden = !at("speaks-to").textContent;
  const list = at("list"), places = new Map([...tiles].map(([item, tile]) => [item, tile.getBoundingClientRect()]));
  const rows = talk.list.map((row) => fill(tiles.get(row.item) ?? make("li"), row, choose));
  tiles.clear();
  rows.forEach((tile) => tiles.set(tile.dataset.item, tile));
  const nothing = make("li", { className: "soft", textContent: say("empty") });
  list.replaceChildren(...(rows.length ? rows : [nothing]));
  if (!rows.length) return;
  mark(look);
  if (places.size && !isCalm()) rows.forEach((tile) => move(tile, places.get(tile.dataset.item)));
}

function fill(tile, row, choose) {
  const before = state.before?.get(row.item), isNew = state.before && !before, up = before ? before.rank - row.rank : 0;
  const badge = isNew ? say("new_badge") : up > 1 ? say("up", { n: up }) : up < -1 ? say("down", { n: -up }) : null;
  const second = row.tags.find((tag) => tag !== row.color);
  const pick = tile.firstChild ?? make("button", { className: "tile", key: `tile:${row.item}` });
  tile.dataset.item = row.item;
  pick.replaceChildren(
    make("span", { className: "poster" },
      make("span", { className: "line" }, make("span", { className: "rank", textContent: whole(row.rank) }), make("span", { className: "tag", textContent: row.color === null ? "" : named(row.color), dir: "auto" }), badge ? make("span", { className: `badge${isNew ? " new" : up < 0 ? " down" : ""}`, textContent: badge }) : null),
      make("span", { className: "title", textContent: row.title, title: row.name, dir: "auto" }),
      make("span", { className: "year", textContent: row.year })),
    make("span", { className: "reason", textContent: row.reason, dir: "auto" }));
  pick.onclick = () => choose(row.item, pick);
  if (!tile.firstChild) tile.append(pick);
  return color(tile, row.color, second);
}

export function mark(look) {
  for (const tile of tiles.values()) tile.firstChild.setAttribute("aria-pressed", tile.dataset.item === look);
}

function move(tile, before) {
  const now = tile.getBoundingClientRect();
  const how = { duration: 380, easing: "cubic-bezier(.2, .8, .2, 1)" };
  if (!before) tile.animate([{ opacity: 0, transform: "scale(.94)" }, { opacity: 1, transform: "none" }], how);
  else if (before.x !== now.x || before.y !== now.y) tile.animate([{ transform: `translate(${before.x - now.x}px, ${before.y - now.y}px)` }, { transform: "none" }], how);
}

export function drawPast(talk, choose) {
  const now = new Set(talk.list.map((row) => row.item));
  const gone = [...(state.before?.values() ?? [])].filter((row) => !now.has(row.item));
  const left = gone.map((row) => chip(make("button", { className: "gone", textContent: row.title, key: `gone:${row.item}`, dir: "auto" }), (pick) => choose(row.item, pick)));
  at("left").replaceChildren(...(left.length ? left : [make("li", { className: "soft", textContent: say("nothing_left") })]));
  const said = talk.turns.map((turn, index) => ({ ...turn, index }));
  const chips = said.filter((turn) => !turn.hides).map((turn) => removable(turn.words, say("remove", { said: turn.words }), turn.index));
  at("history").replaceChildren(...(chips.length ? chips : [make("li", { className: "soft", textContent: say("nothing_said") })]));
  const hidden = said.filter((turn) => turn.hides);
  at("hidden").replaceChildren(...hidden.map((turn) => removable(named(turn.hides), say("show_again", { tag: named(turn.hides) }), turn.index)));
  at("hidden-row").hidden = !hidden.length;
  at("undo").hidden = at("redo").hidden = isReadOnly();
  at("undo").ariaDisabled = !talk.turn;
  at("redo").ariaDisabled = !talk.can_redo;
  at("reset").hidden = !talk.turn || isReadOnly();
  at("said").tabIndex = isReadOnly() ? 0 : -1;
  at("said").scrollLeft = at("said").scrollWidth;
  at("not_these").hidden = isReadOnly() || !talk.list.length;
}

function chip(button, work) {
  button.addEventListener("click", () => work(button));
  return make("li", {}, button);
}

function removable(text, label, index) {
  if (isReadOnly()) return make("li", { className: "said", textContent: text });
  const button = make("button", { className: "said", label, key: `said:${index}`, title: label }, make("span", { textContent: text }), make("span", { className: "x", textContent: "×" }));
  return chip(button, () => give({ action: "remove", at: index }, button));
}
