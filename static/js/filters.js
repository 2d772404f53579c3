// A filter form (data-filters) leaves what is empty out of the address; htmx sends it 250 ms after the last key (its hx-trigger says so).
// A box or menu that changes sends at once where htmx is not in charge.
document.addEventListener("formdata", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  for (const [name, value] of [...event.formData]) {
    if (value === "" && event.formData.getAll(name).every((each) => each === "")) event.formData.delete(name);
  }
});
