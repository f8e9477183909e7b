// What pops up is modal and is waved away without leaving the page; an account number is copied.
// Everything works without it.
(() => {
  const popup = document.getElementById("popup");
  if (popup && popup.showModal) {
    popup.close();
    popup.showModal();
    const form = document.getElementById("dismiss");
    const tell = () => fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Requested-With": "fetch" },
    }).catch(() => {});
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      popup.close();
    });
    popup.addEventListener("close", tell);
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = button.dataset.done;
    });
  }
})();
