"""The whole way of a file with nothing invented: the kernel's question, the refusal, the row, a person's triage."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Desk
from tests.support.browser import new_context
from tests.support.machine import kernel_requires
from tests.support.protected_machine import protected_machine
from tests.support.real_server import RealServer

BEFORE = b"Dear customer,\n"
BAD = BEFORE + b"RINGFENCE-TEST-STRING-" + b"5f1c6c0e4b7d\n"
RULE = "Ringfence_Test_String"
NOTE = "Our own test file; nothing to worry about."


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount", "chromium")


def log_in_through_the_form(page: Page, server: RealServer) -> None:
    page.goto("/alerts")
    page.get_by_label("User name").fill(server.user)
    page.get_by_label("Password").fill(server.password)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    page.locator("[data-live][data-state=open]").wait_for()


def read_by_a_shell(path: Path) -> "subprocess.CompletedProcess[str]":
    """A child of a shell of ours reads the file: three processes that the alert must name."""
    words = ["sh", "-c", 'cat "$1"; exit $?', "reader", str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def card(page: Page, title: str) -> str:
    """What a card of the page says."""
    return page.get_by_role("region", name=title, exact=True).inner_text()


def test_a_refused_read_arrives_live_is_understood_and_triaged(tmp_path: Path, browser: Browser) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    bad = tree / "invoice.txt"
    bad.write_bytes(BAD)
    with protected_machine(tree, tmp_path / "state") as machine, new_context(browser, machine.console) as context:
        desk = Desk(context.new_page())
        desk.watch()
        page = desk.page
        log_in_through_the_form(page, machine.console)
        row = page.locator("tr[data-alert]", has_text="invoice.txt")
        expect(row).to_have_count(0)
        loads: list[str] = []
        page.on("load", lambda loaded: loads.append(loaded.url))
        reader = read_by_a_shell(bad)
        assert "Operation not permitted" in reader.stderr
        assert reader.stdout == ""
        expect(row).to_be_visible()
        expect(row).to_contain_text(RULE)
        assert loads == [], "it came by itself"
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/alerts/\d+$"))
        alert_id = page.url.rpartition("/")[2]
        the_page_tells_everything(page, bad)
        triage_by_keys(page)
        the_audit_log_shows_it(page, alert_id)
        assert desk.complaints == []


def the_page_tells_everything(page: Page, bad: Path) -> None:
    assert "Blocked" in page.get_by_role("main").inner_text()
    assert os.uname().nodename in page.get_by_role("main").inner_text()
    file = card(page, "File")
    assert str(bad) in file
    assert hashlib.sha256(BAD).hexdigest() in file
    matched = card(page, "What matched")
    assert "$test" in matched
    assert f"at {len(BEFORE)} (0x{len(BEFORE):x}), {len(BAD) - len(BEFORE) - 1} bytes" in matched
    assert "RINGFENCE-TEST-S" in matched, "the first line of the dump"
    assert RULE in card(page, "Rule")
    asked = card(page, "Who asked")
    assert f"cat {bad}" in asked
    assert "sh -c" in asked, "the parent"
    assert f"pid {os.getpid()} " in asked, "and its parent"
    released = card(page, "Content that spoke")
    assert "starter" in released
    assert re.search(r"\bv\d+\b", released)


def triage_by_keys(page: Page) -> None:
    said = page.get_by_role("status").first
    page.keyboard.press("m")
    expect(said).to_contain_text("assigned to you")
    page.keyboard.press("n")
    page.keyboard.type(NOTE)
    page.get_by_role("button", name="Only note").press("Enter")
    expect(page.locator(".timeline")).to_contain_text(NOTE)
    page.keyboard.press("f")
    expect(page.get_by_role("region", name="Triage")).to_contain_text("False positive")
    expect(page.locator(".timeline")).to_contain_text("marked it as a false positive")


def the_audit_log_shows_it(page: Page, alert_id: str) -> None:
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit log")
    for action in ("assigned", "noted", "false_positive"):
        entry = page.locator("tr", has_text=f"alert:{alert_id}").filter(has_text=f"user:alert:{action}")
        expect(entry).to_have_count(1)
        expect(entry).to_contain_text("admin")
