// Files chosen or dropped go to the API one after the other, each with how far it is; what is there already is asked about.
// Without scripts the same form sends them all at once.
const forms = () => document.querySelectorAll("form[data-upload]");

function place(form, name) {
  const folder = form.dataset.folder ? `${form.dataset.folder}/` : "";
  return form.dataset.upload + (folder + name).split("/").map(encodeURIComponent).join("/");
}

function line(list, name) {
  const item = document.createElement("li");
  const title = document.createElement("span");
  const bar = document.createElement("progress");
  const again = document.createElement("button");
  const said = document.createElement("span");
  title.className = "clip";
  title.textContent = name;
  title.title = name;
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${name}`);
  again.className = "button button--small";
  again.type = "button";
  again.hidden = true;
  said.className = "uploads__said";
  item.append(title, bar, again, said);
  list.append(item);
  return { bar, again, said };
}

function send(form, file, row, replace) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const deferred = form.elements.deferred?.checked ? "?deferred=true" : "";
    request.open("PUT", place(form, file.name) + deferred);
    request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (!replace) request.setRequestHeader("If-None-Match", "*");
    request.upload.onprogress = (event) => { if (event.lengthComputable) row.bar.value = event.loaded / event.total; };
    request.onerror = () => finish(form, file, row, 0, "");
    request.onload = () => finish(form, file, row, request.status, request.responseText);
    request.onloadend = () => resolve(request.status);
    request.send(file);
  });
}

function finish(form, file, row, status, text) {
  const done = status >= 200 && status < 300;
  row.bar.value = done ? 1 : row.bar.value;
  row.bar.className = done ? "tone--completed" : "tone--failed";
  row.said.textContent = done ? (status === 202 ? "Waits in the outbox" : "There") : refusal(status, text);
  row.again.hidden = done;
  row.again.textContent = status === 412 ? "Replace" : "Again";
  row.again.onclick = async () => {
    row.again.hidden = true;
    row.said.textContent = "";
    await send(form, file, row, status === 412 || form.elements.overwrite.checked);
    refresh();
  };
}

function refusal(status, text) {
  if (status === 0) return "The connection broke off.";
  if (status === 412) return "There is such a file already.";
  try {
    return JSON.parse(text).detail;
  } catch {
    return `Refused (${status}).`;
  }
}

async function sendAll(form, files) {
  const list = form.querySelector("[data-uploads]");
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const rows = [...files].map((file) => [file, line(list, file.name)]);
  for (const [file, row] of rows) await send(form, file, row, form.elements.overwrite.checked);
  form.elements.files.value = "";
  button.disabled = false;
  refresh();
}

// the list below is the one of the folder that was open; it waits while the dialog is open
const refresh = () => document.getElementById("folder")?.dispatchEvent(new CustomEvent("live"));

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-upload]") || !form.elements.files.files.length) return;
  event.preventDefault();
  sendAll(form, form.elements.files.files);
}, true);

// anywhere on the list is a place to drop
document.addEventListener("dragover", (event) => {
  if (!forms().length || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.querySelector("[data-drop]")?.setAttribute("data-dropping", "");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.querySelector("[data-dropping]")?.removeAttribute("data-dropping");
});
document.addEventListener("drop", (event) => {
  const [form] = forms();
  document.querySelector("[data-dropping]")?.removeAttribute("data-dropping");
  if (!form || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  const dialog = form.closest("dialog");
  if (!dialog.open) dialog.showModal();
  sendAll(form, event.dataTransfer.files);
});
document.addEventListener("close", (event) => event.target.id === "upload" && refresh(), true);
