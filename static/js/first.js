// Blocks on purpose: the remembered theme and navigation must hold before the first paint.
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
})();
