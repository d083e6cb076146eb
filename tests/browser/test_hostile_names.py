"""File names, command lines and host names come from attackers: they must not run, hide, reorder or break a page."""

import time

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Desks, Fleet
from tests.support.example_fleet import Chain, alert, facts, status

from ringfence.model.records import (
    HostEvent,
    HostEventKind,
    ProcessReference,
    RuleAction,
    RuleReference,
    Severity,
    SkippedFile,
)

MARKUP = "<img src=x onerror=alert(1)><script>window.broken=1</script>\"'><svg onload=alert(2)>"
REORDERED = "invoice\u202egpj.exe"
CONTROLS = "line\nbreak\ttab\x1b[31mred\x00nul\u200bzero\u2028separator\ufeff"
STACKED = "Z" + "\u0301" * 200 + "algo"
LONG = "/" + "a" * 255 + "/" + "/".join("d" * 250 for _ in range(14)) + "/" + "n" * 300
TEMPLATE = "{{ 7*7 }}{% include 'x' %}${7*7}"
HOSTILE = (MARKUP, REORDERED, CONTROLS, STACKED, TEMPLATE, "\u0627\u0644\u0639\u0631\u0628\u064a\u0629.txt")


WIDER = """
() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth)
  .map((one) => `${one.className}: ${one.outerHTML.slice(0, 80)}`)
"""
"""What is beyond the right edge, when the page is wider than the window."""


def now_unix_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def besieged(fleet: Fleet) -> str:
    """A host whose every word is hostile; returns its identifier."""
    host = fleet.server.enrol(facts(f"evil {MARKUP} {REORDERED}"), epoch="4d5e6f708192a3b4")
    now = now_unix_ms()
    rule = RuleReference(
        identifier="Hostile_Rule",
        pack="pack",
        author=MARKUP,
        description=MARKUP,
        severity=Severity.HIGH,
        action=RuleAction.BLOCK,
        technique=MARKUP[:60],
        reference="javascript:alert(3)",
        licence=MARKUP,
    )
    for text in HOSTILE:
        process = ProcessReference(1, 1, 0, text[:60], f"/bin/{text}", f"{text} --{text}")
        host.post(
            [
                alert(now, f"/srv/{text}/{text}", rule, chain=Chain(process, (process, process)), member=text[:60]),
                SkippedFile(now, f"/srv/{text}", 1, "queue_full", will_rescan=False),
                HostEvent(now, HostEventKind.PROCESS_DIED, text[:200], text),
            ]
        )
    host.post([alert(now, LONG, rule), SkippedFile(now, LONG, 1, "queue_full", will_rescan=False), status(now)])
    return host.host_id


def assert_unharmed(page: Page) -> None:
    """Nothing ran, nothing was built of a name, nothing is wider than the window, nothing unseen is in the text."""
    assert page.evaluate("window.broken") is None
    assert page.locator("img, svg[onload], script:not([src]), [onerror]").count() == 0
    assert page.evaluate(WIDER) == []
    unseen = page.evaluate(
        r"document.documentElement.outerHTML.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e"
        r"\u2066-\u2069\ufeff]/g)"
    )
    assert unseen is None


@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_is_harmed_by_hostile_names(width: int, besieged: str, desks: Desks) -> None:
    with desks.open(f"/alerts?state=all&host={besieged}", size=(width, 800)) as desk:
        page = desk.page
        assert_unharmed(page)
        alerts = [link.get_attribute("href") or "" for link in page.locator("a.rule").all()]
        assert len(alerts) == len(HOSTILE) + 1
        for address in ("/", f"/hosts/{besieged}", "/hosts", "/audit", *alerts):
            page.goto(address)
            assert_unharmed(page)


def test_hidden_and_reordering_characters_are_shown_by_name(besieged: str, desks: Desks) -> None:
    with desks.open("/alerts?state=all&q=gpj.exe") as desk:
        page = desk.page
        row = page.locator("tr", has=page.locator(".path", has_text="invoice"))
        shown = row.locator(".path .escape").first
        expect(shown).to_have_text("\\u202e")
        expect(shown).to_have_attribute("title", "U+202E RIGHT-TO-LEFT OVERRIDE")
        row.locator("a.rule").click()
        expect(page.get_by_role("group", name="Path", exact=True)).to_contain_text("invoice\\u202egpj.exe")


def test_rows_stay_as_high_as_their_neighbours(besieged: str, desks: Desks) -> None:
    with desks.open(f"/alerts?state=all&host={besieged}") as desk:
        heights = {round(row.bounding_box()["height"]) for row in desk.page.locator("tbody tr").all()}  # type: ignore[index]  # rows are visible
        assert max(heights) - min(heights) <= 2


def test_a_script_address_never_becomes_a_link(besieged: str, desks: Desks) -> None:
    with desks.open(f"/alerts?state=all&host={besieged}") as desk:
        desk.page.locator("a.rule").first.click()
        expect(desk.page.get_by_text("javascript:alert(3)")).to_be_visible()
        assert desk.page.locator("a[href^='javascript']").count() == 0


def test_hostile_text_in_the_address_is_only_text(desks: Desks) -> None:
    with desks.open("/alerts?state=all&q=%3Cscript%3Ewindow.broken%3D1%3C%2Fscript%3E%22%27") as desk:
        assert_unharmed(desk.page)
        assert desk.page.locator("#filter-q").input_value().startswith("<script>")
