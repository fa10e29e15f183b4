// An answer: how much more or less, each shown beforehand; what it did, and the way back.
import { ask, at, color, during, isPhone, isReadOnly, listed, make, named, path, say, state, whole } from "./core.js";

const AMOUNTS = { "a bit": "a_bit", more: "clearly", "a lot": "a_lot" };
const SHOWN = 3;
let opener = null, timer = null;

export function answers(tag) {
  return isReadOnly() ? [] : [answer("like", tag), answer("dislike", tag)];
}

// No amount of it: the tag is no reason any more, and the list stays.
export function hider(tag) {
  if (isReadOnly()) return [];
  const about = say("hide", { tag: named(tag) });
  const button = make("button", { className: "answer hide", textContent: say("hide_tag"), label: about, title: about, key: `hide:${tag}` });
  button.addEventListener("click", () => give({ action: "hide", tag }, button));
  return [button];
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
    const option = make("button", { className: "amount" }, make("strong", { textContent: say(name) }), make("span", { className: "then", textContent: "…" }));
    option.addEventListener("click", () => give({ action: "say", ...said, amount }, option));
    return option;
  });
  at("amounts").replaceChildren(...options);
  color(menu, tag);
  menu.showPopover();
  place(menu, button);
  options[1].focus();
  ask("POST", path("/amounts"), said).then((previews) => previews.forEach((each, index) => {
    options[index].lastChild.replaceChildren(...told(each, kind));
  })).catch(() => options.forEach((each) => each.lastChild.replaceChildren()));
}

function few(titles) {
  return listed(titles.length > SHOWN ? [...titles.slice(0, SHOWN - 1), say("and_more", { n: titles.length - SHOWN + 1 })] : titles);
}

export function told({ came, left }, kind) {
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
  // Below the button or above it, or beside the film where it would cover that.
  const box = button.getBoundingClientRect(), width = menu.offsetWidth, height = menu.offsetHeight;
  const film = at("cover").getBoundingClientRect(), left = Math.max(8, Math.min(box.right, innerWidth - 8) - width);
  const fits = (top) => top >= 8 && top + height < innerHeight - 8 && (top > film.bottom || top + height < film.top || left > film.right || left + width < film.left);
  const top = [box.bottom + 6, box.top - height - 6].find(fits);
  menu.style.left = `${top === undefined ? Math.max(8, film.left - width - 8) : left}px`;
  menu.style.top = `${top ?? Math.max(8, Math.min(box.top, innerHeight - height - 8))}px`;
}

export function close() {
  if (at("menu").matches(":popover-open")) at("menu").hidePopover();
}

// One request a turn: the answer holds the list, the reasons, the next question, and the item looked at.
export function give(said, button) {
  return during(async () => {
    const look = state.why?.item, before = state.talk;
    const talk = await ask("POST", path("/turns"), { version: before.version, ...(look ? { look } : {}), ...said });
    close();
    if (opener?.isConnected) opener.focus({ preventScroll: true });
    opener = null;
    await state.show(talk, { isAnswer: true });
    state.backToList();
    toast(told_of(said, before, talk), said.action === "reset");
  }, button);
}

function told_of(said, before, talk) {
  switch (said.action) {
    case "undo": return say("undone", { said: before.turns.at(-1).words });
    case "redo": return say("redone", { said: talk.turns.at(-1).words });
    case "remove": return say("undone", { said: before.turns[said.at].words });
    case "reset": return say("started_over");
    case "hide": return say("hid", { tag: named(said.tag) });
    default: return happened(said, before, talk);
  }
}

// In one line: the list itself shows the rest.
function happened(said, before, { last, list }) {
  const came = list.filter((row) => !state.before.has(row.item)).map((row) => row.title);
  if (!came.length) return last.text;
  const count = (rows, tag) => whole(rows.filter((row) => row.tags.includes(tag)).length);
  const counts = Object.keys({ ...said.like, ...said.dislike }).map((tag) => say("counted", { tag: named(tag), before: count(before.list, tag), after: count(list, tag), n: whole(list.length) }));
  return [...counts, say("happened", { said: last.words, films: few(came) }), ...last.notes].join(" ");
}

export function toast(text, canRestore = false) {
  at("status").textContent = text;
  at("restore").hidden = !canRestore;
  at("toast").classList.add("shown");
  clearTimeout(timer);
  // Where it has a place of its own it stays.
  if (isPhone()) timer = setTimeout(hideToast, 12000);
}

// After "start over": everything again.
function restore() {
  return during(async () => {
    let talk = state.talk;
    while (talk.can_redo) talk = await ask("POST", path("/turns"), { version: talk.version, action: "redo" });
    await state.show(talk, { isAnswer: true });
    toast(say("redone", { said: talk.turns.at(-1).words }));
    at("undo").focus({ preventScroll: true });
  }, at("restore"));
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
  at("menu-close").addEventListener("click", close);
  at("dismiss").addEventListener("click", dismiss);
  at("restore").addEventListener("click", restore);
  // Not disabled where there is nothing to do: the focus would be lost.
  for (const step of ["undo", "redo"]) at(step).addEventListener("click", () => at(step).ariaDisabled === "true" || give({ action: step }, at(step)));
  document.addEventListener("keydown", (event) => {
    const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    if (!isUndo || event.target.matches("input, select") || isReadOnly() || !state.talk?.turn) return;
    event.preventDefault();
    give({ action: "undo" }, null);
  });
}
