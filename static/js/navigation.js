// The navigation folds to icons and stays so; on a phone it closes when the window grows wide.
import { remember } from "./memory.js";

const root = document.documentElement;

function show() {
  const folded = root.dataset.nav === "icons";
  for (const button of document.querySelectorAll("[data-nav-fold]")) button.setAttribute("aria-pressed", String(folded));
  // folded, a name is only heard; the title lets it be seen too
  for (const link of document.querySelectorAll(".nav__link")) {
    if (folded) link.title = link.textContent.trim();
    else link.removeAttribute("title");
  }
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-nav-fold]")) return;
  const folded = root.dataset.nav !== "icons";
  if (folded) root.dataset.nav = "icons";
  else delete root.dataset.nav;
  remember("nav", folded ? "icons" : null);
  show();
});
matchMedia("(min-width: 60rem)").addEventListener("change", () => document.getElementById("nav")?.matches(":popover-open") && document.getElementById("nav").hidePopover());
document.addEventListener("htmx:after:swap", show);
show();
