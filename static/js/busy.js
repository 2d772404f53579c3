// A plain form that has been sent shows it on its button; htmx marks its own. A menu with data-sends sends its form when it changes.
addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method === "dialog") return;
  const button = event.submitter;
  if (button?.matches(".button")) setTimeout(() => button.setAttribute("aria-busy", "true"));
});
addEventListener("change", (event) => event.target.matches("select[data-sends]") && event.target.form.requestSubmit());
// Back brings the page as it was left
addEventListener("pageshow", (event) => event.persisted && document.querySelectorAll('.button[aria-busy="true"]').forEach((button) => button.removeAttribute("aria-busy")));
