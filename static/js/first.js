// Blocks on purpose: the remembered theme and navigation must hold before the first paint, and what asks first must not
// go out unasked because its module is still on the way.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("nav") === "icons") root.dataset.nav = "icons";
  } catch {
    // storage is refused (private window, policy): the system's theme and the wide navigation are right
  }
  root.dataset.scripted = "";

  let held = null;
  const hold = (event) => {
    if (event.target.dataset.confirm === undefined && event.submitter?.dataset.confirm === undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    held = event;
  };
  document.addEventListener("submit", hold, true);
  // modules have run by then
  document.addEventListener("DOMContentLoaded", () => {
    document.removeEventListener("submit", hold, true);
    held?.target.requestSubmit(held.submitter);
  });
})();
