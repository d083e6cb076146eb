"""Take pictures of the console: a real server, hosts that enrol and report over TLS, a real browser.

    python tools/screenshots.py                 the two pictures of the README, to docs/
    python tools/screenshots.py --all FOLDER    every page, light and dark, wide and narrow

Needs Debian's chromium; with Debian's fonts-inter the type is the one that the style sheet asks for first.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, BrowserContext, Page  # noqa: E402 - below the path of the tests' support
from tests.support.browser import logged_in, running_browser  # noqa: E402
from tests.support.example_fleet import example_fleet  # noqa: E402
from tests.support.real_server import RealServer, ReportingHost, running_server  # noqa: E402

from ringfence.model.records import Lost  # noqa: E402

WIDE: Final = (1440, 900)
NARROW: Final = (360, 780)
README_PICTURES: Final = {"console-overview.png": "/", "console-alert.png": "alert"}
PICTURE_BYTES_MAX: Final = 300_000


@contextmanager
def example_server() -> Iterator[RealServer]:
    """A server that has the example fleet's records, each received when it was raised."""
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder) / "state") as server:
        report_example_fleet(server)
        yield server


def report_example_fleet(server: RealServer) -> tuple[ReportingHost, ...]:
    """Enrol the example fleet and post all that it has to say; one host loses some records on the way.

    A day's reports arrive within a second here, so their arrival is set back to when they were raised: the chart
    would show one bar otherwise.
    """
    fleet = example_fleet(time.time_ns() // 1_000_000)
    reporting = tuple(server.enrol(host.facts, epoch=host.epoch) for host in fleet)
    told = sorted(
        ((record.at_unix_ms, place, record) for place, host in enumerate(fleet) for record in host.records),
        key=lambda one: one[:2],
    )
    for _, place, record in told:
        reporting[place].post([record], skip_numbers=14 if isinstance(record, Lost) else 0)
    with closing(sqlite3.connect(server.state / "server" / "ringfence.db", timeout=20)) as database, database:
        for table in ("alerts", "skipped_files", "host_losses", "host_events"):
            database.execute(f"UPDATE {table} SET received_at_unix_ms = at_unix_ms")  # noqa: S608 - names from the line above
    return reporting


def addresses(page: Page) -> dict[str, str]:
    """Every kind of page by a name for its picture."""
    page.goto("/alerts?state=all&q=thumb")
    alert = page.locator("a.rule").first.get_attribute("href") or "/alerts"
    page.goto("/hosts?q=web")
    host = page.locator("tbody th a").first.get_attribute("href") or "/hosts"
    return {
        "overview": "/",
        "alerts": "/alerts",
        "alerts-filtered": "/alerts?state=all&severity=critical&severity=high&span=24h",
        "alerts-empty": "/alerts?q=nothing-fits-this",
        "alert": alert,
        "hosts": "/hosts",
        "host": host,
        "audit": "/audit",
        "account": "/account",
        "help": "/help",
        "missing": "/nowhere",
    }


def settle(page: Page) -> None:
    """Wait until the page is drawn and live, without a cursor or an animation in the picture."""
    page.wait_for_load_state("load")
    if page.locator("[data-live]").count():
        page.locator("[data-live][data-state=open]").wait_for()
    page.mouse.move(0, 0)


def every_page(browser: Browser, server: RealServer, folder: Path) -> None:
    """All pages in both themes, wide and at 360 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for word, size in (("wide", WIDE), ("narrow", NARROW)):
            with logged_in(browser, server, size=size, scheme=scheme) as context:
                page = context.new_page()
                for name, address in addresses(page).items():
                    page.goto(address)
                    settle(page)
                    page.screenshot(path=folder / f"{name}-{scheme}-{word}.png", full_page=True)
    context = browser.new_context(ignore_https_errors=True, base_url=server.address)
    page = context.new_page()
    page.goto("/login")
    page.screenshot(path=folder / "login-light-wide.png")
    context.close()


def readme_pictures(context: BrowserContext, folder: Path) -> None:
    """The pictures that the README shows.  Raises SystemExit when one is too large for it."""
    folder.mkdir(parents=True, exist_ok=True)
    page = context.new_page()
    alert = addresses(page)["alert"]
    for name, address in README_PICTURES.items():
        page.goto(alert if address == "alert" else address)
        settle(page)
        picture = folder / name
        page.screenshot(path=picture)
        if picture.stat().st_size > PICTURE_BYTES_MAX:
            raise SystemExit(f"{picture} has {picture.stat().st_size} bytes, {PICTURE_BYTES_MAX} are allowed")
        sys.stdout.write(f"{picture}  {picture.stat().st_size} bytes\n")


def main(arguments: list[str]) -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the console.")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, instead of the README's pictures")
    folder = parser.parse_args(arguments).all
    with example_server() as server, running_browser() as browser:
        if folder is not None:
            every_page(browser, server, folder)
            return 0
        with logged_in(browser, server, size=(1440, 960), scheme="light") as context:
            readme_pictures(context, ROOT / "docs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
