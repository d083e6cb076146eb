"""Every page by keyboard and by ear: names, order, landmarks, contrast, width, motion, both themes."""

import re
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Desks, Fleet
from tests.support.browser import new_context

AUDIT: Final = (Path(__file__).parent / "audit.js").read_text()
CONTRAST: Final = (Path(__file__).parent / "contrast.js").read_text()

FOCUS: Final = """
() => {
  const here = document.activeElement;
  if (!here || here === document.body) return null;
  const shown = here.matches(".chip input") ? here.nextElementSibling : here;
  const style = getComputedStyle(shown);
  return [here.outerHTML.slice(0, 80), style.outlineStyle, style.outlineWidth];
}
"""
"""The element that has the focus, and the outline that shows it."""

PAGES: Final = (
    "/",
    "/alerts",
    "/alerts?state=all&severity=high",
    "/alerts?q=nothing-fits",
    "/hosts",
    "/audit",
)
OTHERS: Final = ("/account", "/help", "/nowhere")


def addresses(page: Page) -> tuple[str, ...]:
    """All pages, with those of one alert and one host."""
    page.goto("/alerts?state=all&q=libproc.so")
    alert = page.locator("a.rule").first.get_attribute("href") or ""
    page.goto("/hosts?q=web-01")
    host = page.locator("tbody th a").first.get_attribute("href") or ""
    return (*PAGES, *OTHERS, alert, host)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_passes_the_checks_in_both_themes(scheme: Literal["light", "dark"], desks: Desks) -> None:
    with desks.open("/", scheme=scheme) as desk:
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
            where = page.evaluate(FOCUS)
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
