// What a browser remembers for its person; refused storage costs the memory, not the page.
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // nothing to tell: the choice holds until the next page
  }
}
