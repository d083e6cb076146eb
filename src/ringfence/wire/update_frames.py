"""The frames of an update: what the updater asks of the courier, and what it tells the warden.

The updater reads what the courier sends as it would read the network: by number, in order, within the bound that it
gave.  The warden reads two layouts of fixed size.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model.limits import FETCH_PATH_BYTES_MAX, FETCH_PIECE_BYTES, RELEASE_BYTES_MAX, RELEASE_VERSION_MAX
from ringfence.model.update import UpdateOutcome, UpdateReport
from ringfence.wire.catalogue import OFFER_BODY, UPDATE_REPORT_BODY
from ringfence.wire.fields import (
    U32_MAX,
    U64_MAX,
    Reader,
    joined,
    member,
    require,
    require_length,
    require_range,
    string,
)
from ringfence.wire.frames import unpack_exact

DETAIL_BYTES: Final = 256
STATUS_NOTHING: Final = 0
"""Status of an answer that no server gave."""

_FETCH: Final = struct.Struct(">IQ")
_FETCHED: Final = struct.Struct(">IHB")
_FOLDERS: Final = frozenset({b"metadata", b"targets", b"targets/releases", b"targets/patches", b"targets/rollouts"})
_NAME_BYTES: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%._-")
_STATUS_MAX: Final = 999
_UNPROVEN: Final = 1
_PATCHED: Final = 2


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring at most `bytes_max` bytes of the repository's file at `path`."""

    number: int
    bytes_max: int
    path: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """One piece of the answer to the request of this number.  `status` is the server's; 0: there was none."""

    number: int
    status: int
    last: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """A release that was verified; its bytes are in the descriptor beside it."""

    version: int
    signed_version: int
    sha256: str
    unproven: bool
    patched: bool


def encode_fetch(fetch: Fetch) -> bytes:
    """The body of FETCH."""
    require_range("the number", fetch.number, U32_MAX)
    require_range("the bound", fetch.bytes_max, RELEASE_BYTES_MAX)
    require(_is_path(fetch.path), f"{fetch.path[:64]!r} is no file of a repository")
    return joined([_FETCH.pack(fetch.number, fetch.bytes_max), *string(fetch.path)])


def decode_fetch(body: bytes) -> Fetch:
    """The request in a body.  Raises FrameRefused."""
    reader = Reader(body)
    number, bytes_max = reader.take(_FETCH)
    path = reader.string(FETCH_PATH_BYTES_MAX)
    reader.end()
    require_range("the bound", bytes_max, RELEASE_BYTES_MAX)
    require(_is_path(path), f"{path[:64]!r} is no file of a repository")
    return Fetch(number, bytes_max, path)


def encode_fetched(piece: Fetched) -> bytes:
    """The body of FETCHED."""
    require_range("the number", piece.number, U32_MAX)
    require_range("the status", piece.status, _STATUS_MAX)
    require_length("the piece", piece.data, FETCH_PIECE_BYTES)
    return joined([_FETCHED.pack(piece.number, piece.status, piece.last), *string(piece.data)])


def decode_fetched(body: bytes) -> Fetched:
    """The piece in a body.  Raises FrameRefused."""
    reader = Reader(body)
    number, status, last = reader.take(_FETCHED)
    data = reader.string(FETCH_PIECE_BYTES)
    reader.end()
    require_range("the status", status, _STATUS_MAX)
    require(last in (0, 1), f"{last} is neither more nor the last")
    require(bool(data) or bool(last), "an empty piece that is not the last")
    return Fetched(number, status, bool(last), data)


def encode_offer(offer: Offer) -> bytes:
    """The body of OFFER."""
    require_range("the version", offer.version, RELEASE_VERSION_MAX)
    require_range("the signed version", offer.signed_version, RELEASE_VERSION_MAX)
    flags = _UNPROVEN * offer.unproven | _PATCHED * offer.patched
    return OFFER_BODY.pack(offer.version, offer.signed_version, bytes.fromhex(offer.sha256), flags)


def decode_offer(body: bytes) -> Offer:
    """The offer in a body.  Raises FrameRefused."""
    version, signed_version, digest, flags = unpack_exact(OFFER_BODY, body, "offer")
    version, signed_version, flags = int(version), int(signed_version), int(flags)
    require(1 <= version <= RELEASE_VERSION_MAX, f"a release of version {version}")
    require(1 <= signed_version <= RELEASE_VERSION_MAX, f"a release that was signed in version {signed_version}")
    require(flags <= (_UNPROVEN | _PATCHED), f"unknown flags {flags}")
    sha256 = bytes(digest).hex()
    return Offer(version, signed_version, sha256, bool(flags & _UNPROVEN), bool(flags & _PATCHED))


def encode_report(report: UpdateReport) -> bytes:
    """The body of UPDATE_REPORT; a detail that is too long is cut, and never within a character."""
    detail = "".join(char if char.isprintable() else "?" for char in report.detail).encode(errors="replace")
    cut = detail[:DETAIL_BYTES].decode(errors="ignore").encode()
    return UPDATE_REPORT_BODY.pack(report.outcome, min(max(report.expires_at_s, 0), U64_MAX), cut)


def decode_report(body: bytes) -> UpdateReport:
    """The report in a body.  Raises FrameRefused, also for a text that would not print."""
    outcome, expires_at_s, padded = unpack_exact(UPDATE_REPORT_BODY, body, "update report")
    data = bytes(padded).rstrip(b"\0")
    try:
        detail = data.decode()
    except UnicodeDecodeError:
        require(False, "a detail that is not UTF-8")
        raise
    require(not detail or detail.isprintable(), "a detail that does not print")
    return UpdateReport(member(UpdateOutcome, int(outcome)), int(expires_at_s), detail)


def _is_path(path: bytes) -> bool:
    """A name in one of the folders.  Without regular expressions: the warden, which holds everything, reads this."""
    folder, _, name = path.rpartition(b"/")
    well_named = bool(name) and _NAME_BYTES.issuperset(name) and not name.startswith(b".")
    return len(path) <= FETCH_PATH_BYTES_MAX and folder in _FOLDERS and well_named
