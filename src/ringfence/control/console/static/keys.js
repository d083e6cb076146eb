// Keys: the list of them is in the help dialog and on /help.  None works while text is being typed.
"use strict";
(() => {
  const help = document.getElementById("help");
  let prefix = "";
  let prefixTimer = 0;

  function typing(target) {
    return target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;
  }

  function rows() {
    return [...document.querySelectorAll("[data-keys] tr[data-alert]")];
  }

  function activeRow() {
    return document.querySelector("[data-keys] tr.active");
  }

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(activeRow());
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    for (const row of all) row.classList.toggle("active", row === next);
    next.querySelector("a.rule").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function picks() {
    return [...document.querySelectorAll("[data-keys] [name=alert]")];
  }

  function showSelection() {
    const boxes = picks();
    const count = boxes.filter((box) => box.checked).length;
    const label = document.querySelector("[data-selection-count]");
    if (label) label.textContent = `${count} selected`;
    const every = document.querySelector("[data-pick-all]");
    if (every) {
      every.checked = count > 0 && count === boxes.length;
      every.indeterminate = count > 0 && count < boxes.length;
    }
  }

  function pick(boxes, checked) {
    for (const box of boxes) box.checked = checked;
    showSelection();
  }

  // The button of a key is pressed as if by hand; with nothing selected it means the alert where the keys stand.
  function press(key) {
    const button = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    if (!button) return false;
    if (button.matches("textarea")) {
      button.focus();
      return true;
    }
    const box = activeRow()?.querySelector("[name=alert]");
    if (button.closest("#triage-many")) {
      if (!picks().some((one) => one.checked)) {
        if (!box) return false;
        box.checked = true;
      }
    }
    button.click();
    return true;
  }

  function go(key) {
    const link = [...document.querySelectorAll("a[data-key]")].find((one) => one.dataset.key === `g ${key}`);
    if (link) link.click();
    return Boolean(link);
  }

  function openHelp() {
    if (help && !help.open) help.showModal();
  }

  const single = {
    j: () => move(1),
    k: () => move(-1),
    x: () => {
      const box = activeRow()?.querySelector("[name=alert]");
      if (box) pick([box], !box.checked);
    },
    X: () => pick(picks(), !picks().every((box) => box.checked)),
    Escape: () => pick(picks(), false),
    "?": openHelp,
    "/": () => (document.getElementById("filter-q") ?? document.getElementById("search-all"))?.focus(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help?.open) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (prefix === "g") {
      prefix = "";
      clearTimeout(prefixTimer);
      if (go(event.key)) event.preventDefault();
      return;
    }
    if (event.key === "g") {
      prefix = "g";
      prefixTimer = setTimeout(() => (prefix = ""), 1200);
      return;
    }
    const action = single[event.key];
    if (action) {
      action();
      event.preventDefault();
    } else if ("mrfen".includes(event.key) && event.key.length === 1 && press(event.key)) {
      event.preventDefault();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-help]")) {
      event.preventDefault();
      openHelp();
    }
    if (event.target === help) help.close();
    const every = event.target.closest("[data-pick-all]");
    if (every) pick(picks(), every.checked);
    const box = event.target.closest("[data-keys] [name=alert]");
    if (box) {
      const chosen = box.closest("tr");
      for (const row of rows()) row.classList.toggle("active", row === chosen);
      showSelection();
    }
  });
  document.addEventListener("ringfence:selection", showSelection);
})();
