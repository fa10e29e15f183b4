"use strict";
// One page, one conversation. Everything shown comes from the last answer of the server; all text is
// set as text, never as HTML.

const at = (id) => document.getElementById(id);
const state = { talk: null, item: null, busy: false };

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function drawn(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status, answer });
  return answer;
}

const path = (rest = "") => `api/conversations/${encodeURIComponent(state.talk.id)}${rest}`;

// One request at a time: a second click must not answer a list that is about to change.
async function during(work) {
  if (state.busy) return;
  state.busy = true;
  document.body.setAttribute("aria-busy", "true");
  at("error").textContent = "";
  try {
    await work();
  } catch (error) {
    if (error.status === 409) await show(error.answer.state);
    if (error.status === 404) leave();
    at("error").textContent = error.status ? error.message : "The server cannot be reached. Nothing was lost; try again.";
  } finally {
    state.busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

async function begin(body) {
  await show(await ask("POST", "api/conversations", body));
  at("listed-title").focus?.();
}

async function say(body) {
  await show(await ask("POST", path("/turns"), { turn: state.talk.turn, ...body }));
}

function leave() {
  state.talk = state.item = null;
  history.replaceState(null, "", location.pathname);
  at("talk").hidden = true;
  at("start").hidden = false;
  at("status").textContent = "";
  at("user").focus();
}

async function show(talk) {
  state.talk = talk;
  history.replaceState(null, "", `#${talk.id}`);
  at("start").hidden = true;
  at("talk").hidden = false;
  at("listed-title").textContent = `For ${talk.user === null ? "you" : talk.user}`;
  at("list").replaceChildren(...talk.list.map(listed));
  at("turns").replaceChildren(...talk.turns.map((words) => make("li", { textContent: words })));
  at("undo").disabled = at("reset").disabled = talk.turn === 0;
  at("redo").disabled = !talk.can_redo;
  at("not_these").disabled = !talk.list.length;
  showChanged(talk);
  at("status").textContent = talk.last ? talk.last.text : "Nothing was said yet.";
  if (talk.left_out.length) at("error").textContent = `Not known to this model any more: ${talk.left_out.join(", ")}.`;
  if (!talk.list.some((row) => row.item === state.item)) state.item = talk.list.length ? talk.list[0].item : null;
  await Promise.all([why(), question()]);
}

function moved(row) {
  const up = row.rank_before - row.rank;
  if (up > 0) return `up ${up}, from ${row.rank_before}`;
  if (up < 0) return `down ${-up}, from ${row.rank_before}`;
  return "not moved";
}

function listed(row) {
  const pick = make("button", { type: "button", className: "pick" }, row.name, make("span", { className: "moves", textContent: `${moved(row)}${row.tags.length ? " · " + row.tags.join(", ") : ""}` }));
  pick.dataset.item = JSON.stringify(row.item);
  pick.addEventListener("click", () => during(async () => {
    state.item = row.item;
    await why();
    // Where the reasons are below the list, go there; beside it, stay.
    if (!matchMedia("(min-width: 56rem)").matches) at("why-title").focus();
  }));
  const reject = make("button", { type: "button", textContent: "Not this" });
  reject.setAttribute("aria-label", `Not this: ${row.name}`);
  reject.addEventListener("click", () => during(() => say({ action: "reject", item: row.item })));
  const poster = make("span", { className: "poster", textContent: row.rank });
  return make("li", {}, poster, pick, reject);
}

async function why() {
  for (const pick of document.querySelectorAll(".pick")) pick.setAttribute("aria-pressed", pick.dataset.item === JSON.stringify(state.item));
  at("why").hidden = state.item === null;
  if (state.item === null) return;
  const found = await ask("POST", path("/explain"), { item: state.item });
  at("why-title").textContent = `Why ${found.name}?`;
  at("sentence").textContent = found.text;
  at("certificate").textContent = found.certificate;
  const largest = Math.max(...found.tags.map((row) => Math.abs(row.contribution)), 1e-12);
  const rows = [...found.tags].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  at("tags").replaceChildren(...rows.map((row) => tagRow(row, largest)));
}

function tagRow(row, largest) {
  const name = make("th", { scope: "row", textContent: row.tag });
  const bar = drawn("svg", { class: "bar", viewBox: "-100 0 200 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  const width = 100 * Math.abs(row.contribution) / largest;
  const positive = row.contribution >= 0;
  bar.append(drawn("rect", { class: positive ? "for" : "against", x: positive ? 0 : -width, y: 1, width, height: 8 }), drawn("line", { x1: 0, x2: 0, y1: 0, y2: 10 }));
  const amount = make("span", { className: "amount", textContent: (positive ? "+" : "") + row.contribution.toPrecision(2) });
  const answers = make("td", { className: "answers" }, answer("More", "like", row.tag), " ", answer("Less", "dislike", row.tag), " ", hide(row.tag));
  return make("tr", { className: row.on_item ? "own" : "" }, name, make("td", {}, bar, amount), answers);
}

function answer(word, kind, tag) {
  const button = make("button", { type: "button", textContent: word });
  button.setAttribute("aria-label", `${word} ${tag}`);
  button.addEventListener("click", () => during(() => say({ action: "say", [kind]: { [tag]: 1 }, amount: at("amount").value })));
  return button;
}

function hide(tag) {
  const button = make("button", { type: "button", className: "quiet", textContent: "Hide" });
  button.setAttribute("aria-label", `Hide ${tag}: never use it to explain`);
  button.addEventListener("click", () => during(() => say({ action: "hide", tag })));
  return button;
}

async function question() {
  const { tag } = await ask("GET", path("/question"));
  at("question").replaceChildren();
  if (tag === null) return;
  at("question").append(`What about ${tag}? `, answer("More", "like", tag), " ", answer("Less", "dislike", tag));
}

function showChanged(talk) {
  at("changed").replaceChildren();
  if (!talk.last) return;
  const entering = talk.last.items.filter((row) => row.change === "enters");
  const leaving = talk.last.items.filter((row) => row.change === "leaves");
  const lines = [
    ...entering.map((row) => `In: ${row.name} (${row.rank_before ?? "not listed"} to ${row.rank})`),
    ...leaving.map((row) => `Out: ${row.name}${row.rank === null ? "" : ` (now ${row.rank})`}`),
  ];
  if (lines.length) at("changed").append(make("h3", { textContent: "What the last answer changed" }), make("ul", {}, ...lines.map((text) => make("li", { textContent: text }))));
}

async function save() {
  const text = JSON.stringify(await ask("GET", path("/export")), null, 1);
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "conversation.json" });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function open() {
  const model = await ask("GET", "api/model");
  at("size").textContent = `${model.n_items.toLocaleString("en")} items, ${model.n_users.toLocaleString("en")} users, ${model.tags.length} tags`;
  at("users").replaceChildren(...model.users.map((user) => make("option", { value: user })));
  at("tastes").replaceChildren(...model.tags.map((tag) => make("label", {}, make("input", { type: "checkbox", name: "taste", value: tag }), ` ${tag}`)));
  const id = decodeURIComponent(location.hash.slice(1));
  if (id) await show(await ask("GET", `api/conversations/${encodeURIComponent(id)}`));
}

at("known").addEventListener("submit", (event) => {
  event.preventDefault();
  during(() => begin({ user: at("user").value.trim() }));
});
at("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const tags = {};
  for (const box of document.querySelectorAll("input[name=taste]:checked")) tags[box.value] = 1;
  during(() => begin({ tags }));
});
for (const action of ["not_these", "undo", "redo", "reset"]) at(action).addEventListener("click", () => during(() => say({ action })));
at("export").addEventListener("click", () => during(save));
at("leave").addEventListener("click", leave);
during(open);
