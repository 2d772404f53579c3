// system → light → dark, chosen in a menu, remembered, and the same in every open tab.
import { remember } from "./memory.js";

const root = document.documentElement;

function apply(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  show();
}

function show() {
  const current = root.dataset.theme ?? "system";
  for (const choice of document.querySelectorAll("[data-theme-choice]")) {
    choice.setAttribute("aria-pressed", String(choice.dataset.themeChoice === current));
  }
}

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-theme-choice]");
  if (!choice) return;
  const theme = choice.dataset.themeChoice;
  remember("theme", theme === "system" ? null : theme);
  apply(theme);
});
addEventListener("storage", (event) => event.key === "theme" && apply(event.newValue ?? "system"));
document.addEventListener("htmx:after:swap", show);
show();
