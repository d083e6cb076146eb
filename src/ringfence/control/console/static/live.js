// Keeps an open page current.  The server's stream says only that something changed; the parts of the page that show it
// ask for themselves again.  The stream is open while the page is seen, so hidden tabs hold no connection.
"use strict";
(() => {
  const REFRESH_MS = 700, RETRY_MS = 5000;
  // Silence makes no event: what only time changes is asked for this often.
  const ANYWAY_MS = 60000;
  const KINDS = ["alert", "triaged", "host"];
  const sign = document.querySelector("[data-live]");
  if (!sign || typeof htmx === "undefined" || typeof EventSource === "undefined") {
    if (sign) sign.hidden = true;
    return;
  }
  const due = new Map();
  let source = null;
  let missed = false;
  let timer = 0;

  function show(state, text) {
    sign.dataset.state = state;
    sign.querySelector("[data-live-text]").textContent = text;
  }

  // Whoever is typing a note or has opened a menu in a part keeps it as it is until the next event.
  function busy(part) {
    const note = part.querySelector("textarea");
    const inside = document.activeElement;
    const typing = part.contains(inside) && inside.matches("textarea, select, input:not([type=checkbox])");
    return typing || Boolean(note && note.value);
  }

  function refresh() {
    timer = 0;
    for (const [kind, which] of due) {
      for (const part of document.querySelectorAll("[data-refresh]")) {
        const wants = part.dataset.refresh.split(" ").includes(kind);
        const meant = !part.dataset.only || which.has(part.dataset.only) || which.has("*");
        if (wants && meant && !busy(part)) htmx.trigger(part, "ringfence:refresh");
      }
    }
    due.clear();
  }

  function note(kind, which) {
    if (!due.has(kind)) due.set(kind, new Set());
    due.get(kind).add(which);
    if (!timer) timer = setTimeout(refresh, REFRESH_MS);
  }

  // A stream that was closed here cannot say what it has missed; one that broke resumes by number.
  function open() {
    if (source) return;
    source = new EventSource("/events/alerts");
    source.onopen = () => {
      show("open", "Live");
      if (missed) for (const kind of KINDS) note(kind, "*");
      missed = false;
    };
    source.addEventListener("alert", () => note("alert", "*"));
    source.addEventListener("triaged", (event) => note("triaged", String(JSON.parse(event.data).alert_id)));
    source.addEventListener("host", () => note("host", "*"));
    source.addEventListener("reload", () => location.reload());
    source.onerror = () => {
      show("broken", "Reconnecting");
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => document.hidden || open(), RETRY_MS);
      }
    };
  }

  function close() {
    if (source) source.close();
    source = null;
    missed = true;
  }

  // What was selected and where the keys stood outlive a refresh; what is new is marked and said.
  let before = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    const rows = [...part.querySelectorAll("tr[data-alert]")];
    before = {
      numbers: new Set(rows.map((row) => row.dataset.alert)),
      most: Math.max(0, ...rows.map((row) => Number(row.dataset.alert))),
      picked: new Set([...part.querySelectorAll("[name=alert]:checked")].map((box) => box.closest("tr").dataset.alert)),
      active: part.querySelector("tr.active")?.dataset.alert,
      opened: [...part.querySelectorAll("details[open]")].length > 0,
      own: event.detail.requestConfig?.triggeringEvent?.type === "ringfence:refresh",
    };
  });
  // Not after the swap: htmx gives rows that stayed their old attributes back until it has settled.
  document.addEventListener("htmx:afterSettle", () => {
    if (!before) return;
    const fresh = [];
    for (const row of document.querySelectorAll("tr[data-alert]")) {
      const number = row.dataset.alert;
      const box = row.querySelector("[name=alert]");
      if (box && before.picked.has(number)) box.checked = true;
      if (before.active === number) row.classList.add("active");
      if (before.own && Number(number) > before.most && !before.numbers.has(number)) {
        row.classList.add("fresh");
        fresh.push(row.dataset.say);
      }
    }
    if (before.own && before.opened) for (const details of document.querySelectorAll(".chart-data")) details.open = true;
    if (fresh.length) ringfence.announce(fresh.length === 1 ? `New alert. ${fresh[0]}` : `${fresh.length} new alerts. ${fresh[0]}`);
    before = null;
    document.dispatchEvent(new CustomEvent("ringfence:selection"));
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      show("off", "Paused");
    } else {
      open();
    }
  });
  setInterval(() => document.hidden || KINDS.forEach((kind) => note(kind, "*")), ANYWAY_MS);
  addEventListener("pagehide", close);
  if (!document.hidden) open();
})();
