// The tour points at what it speaks of. It covers nothing; Escape puts it away until the next page.
(() => {
  const tour = document.querySelector(".tour");
  if (!tour) return;
  const shown = tour.dataset.shown ? document.querySelector(tour.dataset.shown) : null;
  shown?.classList.add("tour-here");
  tour.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    tour.hidden = true;
    shown?.classList.remove("tour-here");
    document.getElementById("main").focus();
  });
})();
