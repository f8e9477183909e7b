// The palette: type, choose by arrow keys, Enter. What it lists comes from the server, by permission.
(() => {
  const palette = document.querySelector("#palette");
  if (!palette) return;
  const input = palette.querySelector("#palette-input");
  const list = palette.querySelector("#palette-hits");
  const options = () => [...list.querySelectorAll("[role=option]")];
  let asked = null;
  let timer = 0;
  let cameFrom = null;
  let isFresh = false; // what is listed answers what is typed

  function choose(option) {
    options().forEach((other) => other.setAttribute("aria-selected", String(other === option)));
    if (!option) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }
  function step(by) {
    const all = options();
    if (!all.length) return;
    const at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    choose(all[(at + by + all.length) % all.length]);
  }
  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const query = new URLSearchParams({ q: input.value.trim() });
    const request = { headers: { "HX-Request": "true" }, signal: asked.signal };
    const answer = await fetch(`${palette.dataset.hits}?${query}`, request).catch(() => null);
    if (!answer) return;
    const target = answer.headers.get("HX-Redirect");
    if (target) return location.assign(target);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    list.replaceChildren(...page.body.childNodes);
    options().forEach((option, number) => {
      option.id ||= `hit-${number}`;
      option.tabIndex = -1;
    });
    input.setAttribute("aria-expanded", String(options().length > 0));
    choose(options()[0]);
    isFresh = true;
  }
  function open() {
    if (palette.open) return;
    cameFrom = document.activeElement;
    document.querySelectorAll("dialog[open]").forEach((other) => other.close());
    palette.showModal();
    input.value = "";
    isFresh = false;
    input.focus();
    ask();
  }

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    open();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-opens=palette]")) return;
    event.stopImmediatePropagation();
    open();
  }, true);
  palette.addEventListener("close", () => cameFrom?.focus?.());
  input.addEventListener("input", () => {
    isFresh = false;
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  palette.addEventListener("keydown", (event) => {
    const act = { ArrowDown: () => step(1), ArrowUp: () => step(-1) }[event.key];
    if (!act || event.isComposing) return;
    event.preventDefault();
    act();
  });
  // Enter opens what is chosen; before the hits are there it searches.
  input.form.addEventListener("submit", (event) => {
    const option = options().find((each) => each.getAttribute("aria-selected") === "true");
    if (!option || !isFresh) return;
    event.preventDefault();
    option.click();
  });
})();
