// What the pages need beyond HTML and htmx: hotkeys, toasts, copying, clocks. No data is made here.
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const $$ = (query, from = document) => [...from.querySelectorAll(query)];
  const body = document.body;

  Object.assign(htmx.config, {
    includeIndicatorStyles: false, allowEval: false, allowScriptTags: false, historyCacheSize: 0,
    responseHandling: [
      { code: "204", swap: false },
      { code: "[23]..", swap: true },
      { code: "409|422", swap: true, error: false },
      { code: "[45]..", swap: false, error: true },
    ],
  });

  // Notes: gone after a while, unless somebody is at them; a fault stays until it is put away.
  const csrf = () => JSON.parse(body.getAttribute("hx-headers"))["X-CSRFToken"];
  function element(tag, values, ...inside) {
    const made = Object.assign(document.createElement(tag), values);
    made.append(...inside);
    return made;
  }
  function undoForm(address) {
    const field = (name, value) => element("input", { type: "hidden", name, value });
    const form = element("form", { method: "post", action: address });
    const here = location.pathname + location.search;
    form.append(field("csrf_token", csrf()), field("next", here));
    form.append(element("button", { textContent: body.dataset.undo }));
    return form;
  }
  function toast(text, { bad = false, undo = "" } = {}) {
    const note = element("div", { className: bad ? "toast-note bad" : "toast-note" });
    note.append(element("span", { textContent: text }));
    if (undo) {
      note.dataset.undo = "";
      note.append(undoForm(undo));
    }
    const shut = element("button", { type: "button", className: "shut", ariaLabel: body.dataset.shut });
    shut.dataset.shut = "";
    shut.append(element("i", { className: "bi bi-x-lg", ariaHidden: "true" }));
    note.append(shut);
    $("#toasts").append(note);
    letGo(note);
  }
  function letGo(note) {
    if (note.classList.contains("bad")) return;
    const wait = "undo" in note.dataset ? 10e3 : 6e3;
    const leave = () => (note.matches(":hover, :focus-within") ? setTimeout(leave, 2e3) : note.remove());
    setTimeout(leave, wait);
  }
  $$("#toasts .toast-note").forEach(letGo);
  body.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail));

  // Rows: j and k move, Enter opens, x marks; a click anywhere on the row opens it too.
  const rowLinks = () => $$("tbody tr > th[scope=row] a, .queue li > a").filter((link) => link.checkVisibility());
  function move(step) {
    const links = rowLinks();
    if (!links.length) return;
    const row = document.activeElement.closest("tr, .queue li");
    const at = links.findIndex((link) => link === document.activeElement || (row && row.contains(link)));
    const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
  function mark() {
    const row = document.activeElement.closest("tr");
    const box = row && $(".pick input, input[name=id]", row);
    if (box && !box.disabled) box.click();
    else if (!box) row?.classList.toggle("marked");
  }
  // What a key stands for on this screen: in the row that has the focus, or else on the page.
  function press(key) {
    const row = document.activeElement.closest("tr, .queue li");
    ((row && $(`[data-key="${key}"]`, row)) || $(`[data-key="${key}"]`))?.click();
  }
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (!row || event.target.closest("a, button, input, select, textarea, label, summary")) return;
    if (event.target.closest(".pick")) return; // beside the box is not on the row
    if (String(getSelection())) return; // somebody copies a number
    $("th[scope=row] a", row)?.click();
  });

  function help() {
    const words = $("#help [data-words]");
    if (words?.dataset.words && !words.firstChild) htmx.ajax("GET", words.dataset.words, { target: words });
    $("#help").showModal();
  }

  const isTyping = (target) => target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const keys = {
    "/": () => $("#seek")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    x: mark,
    e: () => press("e"),
    "?": help,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (!keys[event.key] || $("dialog[open]")) return;
    event.preventDefault();
    keys[event.key]();
  });

  // Panels: opened by a button, shut by their own, by Esc and by a click beside them.
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) help();
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    event.target.closest("[data-shut]")?.closest(".toast-note")?.remove();
    if (event.target.matches("dialog[open]")) {
      const { left, right, top, bottom } = event.target.getBoundingClientRect();
      const { clientX: x, clientY: y } = event;
      if (x < left || x > right || y < top || y > bottom) event.target.close();
    }
  });

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
  // Rows are chosen in the table; while some are, what is done to them stands in place of the filters.
  function choose(form) {
    const boxes = $$(`input[name=id][form=${form.getAttribute("id")}]:not(:disabled)`);
    const all = $("[data-all]", boxes[0]?.closest("table") ?? document);
    const told = $("[data-chosen]", form);
    if (!all || !told) return;
    function count() {
      const chosen = boxes.filter((box) => box.checked).length;
      told.textContent = told.dataset.text.replace("0", chosen.toLocaleString("en"));
      $$("[value=selected], [data-needs-chosen]", form).forEach((button) => (button.disabled = !chosen));
      $$("[data-chosen], [value=selected], [data-choose-none]", form).forEach((part) => (part.hidden = !chosen));
      form.hidden = !chosen && !$("[value=all]", form);
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && !all.checked;
      form.classList.toggle("chosen", chosen > 0);
      $$("[data-toolbar]").forEach((bar) => (bar.hidden = chosen > 0));
    }
    all.addEventListener("change", () => {
      boxes.forEach((box) => (box.checked = all.checked));
      count();
    });
    boxes.forEach((box) => box.addEventListener("change", count));
    $$("[data-choose-none]", form).forEach((button) => {
      button.addEventListener("click", () => {
        boxes.forEach((box) => (box.checked = false));
        count();
        all.focus();
      });
    });
    count();
  }
  function prepare(root) {
    const all = (query) => (root.matches?.(query) ? [root] : $$(query, root));
    all("form[data-refundable]").forEach((form) => {
      form.addEventListener("input", () => count(form));
      count(form);
    });
    all("form[data-batch]").forEach(choose);
    all("[data-focus]:not(.parts-sheet *)").forEach((place) => place.focus());
  }

  // What is open is brought into sight where a line or the menu is longer than the screen.
  $$(".tabs [aria-current]").forEach((link) => {
    const line = link.parentElement;
    line.scrollLeft = link.offsetLeft - (line.clientWidth - link.offsetWidth) / 2;
  });
  const rail = $("#rail");
  const present = rail && $("[aria-current]", rail);
  if (present && present.offsetTop > rail.clientHeight - 40) rail.scrollTop = present.offsetTop - rail.clientHeight / 2;

  // Groups of the menu stay as they were left in this browser; the one of this screen is open.
  const KEPT = "opsapp.menu";
  function groups() {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    $$("details[data-group]", rail).forEach((group) => {
      const name = group.dataset.group;
      if (name in kept && !$("[aria-current]", group)) group.open = kept[name];
      $("summary", group).addEventListener("click", () => {
        kept[name] = !group.open;
        localStorage.setItem(KEPT, JSON.stringify(kept));
      });
    });
  }
  // How much waits: asked a moment after the page is there, then once a minute while it is looked at.
  async function waiting() {
    if (document.hidden) return;
    const answer = await fetch(rail.dataset.counts, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!answer?.ok) return;
    const figures = await answer.json().catch(() => ({}));
    $$("[data-count]", rail).forEach((place) => {
      const figure = figures[place.dataset.count] ?? 0;
      place.textContent = figure > 99 ? "99+" : figure;
      place.hidden = !figure;
    });
  }
  if (rail) {
    groups();
    waiting();
    setInterval(waiting, 60e3);
  }

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

  // A moment to the second, in Seoul and in UTC, for whoever points at it.
  document.addEventListener("pointerover", (event) => {
    const time = event.target.closest?.("time[datetime]:not([title], [data-clock])");
    const at = time ? Date.parse(time.dateTime) : NaN;
    if (Number.isNaN(at)) return;
    const [seoul, utc] = [9 * 3600e3, 0].map((offset) => new Date(at + offset).toISOString());
    time.title = `${seoul.slice(0, 10)} ${seoul.slice(11, 19)} KST (${utc.slice(11, 16)} UTC)`;
  });

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
  // Whoever stood in a part that was replaced stands there again.
  let held = null;
  body.addEventListener("htmx:beforeSwap", (event) => {
    const at = document.activeElement;
    if (!event.detail.target?.contains(at)) return;
    const signs = [["id", at.id], ["name", at.getAttribute("name")], ["href", at.getAttribute("href")]];
    const [name, value] = signs.find(([, sign]) => sign) ?? [];
    held = { sign: name && `[${name}="${CSS.escape(value)}"]`, target: event.detail.target.id };
  });
  body.addEventListener("htmx:afterSettle", (event) => {
    if (!held) return;
    const { sign, target } = held;
    held = null;
    if (document.activeElement !== body) return;
    const place = (sign && $(sign)) || (target && document.getElementById(target)) || event.detail.elt;
    if (!place?.isConnected) return;
    if (place.tabIndex < 0) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  });
  body.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  prepare(document);
})();

// A page is printed by its own button too.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
});

// A list that takes longer than a moment shows where its next rows will stand.
(() => {
  const sheet = document.querySelector(".sheet[data-list]");
  if (!sheet) return;
  function wait(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    setTimeout(() => sheet.classList.add("waits"), 300);
    setTimeout(() => sheet.classList.remove("waits"), 15e3);
  }
  document.querySelectorAll(".views a, .pager a, .filters a:not(.tool)").forEach((link) => link.addEventListener("click", wait));
  document.querySelectorAll(".filters form:not([method=post])").forEach((form) => form.addEventListener("submit", wait));
  addEventListener("pageshow", () => sheet.classList.remove("waits"));
})();
