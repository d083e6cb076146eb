"""Hostile archives: small files that want to become large, deep or endless.

The bounds of `detect/archives.py` end each of them; what is tried here is that this release, too, is done with what is
let through.  Made anew in each worker, in a fraction of a second.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from ringfence.author.proof_inputs import Probe
from ringfence.model.limits import PROOF_BOMB_BYTES_MAX, PROOF_BOMB_MEMBERS_MAX, RULE_PROBE_SMALL_BYTES

DEEP_LEVELS: Final = 12
OVERLAPS: Final = 64


def hostile_archives() -> Iterator[Probe]:
    """Each with the name under which it is reported."""
    zeros = bytes(PROOF_BOMB_BYTES_MAX)
    yield Probe("a gzip bomb", gzip.compress(zeros, 9, mtime=0))
    yield Probe("a bzip2 bomb", bz2.compress(zeros, 9))
    yield Probe("an xz bomb", lzma.compress(zeros, preset=0))
    yield Probe("a zip bomb", _zip({f"{number}.bin": zeros[: len(zeros) // 4] for number in range(4)}))
    yield Probe("a zip of overlapping members", _overlapping(zeros[: len(zeros) // OVERLAPS]))
    yield Probe("a zip of many members", _zip({f"{number}": b"a" for number in range(PROOF_BOMB_MEMBERS_MAX)}))
    yield Probe("a tar of many members", _tar(PROOF_BOMB_MEMBERS_MAX))
    yield Probe("a deep archive", _deep())
    yield Probe("a gzip of many streams", gzip.compress(b"a", mtime=0) * PROOF_BOMB_MEMBERS_MAX)
    yield Probe("a cut archive", gzip.compress(zeros[: len(zeros) // 8] + b"end", mtime=0)[:-12])


def _zip(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _tar(members: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number in range(members):
            entry = tarfile.TarInfo(str(number))
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"a"))
    return gzip.compress(made.getvalue(), mtime=0)


def _deep() -> bytes:
    """Zip in gzip in tar and so on, with something small at the bottom."""
    data = b"a" * RULE_PROBE_SMALL_BYTES
    for level in range(DEEP_LEVELS):
        data = _zip({"inner": data, "other": b"b"}) if level % 2 else gzip.compress(data, mtime=0)
    return data


def _overlapping(zeros: bytes) -> bytes:
    """One compressed kernel that every entry of the directory names as its own."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(zeros) + packer.flush()
    checksum = zlib.crc32(zeros)
    sizes = struct.pack("<III", checksum, len(packed), len(zeros))
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", 1, 0) + b"0" + packed
    entries = b"".join(
        b"PK\x01\x02"
        + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0)
        + sizes
        + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0)
        + bytes((48 + number % 10,))
        for number in range(OVERLAPS)
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, OVERLAPS, OVERLAPS, len(entries), len(local), 0)
    return local + entries + end
