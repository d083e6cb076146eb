"""Debian's Chromium under Playwright, talking to a real server of ours and to nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, sync_playwright
from tests.support.real_server import RealServer

CHROMIUM: Final = "/usr/bin/chromium"
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)
_PATIENCE_MS: Final = 20_000


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_context(
    browser: Browser,
    server: RealServer,
    *,
    size: tuple[int, int] = (1280, 800),
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
    calm: bool = True,
) -> Iterator[BrowserContext]:
    """A fresh browser profile.  The server's own authority is unknown to it, so certificate errors are ignored."""
    context = browser.new_context(
        ignore_https_errors=True,
        base_url=server.address,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=scripts,
        reduced_motion="reduce" if calm else "no-preference",
        timezone_id="UTC",
        locale="en-GB",
    )
    context.set_default_timeout(_PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


def log_in(context: BrowserContext, server: RealServer) -> None:
    """Log in through the form, as a person does."""
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("User name").fill(server.user)
    page.get_by_label("Password").fill(server.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_url(lambda address: not address.endswith("/login"))
    page.close()


@contextmanager
def logged_in(
    browser: Browser,
    server: RealServer,
    *,
    size: tuple[int, int] = (1280, 800),
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[BrowserContext]:
    """A fresh profile in which the first user is logged in."""
    with new_context(browser, server, size=size, scheme=scheme, scripts=scripts) as context:
        log_in(context, server)
        yield context
