// A search field with what it finds below, by keyboard as well: the pattern of a combobox.
import { at, make, query, say } from "./core.js";

export function finder(place, kind, label, choose) {
  const results = make("ul", { className: "results", role: "listbox", id: `${place}-results`, hidden: true, label });
  const input = make("input", { type: "search", autocomplete: "off", placeholder: label, label, role: "combobox", id: `${place}-input` });
  input.setAttribute("aria-controls", results.id);
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-autocomplete", "list");
  let asked = 0, chosen = -1, timer = null;

  const close = () => {
    results.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (index) => {
    const all = [...results.querySelectorAll("[role=option]")];
    chosen = all.length ? (index + all.length) % all.length : -1;
    all.forEach((each, at) => each.setAttribute("aria-selected", at === chosen));
    if (chosen >= 0) {
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    }
  };
  const pick = (found) => {
    input.value = "";
    close();
    choose(found, input);
  };
  const search = async () => {
    const number = ++asked, text = input.value.trim();
    if (!text) return close();
    const found = await query(kind, text).catch(() => []);
    if (number !== asked) return;
    results.replaceChildren(...found.map((each, index) => {
      const option = make("li", { role: "option", id: `${results.id}-${index}` }, make("span", { textContent: each.name, dir: "auto" }), make("span", { className: "soft", textContent: each.note }));
      option.addEventListener("mousedown", (event) => event.preventDefault());
      option.addEventListener("click", () => pick(each));
      option.found = each;
      return option;
    }));
    if (!found.length) results.append(make("li", { className: "none", role: "option", textContent: say("no_match", { text }) }));
    results.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(0);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen - 1);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(timer);
      if (results.hidden) await search();
      const option = results.querySelector("[aria-selected=true]");
      if (option?.found) pick(option.found);
      return;
    } else return;
    event.preventDefault();
  });
  at(place).replaceChildren(input, results);
}
