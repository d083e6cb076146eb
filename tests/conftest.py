"""The order of a run, and its last lines.

Fast tests go first, so that a plain mistake shows within seconds; browsers go last.  What could not be proven on this
machine is listed by name at the very end.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings
from tests.support.machine import NOT_PROVABLE

settings.register_profile("house", deadline=None)  # no test measures time: the machine may be busy with others
settings.load_profile("house")

ORDER: Final = ("house", "unit", "decide", "content", "author", "sim", "programs", "control", "host", "load", "vm")
"""Folders of `tests/` from the fastest to the slowest; one that is not named follows, and browsers come last."""

LAST: Final = "browser"

ROOT: Final = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder, keeping the order within a folder."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> int:
    if not path.is_relative_to(ROOT):
        return 0
    folder = path.relative_to(ROOT).parts[0]
    if folder == LAST:
        return len(ORDER) + 1
    return ORDER.index(folder) if folder in ORDER else len(ORDER)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """After all else that pytest has to say: every test that this machine cannot prove, with what is missing."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if NOT_PROVABLE in reason:
            missing = reason.split(f"{NOT_PROVABLE}: ", 1)[-1]
            reporter.write_line(f"{NOT_PROVABLE}: {report.nodeid}: {missing}", yellow=True)
