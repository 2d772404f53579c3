// A log opens at its end and stays there while it is followed; scrolling up lets go, coming back to the end takes hold again.
import { remember } from "./memory.js";

const NEAR = 40;
let following = true;

const lines = () => document.getElementById("log-lines");
const followed = () => document.getElementById("log-follow") !== null;
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;

function show() {
  for (const button of document.querySelectorAll("[data-log-follow]")) {
    button.setAttribute("aria-pressed", String(following && followed()));
    button.disabled = !followed();
  }
  const wrapped = document.documentElement.dataset.logWrap !== "off";
  for (const button of document.querySelectorAll("[data-log-wrap]")) button.setAttribute("aria-pressed", String(wrapped));
}

function toEnd() {
  const box = lines();
  if (!box) return;
  // a page that is followed for days must not grow for days
  while (box.children.length > Number(box.dataset.most)) box.firstElementChild.remove();
  box.scrollTop = box.scrollHeight;
}

function follow(on) {
  following = on;
  if (on && followed()) toEnd();
  show();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-log-follow]")) follow(!following);
  if (event.target.closest("[data-log-wrap]")) {
    const off = document.documentElement.dataset.logWrap !== "off";
    if (off) document.documentElement.dataset.logWrap = "off";
    else delete document.documentElement.dataset.logWrap;
    remember("log-wrap", off ? "off" : null);
    show();
  }
});
document.addEventListener("scroll", (event) => {
  if (event.target !== lines() || !followed()) return;
  const now = atEnd(event.target);
  if (now !== following) {
    following = now;
    show();
  }
}, true);
document.addEventListener("htmx:after:swap", () => {
  if (!lines()) return;
  if (following && followed()) toEnd();
  show();
});

if (lines()) {
  try {
    if (localStorage.getItem("log-wrap") === "off") document.documentElement.dataset.logWrap = "off";
  } catch {
    // storage is refused: lines wrap
  }
  following = !/^#line-/.test(location.hash);
  follow(following);
}
