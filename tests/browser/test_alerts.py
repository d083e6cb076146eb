"""A person at the list of alerts and at one alert: arrival, triage, filters, keys."""

import re
import time

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Desks, Fleet
from tests.support.browser import new_context
from tests.support.example_fleet import EICAR, MINER, PACKED, WEB_SHELL, alert

from ringfence.model.records import AlertResponse


def now_unix_ms() -> int:
    return time.time_ns() // 1_000_000


def raise_alert(fleet: Fleet, path: str) -> None:
    fleet.web.post([alert(now_unix_ms(), path, WEB_SHELL)])


def wait_until_live(page: Page) -> None:
    page.locator("[data-live][data-state=open]").wait_for()


def test_an_alert_arrives_by_itself_and_is_announced(fleet: Fleet, desks: Desks) -> None:
    with desks.open("/alerts") as desk:
        wait_until_live(desk.page)
        row = desk.page.locator("tr", has_text="arrives-live.php")
        expect(row).to_have_count(0)
        raise_alert(fleet, "/srv/www/arrives-live.php")
        expect(row).to_be_visible()
        expect(row).to_contain_text(WEB_SHELL.identifier)
        expect(desk.page.locator("#announcements")).to_contain_text("New alert. Critical: WebShell_PHP_Eval_Request")


def test_an_alert_arrives_on_the_overview_too_and_the_numbers_follow(fleet: Fleet, desks: Desks) -> None:
    with desks.open("/") as desk:
        wait_until_live(desk.page)
        before = desk.page.locator(".tile .figure").first.inner_text()
        raise_alert(fleet, "/srv/www/on-the-overview.php")
        expect(desk.page.locator("tr", has_text="on-the-overview.php")).to_be_visible()
        expect(desk.page.locator(".tile .figure").first).not_to_have_text(before)
        expect(desk.page.locator(".chart canvas")).to_have_count(1)


def test_arrival_keeps_the_selection_and_the_place_of_the_keys(fleet: Fleet, desks: Desks) -> None:
    with desks.open("/alerts") as desk:
        wait_until_live(desk.page)
        desk.page.keyboard.press("j")
        desk.page.keyboard.press("j")
        desk.page.keyboard.press("x")
        chosen = desk.page.locator("tr.active").get_attribute("data-alert")
        raise_alert(fleet, "/srv/www/while-selecting.php")
        expect(desk.page.locator("tr", has_text="while-selecting.php")).to_be_visible()
        expect(desk.page.locator("tr.active")).to_have_attribute("data-alert", str(chosen))
        expect(desk.page.locator(f"#alert-{chosen} [name=alert]")).to_be_checked()
        expect(desk.page.locator("[data-selection-count]")).to_have_text("1 selected")


def test_one_alert_is_triaged_with_a_note_and_the_history_says_so(fleet: Fleet, desks: Desks) -> None:
    raise_alert(fleet, "/srv/www/to-triage.php")
    with desks.open("/alerts?q=to-triage.php") as desk:
        page = desk.page
        page.get_by_role("link", name=WEB_SHELL.identifier).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(WEB_SHELL.description)
        page.get_by_role("button", name="To me").click()
        expect(page.get_by_role("status").first).to_contain_text("assigned to you")
        page.get_by_label("Note").fill("Uploaded through the form.\nThe form is closed <now>.")
        page.get_by_role("button", name="Resolve").click()
        expect(page.get_by_role("status").first).to_contain_text("resolved")
        history = page.locator(".timeline")
        expect(history).to_contain_text("admin resolved it")
        expect(history).to_contain_text("The form is closed <now>.")
        expect(history).to_contain_text("assigned it to admin")
        page.get_by_role("button", name="Reopen").click()
        expect(page.get_by_role("button", name="Resolve")).to_be_visible()
        page.keyboard.press("f")
        expect(page.locator("#triage")).to_contain_text("False positive")


def test_many_alerts_are_triaged_with_the_keyboard_alone(fleet: Fleet, desks: Desks) -> None:
    for number in range(3):
        raise_alert(fleet, f"/srv/www/bulk-{number}.php")
    with desks.open("/alerts?q=/srv/www/bulk-") as desk:
        page = desk.page
        expect(page.locator("tbody tr")).to_have_count(3)
        page.keyboard.press("j")
        page.keyboard.press("x")
        page.keyboard.press("j")
        page.keyboard.press("x")
        expect(page.locator("[data-selection-count]")).to_have_text("2 selected")
        page.keyboard.press("r")
        expect(page.get_by_role("status").first).to_contain_text("2 alerts resolved")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/alerts/\d+$"))


def test_a_change_by_somebody_else_is_not_overwritten(fleet: Fleet, desks: Desks) -> None:
    raise_alert(fleet, "/srv/www/contested.php")
    with desks.open("/alerts?q=contested.php", scripts=False) as slow, desks.open("/alerts?q=contested.php") as quick:
        quick.page.keyboard.press("j")
        quick.page.keyboard.press("r")
        expect(quick.page.get_by_role("status").first).to_contain_text("Alert resolved")
        slow.page.get_by_role("checkbox").last.check()
        slow.page.get_by_role("button", name="False positive").click()
        expect(slow.page.get_by_role("heading", level=1)).to_have_text("Changed meanwhile")
        slow.complaints.clear()  # the browser mentions the status 409


