"""What hosts would make of a repository that is not served yet, found out by being one.

1. A fresh host: nothing but the first root.  It must get every channel's release, whole.
2. A host that holds what is served now must get from there to here, and one that has slept since the first root too:
   that is the fresh one again, because trust always begins at the first root.
3. A host that holds the release before gets the new one by its patch, where there is one.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError

from ringfence.host.content_http import NotFetched
from ringfence.host.update_client import MemoryFetcher
from ringfence.host.update_look import Look
from ringfence.model.errors import SignatureRefused
from ringfence.wire.release import decode_release

_NOT_FOUND = 404


class DirectoryFetcher(MemoryFetcher):
    """Fetches from a directory as if it were served."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
        """The whole file in one piece."""
        try:
            with (self._path / url).open("rb") as file:
                data = file.read(bytes_max + 1)
        except FileNotFoundError as error:
            raise DownloadHTTPError(url, _NOT_FOUND) from error
        except OSError as error:
            raise DownloadError(f"{url}: {error.strerror}") from error
        yield data


def judge(
    generation: Path, served: Path | None, first_root: bytes, channels: Iterable[str], now: datetime
) -> None:
    """Raise SignatureRefused or ContentRefused when a host would refuse the repository in `generation`."""
    with tempfile.TemporaryDirectory(prefix="ringfence-judge-") as scratch:
        fresh, current = Path(scratch) / "fresh", Path(scratch) / "current"
        fresh.mkdir()
        current.mkdir()
        for channel in channels:
            _take(generation, fresh, first_root, channel, now)
            if served is not None and (served / "metadata").is_dir():
                before = _take(served, current, first_root, channel, now)
                _take(generation, current, first_root, channel, now, before)
                shutil.rmtree(current)
                current.mkdir()


def _take(
    repository: Path, directory: Path, root: bytes, channel: str, now: datetime, held: bytes = b""
) -> bytes:
    """Refresh and take the channel's release; its bytes."""
    try:
        look = Look(directory, DirectoryFetcher(repository), root)
        selected = look.select(channel, now)
        if selected is None:
            return b""
        data = look.fetch(selected, held).data
    except NotFetched as error:
        raise SignatureRefused(
            f"a host would not find everything: {error}", "publish from a whole trust directory; nothing was published"
        ) from error
    manifest = decode_release(data).manifest
    if (manifest.name, manifest.version) != (selected.note.name, selected.note.version):
        raise SignatureRefused(
            f"the release signed as {selected.note.name} {selected.note.version} is {manifest.name} {manifest.version}",
            "sign it again with `ringfence content sign`; nothing was published",
        )
    return data
