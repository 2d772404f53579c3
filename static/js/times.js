// Ages grow while a page is open; the server wrote them in the same words (templatetags/wording.py).
const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [86400 * 60, 86400, "d"], [86400 * 730, 86400 * 30, "mo"], [Infinity, 86400 * 365, "y"]];

export function age(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 1) return "now";
  const [, unit, name] = STEPS.find(([limit]) => distance < limit);
  const words = `${Math.floor(distance / unit)} ${name}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

function refresh() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-age]")) {
    const words = age((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== words) time.textContent = words;
  }
}

setInterval(refresh, 5000);
document.addEventListener("visibilitychange", refresh);
