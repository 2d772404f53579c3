// Rows are selected by their box, Shift takes the range, and a bar says how many. The bar is a form: its buttons send the boxes.
const SAMPLE = 3;
let anchor = null;

export const boxes = (scope = document) => [...scope.querySelectorAll(".row-select")];
export const someSelected = () => document.querySelector(".row-select:checked") !== null;

export function select(box, on, range = false) {
  const table = box.closest("[data-rows]");
  const all = boxes(table);
  const from = range && anchor && table.contains(anchor) ? all.indexOf(anchor) : all.indexOf(box);
  const to = all.indexOf(box);
  for (let at = Math.min(from, to); at <= Math.max(from, to); at++) all[at].checked = on;
  anchor = box;
  show(table);
}

export function clear() {
  for (const table of document.querySelectorAll("[data-rows]")) {
    for (const box of boxes(table)) box.checked = false;
    show(table);
  }
}

function show(table) {
  const all = boxes(table);
  const count = all.filter((box) => box.checked).length;
  const every = table.querySelector("[data-select-all]");
  if (every) Object.assign(every, { checked: count > 0 && count === all.length, indeterminate: count > 0 && count < all.length });
  for (const bar of document.querySelectorAll("[data-selection]")) {
    bar.hidden = count === 0;
    bar.querySelector("[data-selected]").textContent = `${count} selected`;
    name(bar, all.filter((box) => box.checked));
  }
  document.dispatchEvent(new CustomEvent("holdfast:selection", { detail: { count } }));
}

// what asks first (data-confirm-one, data-confirm-many) says of how many, and names the first of them
function name(bar, chosen) {
  const names = chosen.slice(0, SAMPLE).map((box) => box.getAttribute("aria-label").replace(/^Select /, ""));
  const rest = chosen.length - names.length;
  for (const button of bar.querySelectorAll("[data-confirm-many]")) {
    button.dataset.confirm = chosen.length === 1 ? button.dataset.confirmOne : button.dataset.confirmMany.replace("#", chosen.length);
    button.dataset.confirmText = `${names.join(", ")}${rest ? ` and ${rest} more` : ""}. ${button.dataset.confirmAlso ?? ""}`;
  }
}

document.addEventListener("click", (event) => {
  if (event.target.matches(".row-select")) select(event.target, event.target.checked, event.shiftKey);
  else if (event.target.matches("[data-select-all]")) {
    const table = event.target.closest("[data-rows]");
    for (const box of boxes(table)) box.checked = event.target.checked;
    show(table);
  } else if (event.target.closest("[data-select-none]")) clear();
});
document.addEventListener("htmx:after:swap", () => document.querySelectorAll("[data-rows]").forEach(show));
