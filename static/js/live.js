// One stream says what changed; each region (data-live-topic="jobs workers") then fetches itself (hx-trigger="live").
// Nothing moves while rows are selected, a dialog or menu is open, or somebody types in it; and a table announces its
// news ("12 new", data-live-announce) unless its reader is at the top.
//
// The stream: `data: {"topics": {"jobs": 3}}` (topic to number of new rows, 0 when only changed),
//             `event: vitals` when the state shown in the bar changed.
import { someSelected } from "./selection.js";
import { announce } from "./toasts.js";

const url = document.body.dataset.liveUrl;
const waiting = new Map();
let stream = null;

const busy = () => someSelected() || document.querySelector("dialog:modal, .menu:popover-open") !== null;
const atTop = () => scrollY < 120;

function changed(topics) {
  for (const [topic, created] of Object.entries(topics)) waiting.set(topic, (waiting.get(topic) ?? 0) + created);
  flush();
}

function flush() {
  if (!waiting.size || document.hidden || busy()) return;
  for (const [topic, created] of [...waiting]) {
    const regions = [...document.querySelectorAll("[data-live-topic]")].filter((region) => region.dataset.liveTopic.split(" ").includes(topic));
    const held = regions.filter((region) => region.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox], [type=radio]), textarea, select"));
    const away = created > 0 && !atTop() ? regions.filter((region) => region.dataset.liveAnnounce !== undefined) : [];
    away.forEach(() => news(topic, created));
    for (const region of regions) if (!held.includes(region) && !away.includes(region)) region.dispatchEvent(new CustomEvent("live"));
    if (!held.length && !away.length) waiting.delete(topic);
  }
}

function news(topic, created) {
  const button = document.querySelector(`[data-news="${CSS.escape(topic)}"]`);
  if (!button) return;
  button.hidden = false;
  button.querySelector("[data-number]").textContent = `${created} new`;
  announce(`${created} new`);
}

let shown = "off";

function show(state = shown) {
  shown = state;
  for (const mark of document.querySelectorAll("[data-live-state]")) {
    mark.hidden = mark.dataset.liveState !== state;
  }
}

function open() {
  if (!url || stream || document.hidden) return;
  show("connecting");
  stream = new EventSource(url);
  stream.onopen = () => show("connected");
  // the server ends each stream now and then, to ask anew who is there: only who does not get back in has lost it
  stream.onerror = () => show(shown === "connected" ? "connecting" : "lost");
  stream.onmessage = (event) => changed(JSON.parse(event.data).topics);
  stream.addEventListener("vitals", () => document.querySelectorAll("[data-vitals]").forEach((region) => region.dispatchEvent(new CustomEvent("live"))));
}

// a hidden tab lets its connection go: a browser has six for all tabs of one server
function close() {
  stream?.close();
  stream = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return close();
  open();
  // whatever happened meanwhile
  if (url) document.querySelectorAll("[data-live-topic]").forEach((region) => region.dataset.liveTopic.split(" ").forEach((topic) => waiting.set(topic, waiting.get(topic) ?? 0)));
  flush();
});
document.addEventListener("holdfast:selection", flush);
document.addEventListener("close", () => setTimeout(flush), true);
document.addEventListener("toggle", () => setTimeout(flush), true);
document.addEventListener("focusout", () => setTimeout(flush));
addEventListener("scroll", () => atTop() && flush(), { passive: true });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-news]");
  if (!button) return;
  button.hidden = true;
  scrollTo({ top: 0 });
  setTimeout(flush);
});
document.addEventListener("htmx:after:swap", () => show());
document.addEventListener("htmx:after:swap", () => atTop() && document.querySelectorAll("[data-news]").forEach((button) => { button.hidden = true; }));
// an answer that was under way when somebody selected a row comes too late
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  const region = ctx?.sourceElement;
  if (ctx?.sourceEvent?.type === "live" && busy()) {
    event.preventDefault();
    region.dataset.liveTopic?.split(" ").forEach((topic) => waiting.set(topic, waiting.get(topic) ?? 0));
  }
});
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
