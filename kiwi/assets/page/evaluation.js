
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

  const beside = document.getElementById("beside");

  const show = () => {
    const shown = [Number(picker.value), beside.value === "" ? -1 : Number(beside.value)];
    systems.forEach((system, place) => { system.hidden = !shown.includes(place); });
    document.getElementById("pictures").classList.toggle("beside", systems.filter((system) => !system.hidden).length > 1);
  };

  // Gaps stand between words, so that there may be several spaces.
  const plain = (text) => text.replace(/\s+/g, " ").trim();

  // A spreadsheet must not take a text for a formula.
  const cell = (value) => {
    const text = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value)) ? "'" + value : value;
    return '"' + text.replaceAll('"', '""') + '"';
  };

  const csv = (list) => {
    const rows = [["segment", "gold", "predicted", "loss", "source", "target"]];
    for (const segment of all(".segment", list)) {
      const line = (name) => {
        const found = all(".text", segment).find((each) => each.querySelector(".field").textContent === name);
        return found ? plain(found.lastElementChild.textContent) : "";
      };
      const { number, gold = "", predicted = "" } = segment.dataset;
      rows.push([number, gold, predicted, segment.querySelector(".loss").textContent, line("Source"), line("Target")]);
    }
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  };

  const download = (button) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", csv(document.getElementById(button.dataset.segments))], { type: "text/csv" }));
    link.download = "segments." + button.dataset.name.replace(/[^\w.-]+/g, "-") + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const jump = (part) => {
    const shown = systems.find((system) => !system.hidden);
    const place = part === "worst" ? shown?.querySelector('[id^="worst-"]') : document.getElementById(part);
    place?.scrollIntoView();
  };

  const filter = (box) => {
    const sought = plain(box.value).toLowerCase();
    const segments = all(".segment", document.getElementById(box.getAttribute("aria-controls")));
    const exact = sought.startsWith("#") ? sought.slice(1) : null;
    for (const segment of segments) {
      const text = plain(all(".text", segment).map((line) => line.textContent).join(" ")).toLowerCase();
      segment.hidden = exact !== null ? !segment.dataset.number.startsWith(exact) : !text.includes(sought);
    }
    const left = segments.filter((segment) => !segment.hidden).length;
    box.closest(".filter").querySelector("output").textContent = sought ? `${left} of ${segments.length}` : "";
  };

  document.documentElement.classList.add("js");
  if (picker) {
    const asked = Math.min(Math.max(parseInt(view.get("system"), 10) || 1, 1), systems.length) - 1;
    picker.value = String(asked);
    const second = parseInt(view.get("beside"), 10);
    beside.value = second >= 1 && second <= systems.length ? String(second - 1) : "";
    show();
    picker.addEventListener("change", () => {
      show();
      remember("system", Number(picker.value) ? String(Number(picker.value) + 1) : "");
    });
    beside.addEventListener("change", () => {
      show();
      remember("beside", beside.value === "" ? "" : String(Number(beside.value) + 1));
    });
  }
  for (const button of all("button.csv")) button.addEventListener("click", () => download(button));
  for (const button of all("button[data-part]")) button.addEventListener("click", () => jump(button.dataset.part));
  for (const code of all(".signature")) {
    const button = document.createElement("button");
    button.className = "copy";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(code);
      }
    });
    code.after(button);
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
