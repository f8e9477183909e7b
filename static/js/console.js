// What the pages need beyond HTML and htmx: hotkeys, toasts, copying, clocks. No data is made here.
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const $$ = (query, from = document) => [...from.querySelectorAll(query)];
  const body = document.body;

  function toast(text, { bad = false } = {}) {
    const note = document.createElement("div");
    note.className = bad ? "toast-note bad" : "toast-note";
    note.textContent = text;
    $("#toasts").append(note);
    setTimeout(() => note.remove(), 6000);
  }

  // Rows: j and k move, Enter opens, x marks; a click anywhere on the row opens it too.
  const rowLinks = () => $$("tbody tr > th[scope=row] a, .queue li > a");
  function move(step) {
    const links = rowLinks();
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (!row || event.target.closest("a, button, input, label, summary")) return;
    if (String(getSelection())) return; // somebody copies a number
    $("th[scope=row] a", row)?.click();
  });

  const help = $("#help");
  const isTyping = (target) => target.matches("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = {
      "/": () => $("#seek")?.focus(),
      j: () => move(1),
      k: () => move(-1),
      x: () => document.activeElement.closest("tr")?.classList.toggle("marked"),
      "?": () => help.showModal(),
    }[event.key];
    if (!act || help.open) return;
    event.preventDefault();
    act();
  });
  $$("[data-help]").forEach((button) => button.addEventListener("click", () => help.showModal()));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    navigator.clipboard?.writeText(button.dataset.copy).then(() => toast(body.dataset.copied));
  });

  // A menu closes when something else is clicked, and on Escape.
  document.addEventListener("click", (event) => {
    $$("details.menu[open], details.filter[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    $$("details.menu[open], details.filter[open]").forEach((menu) => {
      menu.open = false;
      $("summary", menu).focus();
    });
  });

  // One click is one order: the button rests until the answer is there.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog") return;
    if (form.dataset.sent && !form.hasAttribute("hx-post")) event.preventDefault();
    form.dataset.sent = "yes";
    const button = event.submitter;
    if (form.method === "post" && button) {
      // After this turn: a disabled button would be left out of what is sent.
      setTimeout(() => {
        button.disabled = true;
        button.classList.add("busy");
      });
    }
  });
  addEventListener("pageshow", () => {
    $$("form[data-sent]").forEach((form) => delete form.dataset.sent);
    $$("button.busy").forEach((button) => {
      button.disabled = false;
      button.classList.remove("busy");
    });
  });

  // Empty filters stay out of the address.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    $$("input, select", event.target).forEach((input) => {
      if (!input.value) input.disabled = true;
    });
    setTimeout(() => $$(":disabled", event.target).forEach((input) => (input.disabled = false)));
  });

  // The refund form: the rest is counted while the amount is typed.
  function count(form) {
    const whole = $("[value=full]", form).checked;
    const input = $("[name=amount]", form);
    const most = Number(form.dataset.refundable);
    const wished = whole ? most : Number(input.value.replace(/[,\s₩원]/g, ""));
    const rest = $("[data-rest]", form);
    const known = Number.isInteger(wished) && wished > 0 && wished <= most;
    rest.textContent = known ? rest.dataset.rest.replace("0", (most - wished).toLocaleString("en")) : "–";
    input.closest(".field").hidden = whole;
  }
  // Rows are chosen in the table; what is done to them stands above it.
  function choose(form) {
    const boxes = $$(`input[name=id][form=${form.getAttribute("id")}]`);
    const all = $("[data-all]");
    const told = $("[data-chosen]", form);
    const one = $("[value=selected]", form);
    function count() {
      const chosen = boxes.filter((box) => box.checked).length;
      told.textContent = told.dataset.text.replace("0", chosen.toLocaleString("en"));
      one.disabled = !chosen;
      all.checked = chosen === boxes.length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
    all.addEventListener("change", () => {
      boxes.forEach((box) => (box.checked = all.checked));
      count();
    });
    boxes.forEach((box) => box.addEventListener("change", count));
    count();
  }
  $$("form[data-batch]").forEach(choose);
  function prepare(root) {
    const all = (query) => (root.matches?.(query) ? [root] : $$(query, root));
    all("form[data-refundable]").forEach((form) => {
      form.addEventListener("input", () => count(form));
      count(form);
    });
    all("[data-focus]").forEach((place) => place.focus());
  }

  // On a phone the menu is one line: what is open is brought into sight.
  $$(".rail [aria-current], .tabs [aria-current]").forEach((link) => {
    const line = link.parentElement;
    line.scrollLeft = link.offsetLeft - (line.clientWidth - link.offsetWidth) / 2;
  });

  // The server's clock, which a test installation may have moved.
  const lead = new Date(body.dataset.now) - Date.now();
  const ago = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
  function since(moment) {
    const s = Math.round((new Date(moment) - Date.now() - lead) / 1000);
    const [unit, size] = [["hour", 3600], ["minute", 60]].find(([, n]) => Math.abs(s) >= n) ?? ["second", 1];
    return ago.format(Math.trunc(s / size), unit);
  }
  function tick() {
    if (document.hidden) return;
    const kst = new Date(Date.now() + lead + 9 * 3600e3).toISOString();
    $$("[data-clock]").forEach((place) => {
      place.textContent = `${kst.slice(0, 10)} ${kst.slice(11, 19)} KST`;
    });
    if (kst.slice(17, 19) === "00") {
      $$("time[data-ago] small").forEach((place) => {
        place.textContent = `(${since(place.parentElement.dateTime)})`;
      });
    }
  }
  setInterval(tick, 1000);

  // htmx: nobody polls for a hidden page; a lost server is said, not swallowed.
  body.addEventListener("htmx:confirm", (event) => {
    if (event.detail.verb !== "get" || !document.hidden) return;
    if (!event.target.matches("[data-poll]")) return;
    event.preventDefault();
    document.addEventListener("visibilitychange", () => event.detail.issueRequest(true), { once: true });
  });
  body.addEventListener("htmx:sendError", () => toast(body.dataset.fault, { bad: true }));
  body.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    toast(page.body.textContent.trim().slice(0, 300) || body.dataset.fault, { bad: true });
  });
  body.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("form");
    if (!form) return;
    delete form.dataset.sent;
    $$("button.busy", form).forEach((button) => {
      button.disabled = false;
      button.classList.remove("busy");
    });
  });
  body.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  prepare(document);
})();
