// Short answers at the edge. The server writes them (messages, <hx-partial hx-target="#toasts">); this adds our own, and lets them go.
const LIFE = 6000;

export function toast(text, tone = "neutral") {
  const shelf = document.getElementById("toasts");
  const blank = document.getElementById("toast-blank");
  if (!shelf || !blank) return;
  const item = blank.content.firstElementChild.cloneNode(true);
  item.classList.add(`tone--${tone}`);
  item.dataset.tone = tone;
  item.querySelector("p").textContent = text;
  shelf.append(item);
}

// said to those who listen, shown to nobody
export function announce(text) {
  const voice = document.getElementById("voice");
  if (voice) voice.textContent = text;
}

function live(item) {
  // what failed stays until it is put away; what has a button waits for the hand on it
  if (item.dataset.tone === "failed" || item.dataset.stays !== undefined) return;
  const leave = () => (item.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : item.remove());
  setTimeout(leave, item.querySelector("form") ? LIFE * 2 : LIFE);
}

const shelf = document.getElementById("toasts");
if (shelf) {
  for (const item of shelf.children) live(item);
  new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => node instanceof HTMLElement && live(node)))).observe(shelf, { childList: true });
}
document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast, .banner")?.remove());
