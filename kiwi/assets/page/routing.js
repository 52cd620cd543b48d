"use strict";
// Without this script the page shows a table of thresholds; with it, a slider for each group.
(() => {
  const percent = (value) => (100 * value).toFixed(1) + " %";
  const number = (value) => String(Number(value.toPrecision(4)));

  for (const slider of document.querySelectorAll("input.threshold")) {
    const points = JSON.parse(slider.dataset.points);
    const output = document.getElementById(slider.dataset.output);
    const show = () => {
      const [threshold, coverage, risk, upper, words, gold] = points[Number(slider.value)];
      const shown = { threshold: number(threshold), coverage: percent(coverage), risk: percent(risk), upper: percent(upper),
        words: words === null ? "" : percent(words), gold: number(gold) };
      for (const cell of output.querySelectorAll("[data-value]")) cell.textContent = shown[cell.dataset.value];
      slider.setAttribute("aria-valuetext", "threshold " + shown.threshold + ", approved " + shown.coverage + ", not acceptable " + shown.risk);
    };
    slider.max = String(points.length - 1);
    slider.value = slider.dataset.start;
    slider.addEventListener("input", show);
    slider.closest(".slider").hidden = false;
    show();
  }
})();
