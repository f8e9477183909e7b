// What changes by itself: an element with data-live is asked for again and again, and only what has
// changed in it is exchanged, so that focus, selection, scroll and open parts stay. Such a request
// keeps no sign-in alive, and none is made while nobody can see the page.
(() => {
  const EVERY_S = 5;
  const EVERY_S_MIN = 2;
  const EVERY_S_MAX = 60;
  const HEADERS = { "X-Polled": "yes" };
  const parts = new Map(); // element -> { timer, wait, failures, seen }
  let isSignedOut = false;

  // Spoken once, politely, and only when the words have changed.
  const news = document.createElement("div");
  news.className = "visually-hidden";
  news.setAttribute("role", "status");
  news.setAttribute("aria-live", "polite");
  news.id = "live-news";
  document.body.append(news);

  const everyOf = (element) => Math.max(Number(element.dataset.every) || EVERY_S, EVERY_S_MIN);
  const spoken = (element) => {
    const places = element.matches("[data-announce]") ? [element] : element.querySelectorAll("[data-announce]");
    return [...places].map((place) => place.textContent.trim().replace(/\s+/g, " ")).join(", ");
  };

  // Rows are known by their id or key, so that a new one above moves the others and replaces none.
  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");
  const isSame = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  function alter(from, to) {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.isEqualNode(to) || from.matches("[data-kept]")) return; // kept: fetched when it was unfolded
    // What somebody is typing or has unfolded is theirs.
    const isTheirs = (name) => name === "open" || (from === document.activeElement && name === "value");
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !isTheirs(name) && name !== "data-sent") from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !isTheirs(name)) from.setAttribute(name, value);
    }
    if (from.matches("input, textarea, select")) return;
    if (from.matches("progress")) from.value = Number(to.getAttribute("value"));
    alterChildren(from, to);
  }

  function alterChildren(from, to) {
    const keyed = new Map([...from.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
    let here = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const key = keyOf(wanted);
      let found = key ? keyed.get(key) : here && !keyOf(here) ? here : null;
      if (found && !isSame(found, wanted)) found = null;
      if (!found) {
        from.insertBefore(document.importNode(wanted, true), here);
        continue;
      }
      if (found !== here) from.insertBefore(found, here);
      else here = here.nextSibling;
      alter(found, wanted);
    }
    while (here) {
      const rest = here.nextSibling;
      here.remove();
      here = rest;
    }
  }

  // A list that somebody marks with the mouse, or works in, is left alone until the next round.
  function isInUse(element) {
    const marked = getSelection();
    if (marked && !marked.isCollapsed && element.contains(marked.anchorNode)) return true;
    if (element.querySelector("form[data-sent], button.busy")) return true; // its answer is under way
    const active = document.activeElement;
    return element.contains(active) && active.matches("select, textarea, input:not([type=checkbox]):not([type=radio])");
  }

  // `data-live-parts`: ids elsewhere on the page that the same answer brings.
  function exchange(element, page) {
    const fresh = element.id ? page.getElementById(element.id) : page.body.firstElementChild;
    if (!fresh) return forget(element);
    const before = spoken(element);
    (element.dataset.liveParts ?? "").split(" ").filter(Boolean).forEach((id) => {
      const [part, wanted] = [document.getElementById(id), page.getElementById(id)];
      if (part && wanted && !isInUse(part)) alter(part, wanted);
    });
    alter(element, fresh);
    const after = spoken(element);
    if (after && after !== before) news.textContent = after;
    window.htmx?.process(element);
    document.dispatchEvent(new CustomEvent("live:changed", { detail: element }));
    if (!element.dataset.live) forget(element); // it has come to its end
  }

  async function ask(element) {
    const part = parts.get(element);
    if (!part || isSignedOut) return;
    if (!element.isConnected) return void forget(element);
    if (document.hidden || part.isAsking) return; // coming back asks again
    part.isAsking = true;
    try {
      const answer = await fetch(element.dataset.live, { headers: HEADERS, redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 401) return signedOut();
      if (answer.status === 403 || answer.status === 404) return forget(element);
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      part.failures = 0;
      element.removeAttribute("data-stale");
      if (text !== part.seen && !isInUse(element)) {
        part.seen = text;
        exchange(element, new DOMParser().parseFromString(text, "text/html"));
      }
    } catch {
      part.failures += 1;
      if (part.failures > 1) element.dataset.stale = "yes"; // what is shown may be old
    } finally {
      part.isAsking = false;
      plan(element);
    }
  }

  function plan(element) {
    const part = parts.get(element);
    if (!part || isSignedOut) return;
    clearTimeout(part.timer);
    const wait = Math.min(everyOf(element) * 2 ** Math.min(part.failures, 4), EVERY_S_MAX);
    part.timer = setTimeout(() => ask(element), wait * 1000);
  }

  function forget(element) {
    clearTimeout(parts.get(element)?.timer);
    parts.delete(element);
  }

  function signedOut() {
    isSignedOut = true;
    parts.forEach((part, element) => {
      clearTimeout(part.timer);
      element.dataset.stale = "yes";
    });
  }

  function find(root) {
    const found = root.matches?.("[data-live]") ? [root] : [...root.querySelectorAll("[data-live]")];
    found.filter((element) => !parts.has(element)).forEach((element) => {
      parts.set(element, { failures: 0 });
      plan(element);
    });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) parts.forEach((part) => clearTimeout(part.timer));
    else [...parts.keys()].forEach(ask);
  });
  document.addEventListener("htmx:load", (event) => find(event.detail.elt));
  document.addEventListener("live:changed", (event) => find(event.detail));
  find(document);

  // A form that is answered by a file leaves its page where it was: its button works again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-download]")) return;
    setTimeout(() => {
      delete form.dataset.sent;
      form.querySelectorAll("button.busy").forEach((button) => {
        button.disabled = false;
        button.classList.remove("busy");
      });
    }, 2500);
  });
})();
