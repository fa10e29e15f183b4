// What all parts of the page share: elements, words, requests, what is shown now.

export const at = (id) => document.getElementById(id);
// `before` is the list that the last answer changed, by item.
export const state = { model: null, talk: null, before: null, why: null, order: [], skipped: new Set(), busy: false };
export const isReadOnly = () => Boolean(state.talk?.read_only);
export const isPhone = () => matchMedia("(max-width: 56rem)").matches;
export const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// All text is set as text, never as HTML.
export function make(name, properties = {}, ...children) {
  const { label, key, ...rest } = properties;
  const element = Object.assign(document.createElement(name), rest);
  if (name === "button" && !rest.type) element.type = "button";
  if (label) element.setAttribute("aria-label", label);
  if (key) element.dataset.key = key;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function drawn(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function say(name, values = {}) {
  return state.model.words[`page_${name}`].replace(/{(\w+)}/g, (all, key) => values[key] ?? all);
}

const language = () => document.documentElement.lang;
export const listed = (names) => new Intl.ListFormat(language(), { type: "unit", style: "long" }).format(names);
export const number = (value, signed = true) => new Intl.NumberFormat(language(), { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: signed ? "exceptZero" : "auto" }).format(value).replace("-", "−");
export const whole = (value) => new Intl.NumberFormat(language()).format(value);
export const percent = (value) => new Intl.NumberFormat(language(), { style: "percent" }).format(value);

export const named = (tag) => state.model.labels[tag] ?? tag;

// A tag has its color everywhere; the most frequent ones get those that are easy to tell apart, and
// brown and olive come last.
const HUES = [262, 20, 160, 312, 222, 350, 190, 285, 245, 135, 5, 330, 205, 60, 150, 298, 35, 232, 110, 275];
const hue = (tag) => {
  const index = state.model.tags.indexOf(tag);
  return index < 0 ? null : (HUES[index % HUES.length] + 7 * Math.floor(index / HUES.length)) % 360;
};
export function color(element, tag, second = tag) {
  const first = hue(tag);
  element.style.setProperty("--hue", first ?? 0);
  element.style.setProperty("--hue2", hue(second) ?? first ?? 0);
  element.style.setProperty("--chroma", first === null ? 0.01 : 0.12);
  return element;
}

export async function ask(method, path, body) {
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

export const path = (rest = "") => `api/conversations/${encodeURIComponent(state.talk.id)}${rest}`;
export const query = (kind, text) => ask("GET", `api/search?kind=${kind}&q=${encodeURIComponent(text)}`);

export function clearError() {
  at("failed").hidden = true;
  at("error").textContent = "";
}

// One request at a time: a second click must not answer a list that is about to change. The pressed
// button shows that it works, and keeps the focus.
export async function during(work, button = null) {
  if (state.busy) return;
  state.busy = true;
  document.body.setAttribute("aria-busy", "true");
  button?.classList.add("working");
  try {
    await work();
    clearError();
  } catch (error) {
    if (error.status === 404 || error.status === 409) await state.recover(error);
    at("error").textContent = error.status ? error.message : state.model ? say("unreachable") : document.body.dataset.unreachable;
    at("retry").hidden = error.status === 404 || error.status === 409;
    at("retry").onclick = () => during(work, at("retry"));
    at("failed").hidden = false;
    if (!error.status && !(error instanceof TypeError)) throw error;
  } finally {
    state.busy = false;
    document.body.removeAttribute("aria-busy");
    button?.classList.remove("working");
  }
}

// What has the focus keeps it when the page is drawn again, or what now stands in its place gets it.
export function keepingFocus(draw) {
  const before = document.activeElement, key = before?.dataset?.key;
  const group = before?.closest("ol, ul, tbody, .row"), index = group ? focusable(group).indexOf(before) : -1;
  draw();
  if (!key || document.activeElement === before) return;
  const again = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const instead = group?.isConnected ? focusable(group) : [];
  (again ?? instead[Math.min(index, instead.length - 1)] ?? at("listed-title")).focus({ preventScroll: true });
}

const focusable = (group) => [...group.querySelectorAll("button:not([hidden]), a[href]")];
