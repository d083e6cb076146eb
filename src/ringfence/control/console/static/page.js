// What every page does with JavaScript: shows what needs it, keeps times fresh, copies, switches the theme.
"use strict";
(() => {
  const MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const THEMES = ["auto", "light", "dark"];
  // The server's clock counts: a browser whose clock is off still shows right distances.
  const skew = Number(document.documentElement.dataset.now) - Date.now() || 0;

  function span(ms) {
    if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`;
    if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
    if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
    return `${Math.floor(ms / DAY)} d`;
  }

  function relative(at, now) {
    const distance = now - at;
    if (Math.abs(distance) < 45000) return "just now";
    if (Math.abs(distance) >= 30 * DAY) return new Date(at).toISOString().slice(0, 10);
    return distance > 0 ? `${span(distance)} ago` : `in ${span(-distance)}`;
  }

  function freshenTimes(root) {
    const now = Date.now() + skew;
    for (const time of root.querySelectorAll("time[data-at]")) {
      const text = relative(Number(time.dataset.at), now);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function prepare(root) {
    for (const part of root.querySelectorAll("[data-needs-script]")) part.hidden = false;
    freshenTimes(root);
  }

  function announce(text) {
    const place = document.getElementById("announcements");
    if (place) place.textContent = text;
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      announce("Copied");
      button.classList.add("tone-good");
      setTimeout(() => button.classList.remove("tone-good"), 1200);
    } catch {
      announce("The browser did not allow copying");
    }
  }

  function switchTheme(button) {
    const theme = button.value;
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    document.cookie = `__Host-ringfence-theme=${theme}; Path=/; Max-Age=31536000; Secure; SameSite=Strict`;
    document.documentElement.dataset.theme = theme;
    button.value = next;
    button.querySelector(".label").textContent = `Theme: ${theme}`;
    button.setAttribute("aria-label", `Theme: ${theme}. Switch to ${next}`);
    document.dispatchEvent(new CustomEvent("ringfence:theme"));
    announce(`Theme: ${theme}`);
  }

  document.documentElement.classList.add("has-script");
  document.addEventListener("click", (event) => {
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier);
    const theme = event.target.closest("[data-theme-switch]");
    if (theme) {
      event.preventDefault();
      switchTheme(theme);
    }
  });
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  setInterval(() => freshenTimes(document), 20000);
  prepare(document);
  window.ringfence = { announce };
})();
