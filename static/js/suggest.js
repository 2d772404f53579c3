// What may stand where somebody types a query: a list below the field (data-suggest-url), told by the server.
// Arrow keys choose, Enter or Tab takes, Esc closes; nothing is chosen by itself, so Enter goes on meaning "search".
const DELAY = 120;
let asking = null;
let waiting = 0;
let part = { start: 0, end: 0 };

const field = () => document.querySelector("[data-suggest-url]");
const list = () => document.getElementById("suggestions");
const options = () => [...list().querySelectorAll("[role=option]")];
const chosen = () => list().querySelector('[aria-selected="true"]');
// the server counts characters, the browser counts UTF-16 units
const characters = (text, units) => [...text.slice(0, units)].length;
const units = (text, count) => [...text].slice(0, count).join("").length;

function close() {
  clearTimeout(waiting);
  asking?.abort();
  if (!list()) return;
  list().hidden = true;
  list().replaceChildren();
  field().setAttribute("aria-expanded", "false");
  field().removeAttribute("aria-activedescendant");
}

function mark(option) {
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  option?.scrollIntoView({ block: "nearest" });
  if (option) field().setAttribute("aria-activedescendant", option.id);
  else field().removeAttribute("aria-activedescendant");
}

function draw(answer) {
  part = answer;
  const made = answer.items.map((item, at) => {
    const option = document.createElement("div");
    Object.assign(option, { id: `suggestion-${at}`, className: "suggestions__item" });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.insert = item.insert;
    const label = document.createElement("span");
    const detail = document.createElement("span");
    label.className = "mono clip";
    label.textContent = item.label;
    detail.className = "faint clip";
    detail.textContent = item.detail;
    option.append(label, detail);
    return option;
  });
  list().replaceChildren(...made);
  list().hidden = made.length === 0;
  field().setAttribute("aria-expanded", String(made.length > 0));
  field().removeAttribute("aria-activedescendant");
}

function ask() {
  clearTimeout(waiting);
  asking?.abort();
  waiting = setTimeout(async () => {
    const input = field();
    if (!input || document.activeElement !== input) return;
    const position = characters(input.value, input.selectionStart);
    asking = new AbortController();
    try {
      const answer = await fetch(`${input.dataset.suggestUrl}?q=${encodeURIComponent(input.value)}&position=${position}`, { headers: { Accept: "application/json" }, signal: asking.signal });
      if (answer.ok && document.activeElement === field()) draw(await answer.json());
    } catch (error) {
      if (error.name !== "AbortError") close();
    }
  }, DELAY);
}

function take(option) {
  const input = field();
  const before = input.value.slice(0, units(input.value, part.start)) + option.dataset.insert;
  const behind = input.value.slice(units(input.value, part.end));
  // a field still needs its value; a value is done
  const goesOn = /[:.]$/.test(option.dataset.insert);
  const gap = goesOn || behind.startsWith(" ") ? "" : " ";
  input.value = before + gap + behind;
  const at = before.length + (goesOn ? 0 : 1);
  close();
  input.setSelectionRange(at, at);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

function prepare() {
  const input = field();
  if (!input || input.getAttribute("role") === "combobox") return;
  const said = { role: "combobox", "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list" };
  for (const [name, value] of Object.entries(said)) input.setAttribute(name, value);
}

document.addEventListener("input", (event) => event.target === field() && ask());
document.addEventListener("focusout", (event) => event.target === field() && close());
// before the field loses its focus to the list
document.addEventListener("mousedown", (event) => {
  const option = event.target.closest?.(".suggestions__item");
  if (!option) return;
  event.preventDefault();
  take(option);
});
document.addEventListener("keydown", (event) => {
  if (event.target !== field() || event.isComposing) return;
  if (list().hidden) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    return ask();
  }
  const all = options();
  const here = all.indexOf(chosen());
  if (event.key === "ArrowDown") mark(all[(here + 1) % all.length]);
  else if (event.key === "ArrowUp") mark(all[(here <= 0 ? all.length : here) - 1]);
  else if (event.key === "Escape") close();
  else if ((event.key === "Enter" || event.key === "Tab") && here >= 0) take(all[here]);
  else {
    if (event.key === "Enter") close();
    return;
  }
  event.preventDefault();
}, true);
document.addEventListener("htmx:after:swap", prepare);
prepare();
