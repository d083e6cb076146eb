// What a checker of accessibility looks for first; returns one line a fault.
() => {
  const faults = [];
  const seen = (element) => element.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true });
  const nameOf = (element) => {
    const by = element.getAttribute("aria-labelledby");
    const named = by ? by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ") : "";
    const labels = element.labels ? [...element.labels].map((label) => label.textContent).join(" ") : "";
    return (named || element.getAttribute("aria-label") || labels || element.textContent || element.title || "").trim();
  };
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids.filter((id, place) => ids.indexOf(id) !== place)) faults.push(`id twice: ${id}`);
  for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of `${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("aria-describedby") ?? ""}`.trim().split(" "))
      if (!document.getElementById(id)) faults.push(`names nothing: ${id}`);
  for (const element of document.querySelectorAll("a[href], button, select, textarea, input:not([type=hidden]), summary"))
    if (seen(element) && !nameOf(element)) faults.push(`no name: ${element.outerHTML.slice(0, 90)}`);
  for (const image of document.querySelectorAll("svg"))
    if (image.getAttribute("aria-hidden") !== "true" && !image.getAttribute("aria-label")) faults.push("svg without a name");
  let level = 0;
  for (const heading of [...document.querySelectorAll("h1, h2, h3, h4")].filter(seen)) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push(`heading jumps to ${own}: ${heading.textContent.trim()}`);
    level = own;
  }
  if ([...document.querySelectorAll("h1")].filter(seen).length !== 1) faults.push("not exactly one h1");
  if (document.querySelectorAll("main").length !== 1) faults.push("not exactly one main");
  const regions = [...document.querySelectorAll("nav")].map(nameOf);
  for (const name of regions) if (!name || regions.filter((one) => one === name).length > 1) faults.push(`nav name: ${name}`);
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption?.textContent.trim()) faults.push("table without caption");
    for (const head of table.querySelectorAll("th")) if (!head.scope) faults.push(`th without scope: ${head.textContent}`);
  }
  for (const box of document.querySelectorAll("*")) {
    const style = getComputedStyle(box);
    const scrolls = /auto|scroll/.test(style.overflowX + style.overflowY);
    const over = box.scrollHeight > box.clientHeight + 1 || box.scrollWidth > box.clientWidth + 1;
    const reached = box.tabIndex >= 0 || box.querySelector("a, button, input, select, textarea");
    if (scrolls && over && !reached && seen(box) && box !== document.documentElement && box !== document.body)
      faults.push(`scrolls but cannot be reached: ${box.className}`);
  }
  if (document.documentElement.lang !== "en") faults.push("no language");
  if (!document.title.trim()) faults.push("no title");
  return faults;
}
