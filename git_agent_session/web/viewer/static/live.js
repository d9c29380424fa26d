// Tells the page that something is new, and takes it in: rows that changed or were added, and the parts that say so.
"use strict";
(() => {
  const pulse = document.querySelector("#pulse");
  if (!pulse) return;
  const source = new EventSource(pulse.dataset.live);
  source.addEventListener("open", () => (pulse.hidden = false));
  source.addEventListener("error", () => (pulse.hidden = true));

  const state = (row) => [...row.querySelectorAll("details")].map((d) => d.open);
  const swapRow = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    const open = state(old);
    const focused = old.contains(document.activeElement);
    old.replaceWith(fresh);
    fresh.querySelectorAll("details").forEach((d, n) => n < open.length && (d.open = open[n]));
    if (focused) fresh.focus({ preventScroll: true });
  };

  const takeRows = (page) => {
    const list = document.querySelector("#timeline");
    const fresh = page.querySelector("#timeline");
    if (!list || !fresh) return Boolean(fresh) !== Boolean(list);
    const low = innerHeight + scrollY >= document.body.scrollHeight - 120;
    // rows have no id across pages but their number
    for (const row of [...fresh.children]) {
      const old = row.id && document.getElementById(row.id);
      if (old) swapRow(old, document.adoptNode(row));
      else if (!document.querySelector("#more")) list.append(document.adoptNode(row));
    }
    if (low) scrollTo({ top: document.body.scrollHeight });
    return false;
  };

  const swap = (page) => {
    for (const old of document.querySelectorAll("[data-swap]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || old.isEqualNode(fresh)) continue;
      const href = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      old.replaceChildren(...[...fresh.childNodes].map((child) => document.adoptNode(child)));
      if (href) [...old.querySelectorAll("a")].find((a) => a.getAttribute("href") === href)?.focus({ preventScroll: true });
    }
    const total = page.getElementById("total");
    if (total) document.getElementById("total").replaceWith(document.adoptNode(total));
  };

  const address = () => {
    const list = document.querySelector("#timeline");
    const here = new URL(location.href);
    here.hash = "";
    if (!list) return here.href;
    // the last part that is shown: earlier rows do not change
    const step = 120;
    const shown = list.querySelectorAll(".item").length;
    const start = Number(list.dataset.start) + Math.max(0, Math.ceil(shown / step) - 1) * step;
    here.searchParams.delete("event");
    here.searchParams.set("from", String(start));
    return here.href;
  };

  let busy = false;
  let again = false;
  const update = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const page = await window.viewer.load(address());
      if (takeRows(page)) location.reload();
      swap(page);
    } catch {
      // the next word will do
    }
    busy = false;
    if (again) {
      again = false;
      update();
    }
  };
  source.addEventListener("new", () => (document.hidden ? (again = true) : update()));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && again) {
      again = false;
      update();
    }
  });
  addEventListener("pagehide", () => source.close());
})();
