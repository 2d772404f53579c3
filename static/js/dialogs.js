// Destructive things ask first. A form with data-confirm (a title), or anything with hx-confirm, goes on only after a yes;
// data-confirm-text says more, data-confirm-do names the button, data-confirm-type asks for a word to be typed.
let answer = null;

function ask({ title, text = "", action = "Go on", word = "" }) {
  const dialog = document.getElementById("confirm");
  const yes = dialog.querySelector("[data-yes]");
  const typed = dialog.querySelector("[data-typed]");
  dialog.querySelector("[data-title]").textContent = title;
  dialog.querySelector("[data-text]").textContent = text;
  dialog.querySelector("[data-text]").hidden = !text;
  yes.textContent = action;
  typed.hidden = !word;
  typed.querySelector("[data-word]").textContent = word;
  const input = typed.querySelector("input");
  input.value = "";
  yes.disabled = Boolean(word);
  input.oninput = () => { yes.disabled = input.value !== word; };
  dialog.returnValue = "";
  dialog.showModal();
  // a slip of the Enter key must not delete
  (word ? input : dialog.querySelector("[data-no]")).focus();
  return new Promise((resolve) => { answer = resolve; });
}

document.addEventListener("close", (event) => {
  if (event.target.id !== "confirm" || !answer) return;
  answer(event.target.returnValue === "yes");
  answer = null;
}, true);

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const { confirm: title, confirmText: text, confirmDo: action, confirmType: word } = { ...form.dataset, ...event.submitter?.dataset };
  if (!title || form.dataset.confirmed !== undefined) {
    delete form.dataset.confirmed;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!(await ask({ title, text, action, word }))) return;
  form.dataset.confirmed = "";
  form.requestSubmit(event.submitter?.form === form ? event.submitter : undefined);
}, true);

document.addEventListener("htmx:confirm", async (event) => {
  event.preventDefault();
  const { ctx, issueRequest, dropRequest } = event.detail;
  const data = ctx.sourceElement.dataset;
  const yes = await ask({ title: ctx.confirm, text: data.confirmText, action: data.confirmDo, word: data.confirmType });
  (yes ? issueRequest : dropRequest)();
});

// <dialog data-shows> opens with what was fetched into it, and lets go of it when it closes
document.addEventListener("htmx:after:swap", () => {
  for (const dialog of document.querySelectorAll("dialog[data-shows]:not([open])")) {
    if (!dialog.firstElementChild) continue;
    document.querySelectorAll(".menu:popover-open").forEach((menu) => menu.hidePopover());
    dialog.showModal();
  }
});
document.addEventListener("close", (event) => event.target.matches("dialog[data-shows]") && event.target.replaceChildren(), true);

// <button data-opens="id"> opens a dialog of the page; a click beside a dialog closes it
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    event.preventDefault();
    document.getElementById(opener.dataset.opens)?.showModal();
  } else if (event.target.matches("dialog:modal")) {
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
  const dialog = event.target.closest("[data-closes]")?.closest("dialog");
  if (dialog) {
    event.preventDefault();
    dialog.close();
  }
});
