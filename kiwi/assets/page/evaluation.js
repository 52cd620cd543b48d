
"use strict";
// Without this script the page shows every system and every segment, one below the other.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const systems = all(".system");
  const picker = document.getElementById("system");
  // "#system=2&filter=bank" is a view that can be linked to.
  const view = new URLSearchParams(location.hash.slice(1));

  const remember = (name, value) => {
    if (value) view.set(name, value); else view.delete(name);
    try {
      history.replaceState(null, "", "#" + view);
    } catch {
      // Inside another page this one may have no address: there is nothing to link to.
    }
  };

  const show = (number) => systems.forEach((system, place) => { system.hidden = place !== number; });

  const filter = (box) => {
    const sought = box.value.trim().toLowerCase();
    const segments = all(".segment", document.getElementById(box.getAttribute("aria-controls")));
    const exact = sought.startsWith("#") ? sought.slice(1) : null;
    for (const segment of segments) {
      const text = all(".text", segment).map((line) => line.textContent).join(" ").toLowerCase();
      segment.hidden = exact !== null ? !segment.dataset.number.startsWith(exact) : !text.includes(sought);
    }
    const left = segments.filter((segment) => !segment.hidden).length;
    box.closest(".filter").querySelector("output").textContent = sought ? `${left} of ${segments.length}` : "";
  };

  document.documentElement.classList.add("js");
  if (picker) {
    const asked = Math.min(Math.max(parseInt(view.get("system"), 10) || 1, 1), systems.length) - 1;
    picker.value = String(asked);
    show(asked);
    picker.addEventListener("change", () => {
      show(Number(picker.value));
      remember("system", Number(picker.value) ? String(Number(picker.value) + 1) : "");
    });
  }
  for (const box of all(".filter-box")) {
    box.value = view.get("filter") || "";
    filter(box);
    box.addEventListener("input", () => {
      filter(box);
      remember("filter", box.value);
    });
  }
})();
