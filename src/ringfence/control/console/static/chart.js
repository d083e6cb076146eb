// Draws the table of alerts over time as stacked bars.  The table stays the source: what it says is what is drawn.
"use strict";
(() => {
  const WORST_FIRST = ["critical", "high", "medium", "low", "informational"];
  let drawn = null;

  // A colour of the style sheet as the canvas understands it, in the theme that is shown.
  function colour(name) {
    const probe = document.createElement("span");
    probe.className = `probe-${name}`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function read(table) {
    const rows = [...table.querySelectorAll("tbody tr")];
    const starts = rows.map((row) => Number(row.dataset.start) / 1000);
    const counts = WORST_FIRST.map((_, index) => rows.map((row) => Number(row.cells[index + 1].textContent)));
    const blocked = rows.map((row) => Number(row.cells[WORST_FIRST.length + 1].textContent));
    return { starts, counts, blocked, step: Number(table.dataset.step) / 1000 };
  }

  // The worst severity stands on the ground; the tallest sum is drawn first, so that each is seen.
  function stack(counts) {
    const sums = counts[0].map(() => 0);
    return counts.map((series) => series.map((count, index) => (sums[index] += count))).reverse();
  }

  function tip(place, data) {
    const box = document.createElement("div");
    box.className = "tip";
    box.hidden = true;
    return {
      hooks: {
        init: (plot) => plot.over.append(box),
        setCursor: (plot) => {
          const index = plot.cursor.idx;
          box.hidden = index == null || plot.cursor.left < 0;
          if (box.hidden) return;
          const clock = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
          const lines = [[`${clock(data.starts[index])} to ${clock(data.starts[index] + data.step)}`, ""]];
          WORST_FIRST.forEach((name, row) => {
            if (data.counts[row][index]) lines.push([name[0].toUpperCase() + name.slice(1), data.counts[row][index], name]);
          });
          lines.push(["Blocked", data.blocked[index]]);
          box.replaceChildren(...lines.map(([label, value, name]) => {
            const line = document.createElement("p");
            const left = document.createElement("span");
            left.textContent = label;
            if (name) left.className = `tone-${name}`;
            const right = document.createElement("strong");
            right.textContent = value;
            line.append(left, right);
            return line;
          }));
          const room = plot.over.clientWidth;
          const left = plot.cursor.left;
          box.style.left = `${left > room / 2 ? left - box.offsetWidth - 12 : left + 12}px`;
          box.style.top = "4px";
        },
      },
    };
  }

  function options(place, data) {
    const soft = colour("soft"), line = colour("line");
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: soft, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const bars = uPlot.paths.bars({ size: [0.72, 22], align: 1, radius: 0.12 });
    const top = Math.max(4, ...stack(data.counts)[0]);
    return {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      padding: [8, 6, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { range: () => [data.starts[0], data.starts.at(-1) + data.step] }, y: { range: () => [0, top * 1.08] } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 70, values: [[3600, "{HH}:{mm}"], [1, "{HH}:{mm}"]].map(([unit, text]) => [unit, text, null, null, null, null, null, null, 1]) },
        { ...axis, size: 34, space: 42, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
      ],
      series: [{}, ...[...WORST_FIRST].reverse().map((name) => ({ label: name, fill: colour(name), width: 0, paths: bars, points: { show: false } }))],
      plugins: [tip(place, data)],
    };
  }

  function draw() {
    const place = document.querySelector("[data-chart]");
    if (!place || typeof uPlot === "undefined") {
      if (place) place.hidden = true;
      return;
    }
    place.hidden = false;
    const table = document.getElementById(place.dataset.chart);
    if (drawn) drawn.destroy();
    const data = read(table);
    place.replaceChildren();
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", "Alerts over the last 24 hours; the table below has the same numbers");
    drawn = new uPlot(options(place, data), [data.starts, ...stack(data.counts)], place);
  }

  document.addEventListener("htmx:load", (event) => {
    if (event.detail.elt.querySelector("[data-chart]")) draw();
  });
  document.addEventListener("ringfence:theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 120);
  });
  if (document.querySelector("[data-chart]")) draw();
})();
