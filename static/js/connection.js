// What the server could not do is said in its own words; that it cannot be reached, in ours.
import { toast } from "./toasts.js";

function show() {
  for (const notice of document.querySelectorAll("[data-offline]")) notice.hidden = navigator.onLine;
}

function sentence(response, text) {
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("json")) {
    try {
      const problem = JSON.parse(text);
      if (problem.detail ?? problem.title) return problem.detail ?? problem.title;
    } catch {
      // not a problem document after all: the status says what there is to say
    }
  } else {
    const said = new DOMParser().parseFromString(text, "text/html").querySelector("[data-sentence]");
    if (said) return said.textContent.trim();
  }
  return `The server answered ${response.status} and said no more.`;
}

document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  // a refused form comes back with its errors in place; it needs no toast
  if (ctx.response.status === 422) return;
  if (ctx.sourceEvent?.type !== "live") toast(sentence(ctx.response, ctx.text), "failed");
});
document.addEventListener("htmx:error", ({ detail: { ctx, error } }) => {
  if (!ctx || ctx.sourceEvent?.type === "live" || error?.name === "AbortError") return;
  toast(navigator.onLine ? "The server cannot be reached. Nothing was changed; try again in a moment." : "You are offline. Nothing was changed.", "failed");
});
addEventListener("online", show);
addEventListener("offline", show);
show();
