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
    let before = null;
    for (const row of [...fresh.children]) {
      const old = document.getElementById(row.id);
      if (old) swapRow(old, document.adoptNode(row));
      else if (before) before.after(document.adoptNode(row));
      else list.append(document.adoptNode(row));
      before = document.getElementById(row.id);
    }
    const more = page.querySelector("#more");
    if (more && !document.querySelector("#more")) list.after(document.adoptNode(more.closest(".pager")));
    if (low) scrollTo({ top: document.body.scrollHeight });
    return false;
  };

  const swap = (page) => {
    for (const old of document.querySelectorAll("[data-swap]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || old.isEqualNode(fresh)) continue;
      // what takes longer is asked for by itself
      if (fresh.dataset.later) window.viewer.later(old, fresh.dataset.later);
      else window.viewer.put(old, document.adoptNode(fresh));
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
    here.searchParams.delete("event");
    here.searchParams.delete("before");
    here.searchParams.set("from", list.dataset.last ?? list.dataset.from);
    return here.href;
  };

  let busy = false;
  let again = false;
  let missed = 0;
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
      // it was made while the index was being written
      missed = page.querySelector("[data-stale]") ? missed + 1 : 0;
      if (missed && missed < 6) setTimeout(update, 1000);
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
