// Ctrl-K: one field that leads anywhere. Pages are in the dialog already; with data-search-url things are asked for as one types.
const DELAY = 150;
let asking = null;
let waiting = null;

const palette = () => document.getElementById("palette");
const field = () => palette().querySelector("input");
const shown = () => [...palette().querySelectorAll(".palette__item")].filter((item) => !item.hidden);

export function openPalette() {
  const dialog = palette();
  if (!dialog || dialog.open) return;
  field().value = "";
  dialog.showModal();
  filter();
}

function filter() {
  const words = field().value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of palette().querySelectorAll("[data-page]")) {
    const text = item.dataset.page.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
  show();
  ask(field().value.trim());
}

function show() {
  for (const group of palette().querySelectorAll("[data-group]")) group.hidden = !group.querySelector(".palette__item:not([hidden])");
  const items = shown();
  palette().querySelector("[data-none]").hidden = items.length > 0;
  mark(items[0]);
}

function mark(item) {
  for (const other of palette().querySelectorAll('[aria-selected="true"]')) other.setAttribute("aria-selected", "false");
  item?.setAttribute("aria-selected", "true");
  item?.scrollIntoView({ block: "nearest" });
  if (item) field().setAttribute("aria-activedescendant", item.id);
  else field().removeAttribute("aria-activedescendant");
}

function ask(text) {
  const { searchUrl } = palette().dataset;
  clearTimeout(waiting);
  asking?.abort();
  const found = document.getElementById("palette-found");
  if (!searchUrl || !text) return void found.replaceChildren();
  waiting = setTimeout(async () => {
    asking = new AbortController();
    try {
      const answer = await fetch(`${searchUrl}?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true", "HX-Request-Type": "partial", Accept: "text/html" }, signal: asking.signal });
      if (!answer.ok) return;
      // written by our own templates; parsed without running anything
      found.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
      show();
    } catch (error) {
      if (error.name !== "AbortError") found.replaceChildren();
    }
  }, DELAY);
}

document.addEventListener("input", (event) => event.target === palette()?.querySelector("input") && filter());
document.addEventListener("keydown", (event) => {
  if (!palette()?.open || event.target !== field()) return;
  const items = shown();
  const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && items.length) {
    event.preventDefault();
    mark(items[(at + step + items.length) % items.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    items[at]?.click();
  }
});
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-palette]");
  if (!opener) return;
  event.preventDefault();
  openPalette();
});
