"""Every page by keyboard and by ear: names, order, landmarks, contrast, width, motion, both themes."""

import re
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desks, Fleet
from tests.support.browser import new_context

AUDIT: Final = r"""
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
"""
"""What a checker of accessibility looks for first; returns one line a fault."""

CONTRAST: Final = r"""
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => {
    const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, [r, g, b, a]) => [r * a + below[0] * (1 - a), g * a + below[1] * (1 - a), b * a + below[2] * (1 - a)], [255, 255, 255]);
  };
  const faults = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
    if (element.closest(".visually-hidden, script, option, title, :disabled")) continue;
    const style = getComputedStyle(element);
    const pair = [light(parse(style.color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) faults.add(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${element.textContent.trim().slice(0, 30)}`);
  }
  return [...faults];
}
"""
"""Every visible text against what is behind it; returns those under WCAG's 4.5 to 1."""

PAGES: Final = ("/", "/alerts", "/alerts?state=all&span=24h&severity=critical", "/alerts?q=nothing-fits", "/hosts", "/audit")
OTHERS: Final = ("/account", "/help", "/nowhere")


def addresses(page: Page) -> tuple[str, ...]:
    """All pages, with those of one alert and one host."""
    page.goto("/alerts?state=all&q=libproc.so")
    alert = page.locator("a.rule").first.get_attribute("href") or ""
    page.goto("/hosts?q=web-01")
    host = page.locator("tbody th a").first.get_attribute("href") or ""
    return (*PAGES, *OTHERS, alert, host)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_passes_the_checks_in_both_themes(scheme: str, desks: Desks) -> None:
    chosen = "dark" if scheme == "dark" else "light"
    with desks.open("/", scheme=chosen) as desk:
        faults = {}
        for address in addresses(desk.page):
            desk.page.goto(address)
            desk.complaints.clear()  # the browser mentions the status 404 of the page that does not exist
            found = [*desk.page.evaluate(AUDIT), *desk.page.evaluate(CONTRAST)]
            if found:
                faults[address] = found
        assert faults == {}


def test_the_log_in_passes_the_checks_too(fleet: Fleet, desks: Desks) -> None:
    with new_context(desks.browser, fleet.server) as context:
        page = context.new_page()
        page.goto("/login")
        assert [*page.evaluate(AUDIT), *page.evaluate(CONTRAST)] == []
        expect(page.get_by_label("User name")).to_be_focused()


def test_no_page_is_wider_than_a_small_telephone(desks: Desks) -> None:
    with desks.open("/", size=(360, 740)) as desk:
        for address in addresses(desk.page):
            desk.page.goto(address)
            assert desk.page.evaluate("document.documentElement.scrollWidth") <= 360, address
        desk.complaints.clear()  # the status 404 of the page that does not exist


def test_the_first_tab_stop_skips_to_the_content(desks: Desks) -> None:
    with desks.open("/alerts") as desk:
        desk.page.keyboard.press("Tab")
        skip = desk.page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator("main")).to_be_focused()


def test_every_stop_of_the_tab_key_shows_where_it_is(desks: Desks) -> None:
    with desks.open("/alerts?state=all&q=libproc.so") as desk:
        page = desk.page
        stops = 0
        for _ in range(60):
            page.keyboard.press("Tab")
            where = page.evaluate(
                "() => { const e = document.activeElement; if (!e || e === document.body) return null;"
                " const shown = e.matches('.chip input') ? e.nextElementSibling : e;"
                " const s = getComputedStyle(shown); return [e.outerHTML.slice(0, 80), s.outlineStyle, s.outlineWidth]; }"
            )
            if where is None:
                break
            stops += 1
            assert where[1] == "solid", where
            assert where[2] == "2px", where
        assert stops >= 15


def test_the_theme_is_switched_and_kept(desks: Desks) -> None:
    with desks.open("/") as desk:
        page = desk.page
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        before = page.evaluate(ground)
        switch = page.get_by_role("button", name=re.compile("^Theme:"))
        switch.click()
        expect(switch).to_have_accessible_name("Theme: light. Switch to dark")
        switch.click()
        assert page.evaluate(ground) != before
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate(ground) != before


def test_the_theme_is_switched_without_javascript_too(desks: Desks) -> None:
    with desks.open("/hosts", scripts=False) as desk:
        desk.page.get_by_role("button", name=re.compile("^Theme: auto")).click()
        expect(desk.page).to_have_url(re.compile("/hosts$"))
        expect(desk.page.locator("html")).to_have_attribute("data-theme", "light")


def test_nothing_is_loaded_from_anywhere_else(fleet: Fleet, desks: Desks) -> None:
    with desks.open("/") as desk:
        asked: list[str] = []
        desk.page.on("request", lambda request: asked.append(request.url))
        for address in addresses(desk.page):
            desk.page.goto(address)
        desk.complaints.clear()  # the status 404 of the page that does not exist
        assert asked
        assert {url for url in asked if not url.startswith(fleet.server.address)} == set()
