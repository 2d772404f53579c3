{% load static %}// Keeps the page that says the server cannot be reached, and shows it in place of the browser's own.
const PAGE = "{% url 'offline' %}";
const KEPT = [PAGE, "{% static 'css/main.css' %}", "{% static 'js/first.js' %}", "{% static 'icons.svg' %}"];
const NAME = `offline ${KEPT.join(" ")}`;

addEventListener("install", (event) => event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(KEPT))));

// another release has other files
addEventListener("activate", (event) =>
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name))))));

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  else if (KEPT.includes(new URL(request.url).pathname)) event.respondWith(fetch(request).catch(() => caches.match(request)));
});
