"""A repository that serves one release, and a fresh host."""

from pathlib import Path

import pytest
from tests.support.content_repository import ContentRepository
from tests.support.update_host import ONE, Host


@pytest.fixture
def repository(tmp_path: Path) -> ContentRepository:
    """A repository that serves release one."""
    made = ContentRepository(tmp_path / "author")
    made.add(ONE)
    made.publish(ONE)
    return made


@pytest.fixture
def host(tmp_path: Path, repository: ContentRepository) -> Host:
    """A fresh host."""
    (tmp_path / "host").mkdir()
    return Host(tmp_path / "host", repository.first_root)
