// Works out points as they are typed, opens the window of the payment company by its own script, and
// copies an account number. Everything but a vendor's script works without.
(() => {
  const $ = (query) => document.querySelector(query);

  // What the server would answer, shown at once; the server's word is the one that counts.
  function workOut(form) {
    const { now, most, locale, amount: pattern } = form.dataset;
    const grouped = (number) => number.toLocaleString(locale);
    const won = (number) => pattern.replace("1,000", grouped(number));
    const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
    const field = $("#points");
    const slider = $("#points-slider");
    const effect = $("#points-effect");
    const button = $("#go");
    const label = button.textContent;
    const rule = effect?.textContent;
    const read = () => Math.min(Number(field.value.replace(/\D/g, "")) || 0, Number(most));

    function show() {
      const tile = form.querySelector("[name=method]:checked");
      const points = field ? read() : 0;
      const left = Number(now) - points;
      button.textContent = tile?.dataset.act || (!field ? label
        : left ? fill(button.dataset.label, { amount: won(left) }) : button.dataset.free);
      if (!field) return;
      slider.value = points;
      $("[data-show=points]").textContent = (points ? "\u2212" : "") + won(points);
      $("[data-show=left]").textContent = won(left);
      const least = Number(tile?.dataset.minimum || 0);
      const isBelow = form.dataset.once - points > 0 && form.dataset.once - points < least;
      effect.textContent = isBelow ? fill(effect.dataset.below, { minimum: won(least) })
        : points ? fill(effect.dataset.effect, { points: grouped(points), amount: won(left) }) : rule;
      effect.classList.toggle("wrong", isBelow);
    }

    function take(points) {
      field.value = grouped(points);
      show();
    }

    if (field) {
      slider.classList.add("ready");
      slider.addEventListener("input", () => take(Number(slider.value)));
      field.addEventListener("input", show);
      field.addEventListener("change", () => take(read()));
      $("[data-all-points]").addEventListener("click", () => take(Number(most)));
    }
    form.addEventListener("change", show);
    // Later than the event, which still has to read the name of the button.
    form.addEventListener("submit", () => setTimeout(() => { button.disabled = true; }));
    addEventListener("pageshow", () => { button.disabled = false; });
    show();
  }

  // A swapped fragment brings a new button: the page is asked, not the button.
  const showCopies = () => {
    if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
  };
  document.addEventListener("htmx:afterSwap", showCopies);
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
  });
  showCopies();

  const form = $("#pay");
  if (form) workOut(form);
  $("#notice")?.focus();

  const told = $("#window");
  if (!told) return;
  const fields = JSON.parse(told.textContent);
  const trouble = $("#trouble");
  const button = $("#open");

  function fail(text) {
    trouble.textContent = text || trouble.dataset.fault;
    trouble.hidden = false;
    button.hidden = false;
    button.disabled = false;
  }

  const goBack = (address, values) => {
    const target = new URL(address);
    for (const [name, value] of Object.entries(values)) if (value) target.searchParams.set(name, value);
    location.assign(target);
  };

  // Easy pay stands among the cards in this vendor's window.
  const TOSS_METHODS = { card: "CARD", easy_pay: "CARD", transfer: "TRANSFER", mobile: "MOBILE_PHONE", virtual_account: "VIRTUAL_ACCOUNT" };

  const vendors = {
    async toss() {
      const payment = TossPayments(fields.clientKey).payment({ customerKey: fields.customerKey });
      if (fields.asks === "registration") {
        const { successUrl, failUrl } = fields;
        await payment.requestBillingAuth({ method: TOSS_METHODS[fields.method], successUrl, failUrl });
        return;
      }
      const wish = {
        method: TOSS_METHODS[fields.method],
        amount: { currency: fields.currency, value: fields.amount },
        orderId: fields.orderId,
        orderName: fields.orderName,
        customerName: fields.customerName,
        successUrl: fields.successUrl,
        failUrl: fields.failUrl,
      };
      await payment.requestPayment(wish);
    },
    async portone() {
      const { successUrl, failUrl, ...request } = fields;
      const answer = await PortOne.requestPayment(request);
      if (!answer) return; // the browser has been sent on already
      const address = answer.code ? failUrl : successUrl;
      goBack(address, { paymentId: fields.paymentId, code: answer.code });
    },
    async stripe() {
      const stripe = Stripe(fields.publishableKey, { locale: fields.locale });
      const elements = stripe.elements({ clientSecret: fields.clientSecret });
      elements.create("payment").mount("#vendor");
      return async () => {
        const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: fields.returnUrl } });
        if (error) fail(error.message);
      };
    },
  };

  let confirm; // where the vendor's form stands in our page, the button sends it
  async function open() {
    button.disabled = true;
    trouble.hidden = true;
    try {
      if (confirm) {
        await confirm();
        return;
      }
      confirm = await vendors[told.dataset.vendor]();
      button.hidden = !confirm;
      button.disabled = false;
    } catch {
      fail(); // a window that was closed, or a script that did not load; codes are the server's to read
    }
  }
  button.addEventListener("click", open);
  open();
})();
