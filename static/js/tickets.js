// `e` makes a ticket mine: the one of the row that has the focus, or the one that is open.
(() => {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "e" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select, [contenteditable]")) return;
    if (document.querySelector("dialog[open]")) return;
    const row = document.activeElement.closest("tbody tr");
    const form = row ? row.querySelector("form[data-take]") : document.querySelector("aside form[data-take]");
    if (!form) return;
    event.preventDefault();
    form.requestSubmit();
  });
})();
