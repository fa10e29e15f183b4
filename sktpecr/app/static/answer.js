// An answer: how much more or less, each shown beforehand; what it did, and the way back.
import { ask, at, color, during, isReadOnly, listed, make, named, path, say, state } from "./core.js";

const AMOUNTS = { "a bit": "a_bit", more: "more", "a lot": "a_lot" };
const SHOWN = 3;
let opener = null, timer = null;

export function answers(tag) {
  return isReadOnly() ? [] : [answer("like", tag), answer("dislike", tag)];
}

function answer(kind, tag) {
  const name = kind === "like" ? "more" : "less";
  const button = make("button", { className: "answer", textContent: say(name), label: say(`${name}_of`, { tag: named(tag) }), key: `${name}:${tag}` });
  button.setAttribute("aria-haspopup", "dialog");
  button.addEventListener("click", () => open(button, kind, tag));
  return button;
}

export function open(button, kind, tag) {
  opener = button;
  const menu = at("menu"), said = { [kind]: { [tag]: 1 } };
  at("menu-title").textContent = say(kind === "like" ? "more_of" : "less_of", { tag: named(tag) });
  const options = Object.entries(AMOUNTS).map(([amount, name]) => {
    const option = make("button", { className: "amount" }, make("strong", { textContent: amountName(kind, name) }), make("span", { className: "then", textContent: "…" }));
    option.addEventListener("click", () => give({ action: "say", ...said, amount }, option));
    return option;
  });
  const hide = make("button", { className: "amount hide", textContent: say("hide", { tag: named(tag) }) });
  hide.addEventListener("click", () => give({ action: "hide", tag }, hide));
  at("amounts").replaceChildren(...options, hide);
  color(menu, tag);
  menu.showPopover();
  place(menu, button);
  options[1].focus();
  ask("POST", path("/amounts"), said).then((previews) => previews.forEach((each, index) => {
    options[index].lastChild.replaceChildren(...told(each, kind));
  })).catch(() => options.forEach((each) => each.lastChild.replaceChildren()));
}

function amountName(kind, name) {
  return say(name === "more" ? (kind === "like" ? "more" : "less") : name);
}

function few(titles) {
  return listed(titles.length > SHOWN ? [...titles.slice(0, SHOWN - 1), say("and_more", { n: titles.length - SHOWN + 1 })] : titles);
}

function told({ came, left }, kind) {
  const lines = [];
  if (came.length) lines.push(make("span", { textContent: say("brings", { films: few(came) }) }));
  if (left.length) lines.push(make("span", { textContent: say("takes", { films: few(left) }) }));
  if (kind === "dislike") lines.reverse();
  return lines.length ? lines : [make("span", { textContent: say("changes_nothing") })];
}

function place(menu, button) {
  menu.style.removeProperty("left");
  menu.style.removeProperty("top");
  if (matchMedia("(max-width: 40rem)").matches) return;
  const box = button.getBoundingClientRect(), width = menu.offsetWidth, height = menu.offsetHeight;
  const left = Math.min(Math.max(8, box.right - width), innerWidth - width - 8);
  const below = box.bottom + 6 + height < innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${Math.max(8, below ? box.bottom + 6 : box.top - height - 6)}px`;
}

export function close() {
  if (at("menu").matches(":popover-open")) at("menu").hidePopover();
}

// One request a turn: the answer holds the list, the reasons, the next question, and the item looked at.
export function give(said, button, toasted = null) {
  return during(async () => {
    const look = state.why?.item, before = state.talk;
    const talk = await ask("POST", path("/turns"), { version: before.version, ...(look ? { look } : {}), ...said });
    close();
    if (opener?.isConnected) opener.focus({ preventScroll: true });
    opener = null;
    await state.show(talk, { isAnswer: true });
    toast(...(toasted ?? told_of(said, before, talk)));
  }, button);
}

function told_of(said, before, talk) {
  switch (said.action) {
    case "undo": return [say("undone", { said: before.turns.at(-1).words }), "redo"];
    case "redo": return [say("redone", { said: talk.turns.at(-1).words }), "undo"];
    case "remove": return [say("undone", { said: before.turns[said.at].words }), talk.can_redo ? "redo" : null];
    case "reset": return [say("started_over"), "restore"];
    case "hide": return [say("hid", { tag: named(said.tag) }), "undo"];
    default: return [happened(talk), "undo"];
  }
}

// In one line: the list itself shows the rest.
function happened({ last, list }) {
  const came = list.filter((row) => !state.before.has(row.item)).map((row) => row.title);
  if (!came.length) return last.text;
  return [say("happened", { said: last.words, films: few(came) }), ...last.notes].join(" ");
}

export function toast(text, back = null) {
  at("status").textContent = text;
  at("undo").hidden = !back;
  at("undo").textContent = say(back === "undo" ? "undo" : "bring_back");
  at("undo").onclick = () => (back === "restore" ? restore() : give({ action: back }, at("undo")));
  at("toast").classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(hideToast, 12000);
}

// After "start over": everything again.
function restore() {
  return during(async () => {
    let talk = state.talk;
    while (talk.can_redo) talk = await ask("POST", path("/turns"), { version: talk.version, action: "redo" });
    await state.show(talk, { isAnswer: true });
    toast(say("redone", { said: talk.turns.at(-1).words }), null);
  }, at("undo"));
}

// Nobody who reaches for it is to find it gone.
function hideToast() {
  if (at("toast").matches(":hover, :focus-within")) timer = setTimeout(hideToast, 2000);
  else dismiss();
}

export function dismiss() {
  at("toast").classList.remove("shown");
}

export function listen() {
  const menu = at("menu");
  menu.addEventListener("keydown", (event) => {
    const all = [...menu.querySelectorAll("button")], index = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      all[(index + step + all.length) % all.length].focus();
    } else if (event.key === "Tab" && (event.shiftKey ? index === 0 : index === all.length - 1)) {
      // Past its ends the focus goes on from where the menu was opened.
      opener?.focus();
      close();
    }
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "closed" && (document.activeElement === document.body || menu.contains(document.activeElement))) opener?.focus({ preventScroll: true });
  });
  at("dismiss").addEventListener("click", dismiss);
  document.addEventListener("keydown", (event) => {
    const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    if (!isUndo || event.target.matches("input, select") || isReadOnly() || !state.talk?.turn) return;
    event.preventDefault();
    give({ action: "undo" }, null);
  });
}
