"""python-tuf's client within our bounds: refresh, find, download.  Whoever fetches for it is not trusted.

The library does the work of the specification: root chain, rollback, freeze, mix-and-match, thresholds, lengths and
hashes.  Added here:

1. Every length has a bound from `model/limits.py`; the fetcher keeps it while bytes arrive.
2. A target never touches the disk before it is verified: it is fetched into memory.
3. What is believed is written durably.
4. The library's errors become ours: `SignatureRefused` says who lied about what, `NotFetched` that nothing came,
   `DiskFull` that the metadata could not be kept.
"""

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from ringfence.host.content_http import NotFetched
from ringfence.host.durable import write_durably
from ringfence.model import limits
from ringfence.model.errors import DiskFull, SignatureRefused

_WAY_OUT: Final = (
    "the running release stays; if a server or a proxy of yours is between, look at it, else tell whoever publishes"
)
_DIGEST: Final = "sha256"


class MemoryFetcher(FetcherInterface):
    """A fetcher that keeps what it downloads in memory; others say how pieces come."""

    def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
        """The pieces of the file at `url`.  Raises DownloadHTTPError for a status, DownloadError for all else."""
        raise NotImplementedError

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self.pieces(url, limits.RELEASE_BYTES_MAX)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """The whole file, never more than `max_length` bytes of it."""
        held = io.BytesIO()
        for piece in self.pieces(url, max_length):
            held.write(piece)
            if held.tell() > max_length:
                raise exceptions.DownloadLengthMismatchError(f"{url}: more than the {max_length} bytes allowed")
        held.seek(0)
        yield held


class _DurableUpdater(Updater):
    """The library's client, which writes durably: a power cut leaves the metadata before or the metadata after.

    It also writes by the name that it is given: the library would ask for the whole path, which an updater may not
    pass.
    """

    def _persist_file(self, filename: str, data: bytes) -> None:
        write_durably(Path(filename), data)


class UpdateClient:
    """One refresh against one repository, and the targets that follow from it."""

    def __init__(
        self, directory: str, fetcher: MemoryFetcher, *, root: bytes | None, metadata_url: str, targets_url: str
    ) -> None:
        """Use the metadata in `directory`.  `root` is where trust begins; None: the root that is kept there.

        Raises SignatureRefused when that root is none.
        """
        self._directory = directory
        self._fetcher = fetcher
        self._targets_url = targets_url.rstrip("/")
        with _translated():
            self._updater = _DurableUpdater(directory, metadata_url, fetcher=fetcher, config=_config(), bootstrap=root)

    def refresh(self) -> None:
        """Bring the metadata up to date.  Raises SignatureRefused, NotFetched or DiskFull."""
        with _translated():
            self._updater.refresh()

    def find(self, path: str) -> TargetFile | None:
        """What the signed metadata says about a target; None: nothing.  Raises as `refresh`."""
        with _translated():
            return self._updater.get_targetinfo(path)

    def download(self, target: TargetFile) -> bytes:
        """The verified bytes of a target.  Raises SignatureRefused or NotFetched."""
        path = target.path
        if self._consistent():
            folder, slash, name = path.rpartition("/")
            path = f"{folder}{slash}{next(iter(target.hashes.values()))}.{name}"
        with _translated(), self._fetcher.download_file(f"{self._targets_url}/{path}", target.length) as held:
            target.verify_length_and_hashes(held)
            held.seek(0)
            return held.read()

    def _consistent(self) -> bool:
        with open(os.path.join(self._directory, "root.json"), "rb") as file:
            return bool(Metadata[Root].from_bytes(file.read()).signed.consistent_snapshot)


def fits(target: TargetFile, data: bytes) -> bool:
    """Whether `data` is exactly what `target` describes."""
    return target.length == len(data) and target.hashes.get(_DIGEST) == hashlib.sha256(data).hexdigest()


def _config() -> UpdaterConfig:
    return UpdaterConfig(
        max_root_rotations=limits.METADATA_ROTATIONS_FILES_MAX,
        max_delegations=limits.METADATA_DELEGATIONS_KEYS_MAX,
        root_max_length=limits.METADATA_ROOT_BYTES_MAX,
        timestamp_max_length=limits.METADATA_TIMESTAMP_BYTES_MAX,
        snapshot_max_length=limits.METADATA_SNAPSHOT_BYTES_MAX,
        targets_max_length=limits.METADATA_TARGETS_BYTES_MAX,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """The library's errors as ours."""
    try:
        yield
    except exceptions.DownloadLengthMismatchError as error:
        raise SignatureRefused(f"endless data: {error}", _WAY_OUT) from error
    except exceptions.DownloadHTTPError as error:
        raise NotFetched(f"{error} (status {error.status_code})") from error
    except exceptions.DownloadError as error:
        raise NotFetched(str(error)) from error
    except exceptions.RepositoryError as error:
        raise SignatureRefused(f"{_KINDS.get(type(error), 'refused')}: {error}", _WAY_OUT) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(
                f"the update's metadata cannot be kept: {error.strerror}", "make room below the state directory"
            ) from error
        raise


_KINDS: Final[dict[type[Exception], str]] = {
    exceptions.ExpiredMetadataError: "expired",
    exceptions.BadVersionNumberError: "older or other than what is known",
    exceptions.UnsignedMetadataError: "not signed by enough keys",
    exceptions.LengthOrHashMismatchError: "another length or hash than was signed",
}
"""What each error of the library means, in words."""
