// One page, one conversation. Where it is stands in the address: Back goes back, and undoes nothing.
import { ask, at, clearError, during, isPhone, isReadOnly, keepingFocus, make, named, path, say, state } from "./core.js";
import { answers, close as closeMenu, dismiss, give, listen, toast } from "./answer.js";
import { finder } from "./finder.js";
import { drawList, drawPast, mark } from "./list.js";
import { drawStart } from "./start.js";
import { clearWhyNot, drawWhy, drawWhyNot, freshenWhyNot } from "./why.js";

const address = (talk, item = null) => `#${encodeURIComponent(talk.id)}${item === null ? "" : `/${encodeURIComponent(item)}`}`;
const route = () => location.hash.slice(1).split("/").map(decodeURIComponent);

async function begin(body, button) {
  await during(() => state.begin(body), button);
}

state.begin = async (body) => {
  const talk = await ask("POST", "api/conversations", body);
  history.pushState(null, "", address(talk));
  await state.show(talk);
  scrollTo(0, 0);
  at("listed-title").focus({ preventScroll: true });
};

// Draw where a conversation stands; after an answer what was looked at stays.
state.show = async (talk, { isAnswer = false } = {}) => {
  const isOther = state.talk?.id !== talk.id;
  if (isOther) {
    state.why = null;
    state.skipped.clear();
    clearWhyNot();
    dismiss();
  }
  state.before = isAnswer && !isOther ? new Map(state.talk.list.map((row) => [row.item, row])) : null;
  keepingFocus(() => {
    state.talk = talk;
    document.body.classList.toggle("read-only", isReadOnly());
    at("shared").hidden = !isReadOnly();
    at("tools").hidden = at("talk").hidden = at("home").hidden = at("skip").hidden = false;
    at("share").hidden = isReadOnly();
    at("start").hidden = true;
    drawList(talk, talk.look?.item, choose);
    drawPast(talk, choose);
    drawQuestion();
    drawWhy(talk.look, isAnswer);
    mark(state.why?.item);
  });
  if (!isOther) freshenWhyNot();
  if (talk.left_out.length) toast(talk.left_out.join(", "));
};

function drawQuestion() {
  const tag = isReadOnly() ? undefined : state.talk.questions.find((each) => !state.skipped.has(each));
  at("question").hidden = tag === undefined;
  if (tag === undefined) return;
  at("asked").textContent = say("question", { tag: named(tag) });
  const skip = make("button", { className: "quiet", textContent: say("skip_question"), key: "asked:skip" });
  skip.addEventListener("click", () => {
    state.skipped.add(tag);
    keepingFocus(drawQuestion);
  });
  const [more, less] = answers(tag);
  more.dataset.key = "asked:more";
  less.dataset.key = "asked:less";
  at("question-answers").replaceChildren(more, less, skip);
}

// Another item is looked at: an address of its own, a sheet where there is no room beside the list.
function choose(item, button) {
  return during(async () => {
    const found = await ask("POST", path("/explain"), { item });
    history.pushState(null, "", address(state.talk, item));
    look(found);
  }, button);
}

function look(found) {
  drawWhy(found, false);
  mark(found.item);
  if (isPhone()) openSheet();
}

const BEHIND = ["top", "bar", "listed", "question", "why-not"];

function openSheet() {
  document.body.classList.add("sheet");
  for (const each of BEHIND) at(each).inert = true;
  at("why").scrollTop = 0;
  at("close").focus({ preventScroll: true });
}

function closeSheet() {
  if (!document.body.classList.contains("sheet")) return;
  document.body.classList.remove("sheet");
  for (const each of BEHIND) at(each).inert = false;
  const tile = document.querySelector(`[data-key="${CSS.escape(`tile:${state.why?.item}`)}"]`);
  (tile ?? at("listed-title")).focus({ preventScroll: true });
}

// What an answer did is to be seen.
state.backToList = () => {
  if (!document.body.classList.contains("sheet")) return;
  closeSheet();
  history.replaceState(null, "", address(state.talk));
  at("listed").scrollIntoView();
};

function showStart() {
  state.talk = state.why = null;
  at("talk").hidden = at("tools").hidden = at("shared").hidden = at("skip").hidden = true;
  at("start").hidden = false;
  at("home").hidden = true;
  dismiss();
  document.title = say("title");
}

// Follow the address: it was opened, or Back and Forward were pressed.
async function follow() {
  closeMenu();
  const [id, item] = route();
  if (!id) {
    closeSheet();
    return showStart();
  }
  if (state.talk?.id !== id) {
    const rest = item === undefined ? "" : `?look=${encodeURIComponent(item)}`;
    await state.show(await ask("GET", `api/conversations/${encodeURIComponent(id)}${rest}`));
    if (item !== undefined && isPhone()) openSheet();
  } else if (item === undefined && isPhone()) closeSheet();
  else if (item === undefined) look(await ask("POST", path("/explain"), { item: state.talk.list[0]?.item }));
  else look(await ask("POST", path("/explain"), { item }));
}

// Somebody else spoke: their list. The conversation is gone: the first page.
state.recover = async (error) => {
  closeMenu();
  if (error.status === 409) return state.show(error.answer.state, { isAnswer: true });
  closeSheet();
  history.replaceState(null, "", location.pathname);
  return showStart();
};

async function share() {
  const { id } = await ask("POST", path("/share"));
  const link = new URL(address({ id }), location.href).href;
  const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false);
  toast(say(copied ? "copied" : "shared"));
  at("status").append(" ", make("a", { href: link, textContent: link }));
}

async function download() {
  const text = JSON.stringify(await ask("GET", path("/export")), null, 1);
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: "conversation.json" });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function open() {
  if (!state.model) {
    state.model = await ask("GET", "api/model");
    drawStart(begin);
    finder("find-other", "item", say("why_not_lead"), (found, input) => during(() => drawWhyNot(found.id, true), input));
  }
  await follow();
}

listen();
// A request under way ends first.
const followed = () => (state.busy ? setTimeout(followed, 30) : during(follow));
addEventListener("popstate", followed);
for (const id of ["home", "leave"]) at(id).addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || !state.model) return;
  event.preventDefault();
  if (state.talk) history.pushState(null, "", location.pathname);
  clearError();
  closeSheet();
  showStart();
  at("main").focus();
});
// The address is where the conversation stands.
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("listed-title").focus();
});
at("share").addEventListener("click", () => during(share, at("share")));
at("download").addEventListener("click", () => during(download, at("download")));
at("go_on").addEventListener("click", () => during(async () => state.begin({ document: await ask("GET", path("/export")) }), at("go_on")));
at("not_these").addEventListener("click", () => give({ action: "not_these" }, at("not_these")));
at("reset").addEventListener("click", () => give({ action: "reset" }, at("reset")));
at("close").addEventListener("click", () => history.back());
at("forgive").addEventListener("click", clearError);
at("details").addEventListener("toggle", () => at("bars").classList.toggle("numbers", at("details").open));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("sheet") && !at("menu").matches(":popover-open")) history.back();
});
during(open);
