// One stream says what changed; each region (an id, data-live-topic="jobs workers") then fetches itself (hx-trigger="live"),
// at most once a second. Nothing moves while rows are selected, a dialog or menu is open, or somebody types in it.
//
// A region with a field marked data-live-anchor sends it while its reader is further down: the server then answers
// with the rows the reader has, and a button (data-news) that says how many have come in above.
//
// The stream: `data: {"topics": ["jobs"]}`, and `event: vitals` when the state shown in the bar changed.
import { someSelected } from "./selection.js";
import { announce } from "./toasts.js";

const PACE = 1000;
const url = document.body.dataset.liveUrl;
const waiting = new Set();
const asked = new Map();
let stream = null;
let later = 0;
let said = "";

const busy = () => someSelected() || document.querySelector("dialog:modal, .menu:popover-open") !== null;
const atTop = () => scrollY < 120;
const typedIn = (region) => region.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox], [type=radio]), textarea, select");
const regions = () => [...document.querySelectorAll("[data-live-topic]")];

function changed(topics) {
  for (const region of regions()) if (region.dataset.liveTopic.split(" ").some((topic) => topics.includes(topic))) waiting.add(region.id);
  flush();
}

function flush() {
  clearTimeout(later);
  if (document.hidden || busy()) return;
  const now = performance.now();
  let next = Infinity;
  for (const id of [...waiting]) {
    const region = document.getElementById(id);
    const turn = (asked.get(id) ?? -Infinity) + PACE;
    if (!region) waiting.delete(id);
    // what waits here is looked at again when the field is left, or the answer is there
    else if (typedIn(region) || region.classList.contains("htmx-request")) continue;
    else if (turn > now) next = Math.min(next, turn - now);
    else ask(region, now);
  }
  if (next < Infinity) later = setTimeout(flush, next);
}

function ask(region, now) {
  waiting.delete(region.id);
  asked.set(region.id, now);
  for (const anchor of region.querySelectorAll("[data-live-anchor]")) anchor.disabled = atTop();
  region.dispatchEvent(new CustomEvent("live"));
}

// at the top again, the reader gets what was only announced
function catchUp() {
  for (const region of regions()) if (region.querySelector("[data-news]")) waiting.add(region.id);
  flush();
}

function tellNews() {
  const news = document.querySelector("[data-news]")?.textContent.trim() ?? "";
  if (news && news !== said) announce(news);
  said = news;
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
  if (url) regions().forEach((region) => waiting.add(region.id));
  flush();
});
document.addEventListener("holdfast:selection", flush);
document.addEventListener("close", () => setTimeout(flush), true);
document.addEventListener("toggle", () => setTimeout(flush), true);
document.addEventListener("focusout", () => setTimeout(flush));
document.addEventListener("htmx:finally:request", () => setTimeout(flush));
addEventListener("scroll", () => atTop() && catchUp(), { passive: true });
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-news]")) return;
  scrollTo({ top: 0 });
  setTimeout(catchUp);
});
document.addEventListener("htmx:after:swap", () => show());
document.addEventListener("htmx:after:swap", tellNews);
// an answer that was under way when somebody selected a row comes too late
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx?.sourceEvent?.type !== "live" || !busy()) return;
  event.preventDefault();
  if (ctx.sourceElement.dataset.liveTopic) waiting.add(ctx.sourceElement.id);
});
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
