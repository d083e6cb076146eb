"""A host in front of a repository that lies, for tests of the update client."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.content_repository import ContentRepository, small_release
from tests.support.key_ring import sign
from tuf.api.metadata import Metadata

from ringfence.host.content_http import NotFetched
from ringfence.host.repository_judge import DirectoryFetcher
from ringfence.host.update_client import MemoryFetcher
from ringfence.host.update_look import Look, Selected, remembered
from ringfence.model.errors import SignatureRefused
from ringfence.programs.wall_time import wall_time

ONE, TWO, THREE = (small_release(version) for version in (1, 2, 3))
Change = Callable[[str, bytes], bytes]


class LyingFetcher(MemoryFetcher):
    """Serves a directory, but for what `change` makes of it."""

    def __init__(self, path: Path, change: Change) -> None:
        self._honest = DirectoryFetcher(path)
        self._change = change
        self.asked: list[str] = []

    def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
        """One file, perhaps another one."""
        self.asked.append(url)
        yield self._change(url, b"".join(self._honest.pieces(url, bytes_max)))


@dataclass
class Host:
    """A host with its metadata directory."""

    directory: Path
    root: bytes

    def look(self, served: Path | MemoryFetcher, *, held: bytes = b"", days: int = 0) -> bytes:
        """Look for an update; the release's bytes, b"" for none."""
        fetcher = DirectoryFetcher(served) if isinstance(served, Path) else served
        look = Look(self.directory, fetcher, self.root)
        selected = look.select("stable", wall_time() + timedelta(days=days))
        return b"" if selected is None else look.fetch(selected, held).data

    def select(self, served: Path) -> Selected:
        """What the channel gets."""
        selected = Look(self.directory, DirectoryFetcher(served), self.root).select("stable", wall_time())
        assert selected is not None
        return selected


def kept(repository: ContentRepository) -> Path:
    """A copy of what is served now, for a liar to serve later."""
    place = repository.path / f"kept-{len(list(repository.path.iterdir()))}"
    shutil.copytree(repository.current, place)
    return place


def check_refused(host: Host, served: Path | MemoryFetcher, words: str, **how: Any) -> None:  # noqa: ANN401 - passed on
    """The attack is refused, and nothing that the host believes has gone back."""
    before = remembered(host.directory)
    with pytest.raises((SignatureRefused, NotFetched)) as refused:
        host.look(served, **how)
    assert words in str(refused.value), str(refused.value)
    after = {one.role: one.version for one in remembered(host.directory).roles}
    assert all(after[one.role] >= one.version for one in before.roles)


def resigned(path: Path, change: Callable[[Metadata[Any]], object], *owners: str) -> bytes:
    """A document changed and signed by whoever the thief could take keys from."""
    document = Metadata[Any].from_bytes(path.read_bytes())
    document.signatures.clear()
    change(document)
    sign(document, *owners)
    return document.to_bytes()
