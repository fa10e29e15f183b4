// The first page: example people, somebody the model knows, somebody new, a conversation that was kept.
import { at, color, during, make, named, query, say, state } from "./core.js";
import { finder } from "./finder.js";

const TOP = 24;
const liked = new Set(), taken = new Map();

export function drawStart(begin) {
  at("people").replaceChildren(...state.model.people.map((person) => card(person, begin)));
  finder("find-user", "user", say("find_user_hint"), (found, input) => begin({ user: found.id }, input));
  drawTags(false);
  drawFilms(state.model.films);
  at("find-tag").oninput = () => drawTags(at("find-tag").value.trim() !== "");
  at("find-film").oninput = searchFilms;
  at("new").onsubmit = (event) => {
    event.preventDefault();
    if (!liked.size && !taken.size) return (at("picked").textContent = say("begin_hint"));
    const body = {};
    if (liked.size) body.tags = Object.fromEntries([...liked].map((tag) => [tag, 1]));
    if (taken.size) body.items = [...taken.keys()];
    return begin(body, at("begin"));
  };
  at("file").onchange = () => during(async () => {
    const [file] = at("file").files;
    if (!file) return;
    const text = await file.text();
    at("file").value = "";
    let document;
    try {
      document = JSON.parse(text);
    } catch (error) {
      throw Object.assign(new Error(error.message), { status: 400 });
    }
    await state.begin({ document });
  });
}

function card(person, begin) {
  const open = make("button", { className: "person", label: say("see", { name: person.name }) },
    make("span", { className: "face", textContent: person.name[0] }),
    make("span", { className: "who" }, make("strong", { textContent: person.name }), make("span", { className: "taste" }, ...person.taste.map((tag) => color(make("span", { className: "dot", textContent: named(tag), dir: "auto" }), tag)))),
    facts(say("watched"), person.took), facts(say("next", { name: person.name }), person.next));
  open.addEventListener("click", () => begin({ user: person.user }, open));
  return color(make("li", {}, open), person.taste[0]);
}

function facts(name, titles) {
  return titles.length ? make("span", { className: "facts" }, make("span", { className: "soft", textContent: name }), ...titles.map((title) => make("span", { textContent: title, dir: "auto" }))) : null;
}

function drawTags(isSearch) {
  const text = at("find-tag").value.trim().toLowerCase(), all = state.model.tags;
  const found = isSearch && text ? all.filter((tag) => named(tag).toLowerCase().includes(text)) : at("tastes").dataset.all ? all : all.slice(0, TOP);
  const shown = [...new Set([...found, ...liked])];
  const focused = document.activeElement?.dataset?.key;
  at("tastes").replaceChildren(...shown.map((tag) => {
    const button = color(make("button", { className: `taste size${Math.min(2, Math.floor((3 * all.indexOf(tag)) / Math.min(TOP, all.length)))}`, textContent: named(tag), key: `taste:${tag}`, dir: "auto" }), tag);
    button.setAttribute("aria-pressed", liked.has(tag));
    button.addEventListener("click", () => toggle(button, liked.has(tag) ? () => liked.delete(tag) : () => liked.add(tag)));
    return button;
  }));
  if (!found.length) at("tastes").append(make("span", { className: "soft", textContent: say("no_match", { text }) }));
  if (!text && found.length < all.length) {
    const more = make("button", { className: "quiet", textContent: say("more_tags", { n: all.length }) });
    more.addEventListener("click", () => {
      at("tastes").dataset.all = "yes";
      drawTags(false);
      at("tastes").children[TOP]?.focus();
    });
    at("tastes").append(more);
  }
  if (focused?.startsWith("taste:")) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function drawFilms(films, text = "") {
  const shown = new Map([...taken, ...films.map((film) => [film.item, film])]);
  at("films").replaceChildren(...[...shown.values()].map((film) => {
    const button = make("button", { className: "film", key: `film:${film.item}` }, make("span", { textContent: film.title, dir: "auto" }), make("span", { className: "soft", textContent: film.year }));
    button.setAttribute("aria-pressed", taken.has(film.item));
    button.addEventListener("click", () => toggle(button, taken.has(film.item) ? () => taken.delete(film.item) : () => taken.set(film.item, film)));
    return button;
  }));
  if (text && !films.length) at("films").append(make("span", { className: "soft", textContent: say("no_match", { text }) }));
}

let asked = 0;
async function searchFilms() {
  const text = at("find-film").value.trim(), number = ++asked;
  if (!text) return drawFilms(state.model.films);
  const found = await query("item", text).catch(() => []);
  if (number === asked) drawFilms(found.map((each) => ({ item: each.id, title: each.name, year: each.note })), text);
}

function toggle(button, change) {
  change();
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  const n = liked.size + taken.size;
  at("picked").textContent = n ? say("picked", { n }) : "";
}
