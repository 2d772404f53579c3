// A button with data-copy puts that text on the clipboard and says so for a moment.
import { announce } from "./toasts.js";

async function put(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  // plain http inside a network has no clipboard: copy the way pages always could
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "heard";
  (document.querySelector("dialog:modal") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copying is refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await put(button.dataset.copy);
    button.dataset.copied = "";
    announce("Copied");
    setTimeout(() => delete button.dataset.copied, 1500);
  } catch {
    announce("The browser did not let this be copied; select it and copy by hand.");
  }
});
