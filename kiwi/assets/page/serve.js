"use strict";
// Without this script the form works, page by page; with it the page stays, and files can be scored.
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const form = byId("estimate");
  const say = (text) => { byId("status").textContent = text; };

  // The key stays in its field: it is neither stored nor in an address.
  const headers = () => {
    const key = byId("key")?.value.trim();
    return key ? { Authorization: `Bearer ${key}` } : {};
  };

  const hasKey = () => {
    if (!byId("key") || byId("key").reportValidity()) return true;
    byId("key").focus();
    return false;
  };

  class Failure extends Error {}

  const failed = async (response) => {
    try {
      return new Failure((await response.json()).detail);
    } catch {
      return new Failure(`The server has answered ${response.status}.`);
    }
  };

  const call = async (address, options = {}) => {
    const response = await fetch(address, { ...options, headers: { ...headers(), ...options.headers } });
    if (!response.ok) throw await failed(response);
    return response;
  };

  const explain = (error) => error instanceof Failure ? error.message : "The server cannot be reached.";

  const alarm = (place, text) => {
    const problem = document.createElement("p");
    problem.className = "problem";
    problem.setAttribute("role", "alert");
    problem.textContent = text;
    place.replaceChildren(problem);
  };

  // Put parts of an answer of the server, which escapes every text, in the place of those with the same id.
  const swap = (html, ...ids) => {
    const answer = new DOMParser().parseFromString(html, "text/html");
    for (const id of ids) byId(id).replaceChildren(...answer.getElementById(id).childNodes);
  };

  // Text

  let running = null;

  const estimate = async () => {
    running?.abort();
    const mine = running = new AbortController();
    form.setAttribute("aria-busy", "true");
    say("Estimating …");
    try {
      const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), signal: mine.signal });
      if (!response.headers.get("Content-Type")?.startsWith("text/html")) throw await failed(response);
      swap(await response.text(), "outcome");
      const heading = byId("result");
      say(heading ? `${heading.textContent}: ${all(".score b", byId("outcome")).slice(0, 3).map((each) => each.textContent).join(", ")}` : "");
      heading?.focus({ preventScroll: true });
      byId("outcome").scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (error.name === "AbortError") return;
      say("");
      alarm(byId("outcome"), explain(error));
    }
    if (running === mine) form.removeAttribute("aria-busy");
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    estimate();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  const chips = all(".chip");
  const tryExample = (chip) => {
    for (const name of ["source", "target", "other"]) byId(name).value = chip.dataset[name];
    byId("pair").value = chip.dataset.languages;
    form.querySelector("details").open = true;
    form.requestSubmit();
  };
  for (const chip of chips) {
    chip.addEventListener("click", (event) => {
      event.preventDefault();
      tryExample(chip);
    });
    chip.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        event.preventDefault();
        tryExample(chip);
      }
    });
  }
  const model = byId("model");
  const fit = () => {
    for (const chip of chips) chip.parentElement.hidden = !!model && !chip.dataset.models.split(" ").includes(model.value);
  };
  model?.addEventListener("change", fit);

  // Explanations of marks

  const place = (mark) => {
    const tip = mark.querySelector(".tip");
    if (!tip) return;
    tip.style.translate = "";
    mark.classList.remove("dismissed");
    const box = tip.getBoundingClientRect();
    const beyond = Math.max(0, box.right - document.documentElement.clientWidth + 8);
    tip.style.translate = `${beyond ? -beyond : Math.max(0, 8 - box.left)}px`;
  };
  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, ({ target }) => {
      const mark = target.closest?.("mark[tabindex]");
      if (mark) place(mark);
    });
  }
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") for (const mark of all("mark:is(:hover, :focus)")) mark.classList.add("dismissed");
  });

  // Tabs

  const tabs = all("[role=tab]");
  const choose = (tab) => {
    for (const each of tabs) {
      const isChosen = each === tab;
      each.setAttribute("aria-selected", isChosen);
      each.tabIndex = isChosen ? 0 : -1;
      byId(each.getAttribute("aria-controls")).hidden = !isChosen;
    }
  };
  for (const tab of tabs) {
    byId(tab.getAttribute("aria-controls")).setAttribute("role", "tabpanel");
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      const next = tabs[(tabs.indexOf(tab) + 1) % tabs.length];
      choose(next);
      next.focus();
    });
  }

  // Files

  let job = null;  // the address of the file at the server
  let stop = null;  // what ends the wait for it
  let offset = 0;

  const tell = (text, isLoud = false) => {
    byId("job-state").textContent = text;
    if (isLoud) say(text);
  };

  const reset = () => {
    stop?.abort();
    if (job) call(job, { method: "DELETE" }).catch(() => {});
    job = null;
    offset = 0;
    for (const id of ["job", "review", "download", "warnings"]) byId(id).hidden = true;
    for (const id of ["file-problem", "warnings", "list", "overview"]) byId(id).replaceChildren();
    byId("filter").reset();
    byId("drop").hidden = false;
    byId("remove").textContent = "Cancel";
  };

  const upload = (file, signal) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();  // fetch does not tell how much was sent
    const query = new URLSearchParams({ name: file.name, header: byId("header").checked });
    for (const id of ["model", "policy", "languages", "columns"]) if (byId(id)?.value.trim()) query.set(id, byId(id).value.trim());
    if (form.dataset.common.split(" ").includes(model?.value ?? form.dataset.model)) query.set("scale", "0-100");
    request.open("POST", `/v1/files?${query}`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      byId("progress").value = loaded / total;
      tell(`Sending: ${Math.round(100 * loaded / total)}%`);
    });
    request.addEventListener("load", () => {
      if (request.status === 202) resolve(request.getResponseHeader("Location"));
      else failed(new Response(request.responseText, { status: request.status })).then(reject);
    });
    request.addEventListener("error", () => reject(new Error()));
    signal.addEventListener("abort", () => {
      request.abort();
      reject(new DOMException("", "AbortError"));
    });
    request.send(file);
  });

  // An EventSource cannot send a key.
  const follow = async (address, signal, onState) => {
    const reader = (await call(`${address}/events`, { signal })).body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "", part; !(part = await reader.read()).done;) {
      const blocks = (text + part.value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const data = block.match(/^data: (.*)$/m);
        if (data) onState(JSON.parse(data[1]));
      }
    }
  };

  const count = (number) => number.toLocaleString("en");

  // The segments are counted before they are scored, so the bar shows how much of the whole file is done.
  const progressSince = () => {
    let started = null;
    return ({ segments, total }) => {
      const bar = byId("progress");
      if (total === null) {
        bar.removeAttribute("value");
        tell("Counting the segments …");
        return;
      }
      started ??= { time: performance.now(), segments };
      const seconds = (performance.now() - started.time) / 1000;
      const rate = (segments - started.segments) / Math.max(0.001, seconds);
      bar.value = segments / total;
      const parts = [`${count(segments)} of ${count(total)} segments scored (${Math.floor(100 * segments / total)}%)`];
      if (seconds >= 2 && rate > 0) {
        const left = (total - segments) / rate;
        parts.push(`${count(rate < 10 ? Number(rate.toPrecision(1)) : Math.round(rate))} per second`);
        parts.push(left < 90 ? `about ${Math.ceil(left)} s left` : `about ${count(Math.round(left / 60))} minutes left`);
      }
      tell(parts.join(" · "));
    };
  };

  const score = async (file) => {
    reset();
    stop = new AbortController();
    const { signal } = stop;
    byId("drop").hidden = true;
    byId("job").hidden = false;
    byId("job-name").textContent = file.name;
    byId("progress").hidden = false;
    byId("job-name").focus({ preventScroll: true });
    try {
      job = await upload(file, signal);
      byId("progress").removeAttribute("value");
      tell("Waiting …", true);
      const tellProgress = progressSince();
      let state = {};
      do {
        await follow(job, signal, (found) => {
          state = found;
          if (state.state === "running") tellProgress(state);
        });
      } while (!["done", "failed", "cancelled"].includes(state.state));  // the connection has ended before
      if (state.state !== "done") throw new Failure(state.error);
      tell(`Done: ${count(state.segments)} segment${state.segments === 1 ? "" : "s"}.`, true);
      for (const text of state.warnings) byId("warnings").append(Object.assign(document.createElement("li"), { textContent: text }));
      byId("warnings").hidden = !state.warnings.length;
      byId("download").hidden = false;
      byId("remove").textContent = "Remove, and score another";
      byId("progress").hidden = true;
      byId("review").hidden = false;
      await list();
    } catch (error) {
      if (error.name === "AbortError") return;
      reset();
      say("");
      alarm(byId("file-problem"), `${file.name}: ${explain(error)}`);
    }
  };

  let listing = null;

  const list = async () => {
    listing?.abort();
    const mine = listing = new AbortController();
    const query = new URLSearchParams([...new FormData(byId("filter"))].filter(([, value]) => value));
    query.set("offset", offset);
    byId("list").setAttribute("aria-busy", "true");
    try {
      const answer = await call(`/review/${job.split("/").pop()}?${query}`, { signal: mine.signal });
      swap(await answer.text(), "overview", "list");
      byId("decisions").hidden = !byId("overview").querySelector(".approved");
      say(byId("found").textContent);
    } catch (error) {
      if (error.name === "AbortError") return;
      alarm(byId("list"), explain(error));
    }
    byId("list").removeAttribute("aria-busy");
  };

  const download = async () => {
    byId("download").disabled = true;
    try {
      const answer = await call(`${job}/content`);
      const named = answer.headers.get("Content-Disposition").match(/filename\*=utf-8''([^;]+)|filename="([^"]+)"/i);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = named[1] ? decodeURIComponent(named[1]) : named[2];
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } catch (error) {
      alarm(byId("file-problem"), explain(error));
    }
    byId("download").disabled = false;
  };

  const take = (files) => {
    choose(byId("tab-file"));
    if (files.length > 1) alarm(byId("file-problem"), `Found ${files.length} files; drop one at a time.`);
    else if (files.length && hasKey()) score(files[0]);
    byId("upload").value = "";
  };

  byId("upload").addEventListener("change", ({ target }) => take([...target.files]));
  byId("download").addEventListener("click", download);
  byId("remove").addEventListener("click", () => {
    reset();
    say("The file is removed.");
    byId("upload").focus();
  });
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("filter").addEventListener("change", () => {
    offset = 0;
    list();
  });
  byId("list").addEventListener("click", async ({ target }) => {
    if (target.dataset.offset === undefined) return;
    offset = Number(target.dataset.offset);
    await list();
    byId("found")?.focus({ preventScroll: true });
    byId("filter").scrollIntoView({ block: "start" });
  });
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    choose(byId("tab-file"));
    byId("drop").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) byId("drop").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    byId("drop").classList.remove("over");
    take([...event.dataTransfer.files]);
  });

  document.documentElement.classList.add("js");
  fit();
})();
