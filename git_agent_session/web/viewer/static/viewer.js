// Keys, the theme, and the next part of a long page. Without this every page works by its links.
"use strict";
(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // -- theme

  const isDark = () =>
    (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const switchTheme = () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // it lasts for this page then
    }
  };
  const button = $("#theme");
  button.hidden = false;
  button.addEventListener("click", switchTheme);

  // -- help

  const help = $("#help");
  const keys = $("#keys");
  keys.hidden = false;
  keys.addEventListener("click", () => help.showModal());

  // -- moving among rows

  const rows = (selector) => all(selector).filter((row) => row.offsetParent !== null);
  const target = (row) => (row.matches(".item") ? row : ($("a.title, summary, th a, .by a", row) ?? row));
  const focus = (row) => {
    const found = target(row);
    // only what can have it keeps it
    if (!found.matches("a, summary, [tabindex]")) found.tabIndex = -1;
    found.focus({ preventScroll: true });
  };
  const move = (selector, step) => {
    const found = rows(selector);
    if (!found.length) return;
    const here = found.findIndex((row) => row.contains(document.activeElement));
    // with nothing chosen, begin with what is on the screen
    const seen = found.findIndex((row) => row.getBoundingClientRect().top >= 60);
    const next = here < 0 ? (step > 0 ? Math.max(seen, 0) : Math.max(seen - 1, 0)) : here + step;
    const row = found[Math.min(Math.max(next, 0), found.length - 1)];
    focus(row);
    row.scrollIntoView({ block: "nearest" });
  };
  const fold = () => {
    const row = document.activeElement?.closest(".item, .file-diff");
    const details = row && (row.matches("details") ? row : $("details", row));
    if (details) details.open = !details.open;
  };
  const foldAll = () => {
    const found = all(".timeline details, .file-diff");
    const open = found.some((d) => !d.open);
    for (const d of found) d.open = open;
  };

  const steps = ".row, .item, .file-diff, .blame tr.first, .sums tbody tr:has(a)";
  let before = "";
  let pressed = 0;
  const pages = { s: 0, c: 1, f: 2, t: 3 };
  const go = (letter) => all(".top nav a")[pages[letter]]?.click();
  const actions = {
    "/": () => $("#q")?.focus(),
    j: () => move(steps, 1),
    k: () => move(steps, -1),
    n: () => move(".k-prompt", 1),
    p: () => move(".k-prompt", -1),
    o: fold,
    e: foldAll,
    t: switchTheme,
    "?": () => help.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    if (help.open) {
      if (event.key === "?") help.close();
      return;
    }
    const letter = event.key;
    const soon = event.timeStamp - pressed < 2000;
    pressed = event.timeStamp;
    if (before === "g" && soon && Object.hasOwn(pages, letter)) {
      event.preventDefault();
      before = "";
      go(letter);
      return;
    }
    before = letter;
    if (Object.hasOwn(actions, letter)) {
      event.preventDefault();
      actions[letter]();
    }
  });

  // -- filters apply as they are chosen

  const kept = "agent-session-filter";
  for (const select of all(".filters select")) {
    select.addEventListener("change", () => {
      try {
        sessionStorage.setItem(kept, select.name);
      } catch {
        // the page begins at its top then
      }
      select.form.requestSubmit();
    });
  }
  try {
    // who walks through filters goes on where the last one was set
    const name = sessionStorage.getItem(kept);
    sessionStorage.removeItem(kept);
    all(".filters select").find((select) => select.name === name)?.focus({ preventScroll: true });
  } catch {
    // as above
  }

  // -- the next part of a long page, in place

  // parsed by the browser as a document of its own, in which no script runs
  const load = (address) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("GET", address);
      request.responseType = "document";
      request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject(request.status));
      request.onerror = () => reject(0);
      request.send();
    });
  const lists = ["#timeline", ".graph", ".blame tbody"];
  document.addEventListener("click", async (event) => {
    const link = event.target.closest(".pager a.next");
    const list = lists.map((s) => $(s)).find(Boolean);
    if (!link || !list || location.protocol === "file:" || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.getAttribute("aria-busy")) return;
    link.setAttribute("aria-busy", "true");
    try {
      const page = await load(link.href);
      const more = lists.map((s) => $(s, page)).find(Boolean);
      const first = more.firstElementChild;
      list.append(...[...more.children].map((child) => document.adoptNode(child)));
      list.dataset.last = more.dataset.from ?? "";
      const next = $(".pager a.next", page);
      link.closest(".pager").replaceWith(...(next ? [document.adoptNode(next.closest(".pager"))] : []));
      if (first) focus(first);
    } catch {
      location.assign(link.href);
    }
  });

  // -- parts that take longer than a page may: they come once it is there

  const put = (old, fresh) => {
    const href = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(fresh);
    if (href) all("a", fresh).find((a) => a.getAttribute("href") === href)?.focus({ preventScroll: true });
  };
  const later = async (part, address) => {
    try {
      const page = await load(address);
      const fresh = document.adoptNode(page.getElementById(part.id));
      put(part, fresh);
      if (fresh.dataset.later) setTimeout(() => later(fresh, fresh.dataset.later), 700);
    } catch {
      // its link, or the page without it, is still there
    }
  };
  for (const part of all("[data-later]")) later(part, part.dataset.later);

  window.viewer = { load, put, later };
})();
