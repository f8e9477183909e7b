// `e` makes a ticket mine: the one of the row that has the focus, or the one that is open.
(() => {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "e" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select, [contenteditable]")) return;
    if (document.querySelector("dialog[open]")) return;
    const row = document.activeElement.closest("tbody tr");
    const button = row ? row.querySelector("[data-take]") : document.querySelector("aside [data-take]");
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
