"""One real server with the example fleet, one browser, and pages that remember every complaint of the browser."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests.support.browser import log_in, new_context, running_browser
from tests.support.example_fleet import example_fleet
from tests.support.real_server import RealServer, ReportingHost, running_server


@dataclass(frozen=True, slots=True)
class Fleet:
    """The server and its enrolled hosts; `web` reports on as the tests need it."""

    server: RealServer
    hosts: tuple[ReportingHost, ...]

    @property
    def web(self) -> ReportingHost:
        """The host `web-01.example.net`."""
        return self.hosts[0]


@dataclass(slots=True)
class Desk:
    """Somebody at a browser: the page, and whatever the browser complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Remember errors of scripts, the console's error messages and every violation of the policy."""
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on(
            "console", lambda said: self.complaints.append(f"console: {said.text}") if said.type == "error" else None
        )


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A running server whose hosts have reported."""
    state: Path = tmp_path_factory.mktemp("console") / "state"
    with running_server(state) as server:
        hosts = []
        for host in example_fleet(time.time_ns() // 1_000_000):
            reporting = server.enrol(host.facts, epoch=host.epoch)
            reporting.post(host.records[:1])
            if len(host.records) > 1:
                reporting.post(host.records[1:], skip_numbers=14 if host.facts.host_name.startswith("build") else 0)
            hosts.append(reporting)
        yield Fleet(server, tuple(hosts))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with running_browser() as one:
        yield one


@pytest.fixture(scope="session")
def signed_in(fleet: Fleet, browser: Browser) -> dict[str, object]:
    """The cookies of one log-in: most tests begin behind it."""
    with new_context(browser, fleet.server) as context:
        log_in(context, fleet.server)
        return dict(context.storage_state())


class Desks:
    """Opens desks: each is a fresh profile with the session of `signed_in`."""

    def __init__(self, fleet: Fleet, browser: Browser, signed_in: dict[str, object]) -> None:
        self._fleet = fleet
        self.browser = browser
        self._signed_in = signed_in

    @contextmanager
    def open(
        self,
        address: str,
        *,
        size: tuple[int, int] = (1280, 800),
        scheme: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ) -> Iterator[Desk]:
        """A page at `address`; at the end the browser must not have complained about anything."""
        with new_context(self.browser, self._fleet.server, size=size, scheme=scheme, scripts=scripts) as context:
            self._adopt(context)
            desk = Desk(context.new_page())
            desk.watch()
            desk.page.goto(address)
            yield desk
            assert desk.complaints == []

    def _adopt(self, context: BrowserContext) -> None:
        cookies = self._signed_in["cookies"]
        assert isinstance(cookies, list)
        context.add_cookies(cookies)


@pytest.fixture
def desks(fleet: Fleet, browser: Browser, signed_in: dict[str, object]) -> Desks:
    """Opens pages as somebody who is logged in."""
    return Desks(fleet, browser, signed_in)
