"""What signed metadata says about a release beside its length and digest: canonical values <-> `custom` of a target.

{"format":1,"level":19,"name":"starter","signed_version":7,"tar_bytes":…,"tar_sha256":"…","unproven":false,
 "version":3,"zstd":"1.5.7"}

`signed_version` is the version of the content metadata with which the release was last signed: a host that has
convicted a release tries it again only when this number has risen.  `zstd` and `level` say how the frame around the
tar was written, so that a host that made the tar out of a patch can write the very same frame
(docs/adr/0009-patches.md).
"""

import re
from dataclasses import dataclass
from typing import Final

from ringfence.model import limits
from ringfence.model.errors import ContentRefused, SignatureRefused
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue
from ringfence.wire.manifest import RELEASE_NAME

NOTE_FORMAT: Final = 1
_NAMES: Final = frozenset(
    {"format", "level", "name", "signed_version", "tar_bytes", "tar_sha256", "unproven", "version", "zstd"}
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ZSTD: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_LEVEL_MAX: Final = 22
_WAY_OUT: Final = "the content metadata was not written by `ringfence content sign`: sign the release again"


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """The note of one release."""

    name: str
    version: int
    signed_version: int
    unproven: bool
    tar_sha256: str
    tar_bytes: int
    zstd: str
    level: int


def note_table(note: ReleaseNote) -> dict[str, JsonValue]:
    """The note as it stands in `custom`."""
    return {
        "format": NOTE_FORMAT,
        "level": note.level,
        "name": note.name,
        "signed_version": note.signed_version,
        "tar_bytes": note.tar_bytes,
        "tar_sha256": note.tar_sha256,
        "unproven": note.unproven,
        "version": note.version,
        "zstd": note.zstd,
    }


def decode_note(custom: JsonValue, *, target: str) -> ReleaseNote:
    """The note in `custom` of the target called `target`.  Raises SignatureRefused."""
    try:
        top = Fields(custom, _NAMES, file=target)
        top.integer("format", NOTE_FORMAT, NOTE_FORMAT)
        return ReleaseNote(
            name=top.word("name", RELEASE_NAME),
            version=top.integer("version", 1, limits.RELEASE_VERSION_MAX),
            signed_version=top.integer("signed_version", 1, limits.RELEASE_VERSION_MAX),
            unproven=top.flag("unproven"),
            tar_sha256=top.word("tar_sha256", _DIGEST),
            tar_bytes=top.integer("tar_bytes", 1, limits.RELEASE_UNPACKED_BYTES_MAX),
            zstd=top.word("zstd", _ZSTD),
            level=top.integer("level", 1, _LEVEL_MAX),
        )
    except ContentRefused as error:
        raise SignatureRefused(error.what, _WAY_OUT) from error


def canonical_note(note: ReleaseNote) -> bytes:
    """The note's one spelling, for comparisons."""
    return canonical.encode(note_table(note))
