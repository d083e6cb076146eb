"""One server for the tests that leave it as it was; those that stop, kill or fill it start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.control.server_process import RunningServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of this module's own."""
    with running_server(tmp_path_factory.mktemp("server") / "state") as running:
        yield running


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A file with the milliseconds that a steered server adds to its clock."""
    file = tmp_path / "clock"
    file.write_text("0")
    return file