def test_filters_narrow_the_list_as_they_are_chosen_and_the_address_follows(fleet: Fleet, desks: Desks) -> None:
    fleet.web.post(
        [
            alert(now_unix_ms(), "/srv/www/filter/worker", MINER),
            alert(now_unix_ms(), "/srv/www/filter/tool", PACKED, response=AlertResponse.OBSERVED),
        ]
    )
    with desks.open("/alerts") as desk:
        page = desk.page
        page.get_by_label("Search paths, hashes, rules, processes and hosts").fill("www/filter")
        expect(page.locator("#alert-list tbody tr")).to_have_count(2)
        page.get_by_role("checkbox", name="High", exact=True).check()
        expect(page.locator("#alert-list tbody tr")).to_have_count(1)
        expect(page.locator("#alert-list tbody tr")).to_contain_text(MINER.identifier)
        expect(page).to_have_url(re.compile(r"q=www%2Ffilter.*severity=high"))
        page.reload()
        expect(page.get_by_role("checkbox", name="High", exact=True)).to_be_checked()
        expect(page.locator("#alert-list tbody tr")).to_have_count(1)
        page.get_by_role("link", name="Clear").click()
        expect(page.get_by_role("checkbox", name="High", exact=True)).not_to_be_checked()


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("response=observed", "update.sh"),
        ("rule=EICAR_Test_File", "invoice.zip"),
        ("source=close_write", "www-data"),
        ("release=starter@12&span=24h", "libproc.so"),
        ("q=files-03+cron", "update.sh"),
        ("q=deploy+upx", "helper-7"),
    ],
)
def test_every_filter_finds_what_it_names(query: str, seen: str, desks: Desks) -> None:
    with desks.open(f"/alerts?state=all&{query}") as desk:
        expect(desk.page.locator("#alert-list")).to_contain_text(seen)


def test_a_page_of_the_list_leads_to_older_alerts_and_back(fleet: Fleet, desks: Desks) -> None:
    fleet.web.post([alert(now_unix_ms(), f"/srv/www/many/{number:03}", EICAR) for number in range(60)])
    with desks.open("/alerts?q=/srv/www/many/") as desk:
        page = desk.page
        expect(page.locator("#alert-list tbody tr")).to_have_count(50)
        expect(page.locator(".pages")).to_contain_text("60 alerts")
        page.get_by_role("link", name="Older").click()
        expect(page.locator("#alert-list tbody tr")).to_have_count(10)
        page.get_by_role("link", name="Newest").click()
        expect(page.locator("#alert-list tbody tr")).to_have_count(50)


def test_keys_open_the_help_move_between_pages_and_stay_out_of_text(desks: Desks) -> None:
    with desks.open("/") as desk:
        page = desk.page
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("/")
        page.keyboard.type("gh?")
        expect(page.get_by_role("searchbox", name="Search all alerts")).to_have_value("gh?")
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("h")
        expect(page.get_by_role("heading", level=1)).to_have_text("Hosts")


def test_the_hash_is_copied(desks: Desks) -> None:
    with desks.open("/alerts?state=all&q=libproc.so") as desk:
        page = desk.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("a.rule").first.click()
        page.get_by_role("button", name="Copy the hash").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"[0-9a-f]{64}", copied)


def test_without_javascript_everything_can_be_read_and_triaged(fleet: Fleet, desks: Desks) -> None:
    raise_alert(fleet, "/srv/www/no-script.php")
    with desks.open("/alerts?q=no-script.php", scripts=False) as desk:
        page = desk.page
        page.get_by_role("checkbox", name=re.compile("^Select alert")).check()
        page.get_by_role("button", name="Assign to me").click()
        expect(page.get_by_role("status").first).to_contain_text("Alert assigned to you")
        page.get_by_role("link", name=WEB_SHELL.identifier).first.click()
        page.get_by_label("Note").fill("Seen.")
        page.get_by_role("button", name="Only note").click()
        expect(page.locator(".timeline")).to_contain_text("Seen.")
        page.goto("/")
        page.get_by_text("Show as a table").click()
        expect(page.get_by_role("table", name="Alerts received in each half hour")).to_be_visible()


def test_wrong_passwords_are_refused_plainly_and_then_limited(fleet: Fleet, desks: Desks) -> None:
    with new_context(desks.browser, fleet.server) as context:
        page = context.new_page()
        page.goto("/login?next=/hosts")
        for attempt in range(11):
            page.get_by_label("User name").fill("mallory")
            page.get_by_label("Password").fill(f"guess {attempt}")
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("Too many refused log-ins")
        expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Wait \d+ seconds"))
        page.get_by_label("User name").fill(fleet.server.user)
        page.get_by_label("Password").fill(fleet.server.password)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(re.compile("/hosts$"))
