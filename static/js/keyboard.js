// / and Ctrl-K search · j k Enter x rows · Shift range · g + letter pages · ? help · Esc lets go
import { openPalette } from "./palette.js";
import { clear, select, someSelected } from "./selection.js";

const GO_WAITS = 1200;
let going = 0;

const typing = (element) => element.closest('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]');
const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
const current = () => document.querySelector("[data-rows] tbody tr[data-at]");

function move(step, range) {
  const all = rows();
  if (!all.length) return;
  const here = current();
  const next = all[Math.min(Math.max(all.indexOf(here) + step, 0), all.length - 1)];
  here?.removeAttribute("data-at");
  next.setAttribute("data-at", "");
  next.scrollIntoView({ block: "nearest" });
  const box = next.querySelector(".row-select");
  if (range && box) {
    const start = here?.querySelector(".row-select");
    if (start && !start.checked) select(start, true);
    select(box, true, true);
  }
  // focus follows, so that Enter and a screen reader are where the eye is
  (next.querySelector(".row-link") ?? box)?.focus({ preventScroll: true });
}

function go(letter) {
  document.querySelector(`[data-go="${CSS.escape(letter)}"]`)?.click();
}

// the cursor stands behind what is there, so that one goes on typing
function search() {
  const field = document.querySelector("[data-filters] input[type=search]");
  if (!field) return openPalette();
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

const KEYS = {
  "/": search,
  "?": () => document.getElementById("keys")?.showModal(),
  j: () => move(1), k: () => move(-1), J: () => move(1, true), K: () => move(-1, true),
  x: () => { const box = current()?.querySelector(".row-select"); if (box) select(box, !box.checked); },
  X: () => { const box = current()?.querySelector(".row-select"); if (box) select(box, true, true); },
  Enter: (event) => (event.target === document.body ? current()?.querySelector(".row-link")?.click() : "leave"),
  Escape: () => (someSelected() ? clear() : "leave"),
  g: () => { going = Date.now(); },
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || document.querySelector("dialog:modal, .menu:popover-open")) return;
  if (going && Date.now() - going < GO_WAITS && /^[a-z]$/.test(event.key)) {
    going = 0;
    event.preventDefault();
    return go(event.key);
  }
  going = 0;
  const act = Object.hasOwn(KEYS, event.key) && KEYS[event.key];
  if (act && act(event) !== "leave") event.preventDefault();
});
