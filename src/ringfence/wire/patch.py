"""A release out of an older one: the tar's difference as a zstd frame, and the very same release file again.

A patch is one zstd frame of the new tar, packed with the old *tar* as its dictionary.  Tars are compared, because the
frames around them have nothing in common.  A release's identity is the digest of its whole file, so the host packs the
new tar again as the author did: same library, same level, same bytes (docs/adr/0009-patches.md).  Where the library
differs, the result is not the signed file, and the host fetches the whole one.

Everything is in memory; whoever applies a patch compares the result with what is signed, and believes nothing here.
"""

from typing import Final

import zstandard

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import PATCH_BYTES_MAX, RELEASE_UNPACKED_BYTES_MAX, RELEASE_WINDOW_BYTES_MAX
from ringfence.wire.canonical import WAY_OUT, refuse

PATCH_LEVEL: Final = 12
"""Nearly all of a patch is one reference into the dictionary: higher levels take minutes and save nothing."""

_TABLE_LOG_MIN: Final = 20
_TABLE_LOG_MAX: Final = 26
"""Places in the author's tables: 256 MiB each."""

WINDOW_LOG: Final = 29
"""512 MiB: the old tar and the new one at their bounds are both within reach."""

FILE: Final = "patch"
"""What errors call it."""


def zstd_version() -> str:
    """The library that packs here."""
    return ".".join(map(str, zstandard.ZSTD_VERSION))


def tar_of(release: bytes) -> bytes:
    """The tar in a release file.  Raises ContentRefused; whether it is a release is for others to say."""
    try:
        size = zstandard.get_frame_parameters(release).content_size
        if size > RELEASE_UNPACKED_BYTES_MAX:  # unknown sizes are larger than everything
            refuse("does not say its size, or would be too large", "release", "byte 0")
        unpacked = zstandard.ZstdDecompressor(max_window_size=RELEASE_WINDOW_BYTES_MAX).decompress(
            release, max_output_size=max(size, 1), read_across_frames=False, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise ContentRefused(f"is not packed as a release is: {error}", WAY_OUT, file="release") from error
    return unpacked


def packed(tar: bytes, level: int) -> bytes:
    """The release file around a tar, as `wire/release.py` writes it at this level."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True).compress(tar)


def make_patch(old_tar: bytes, new_tar: bytes) -> bytes:
    """The difference between two tars."""
    reach = max(_TABLE_LOG_MIN, (len(old_tar) + len(new_tar)).bit_length())
    # tables that remember every place of the old tar; the library's long-distance mode does not look into dictionaries
    table = min(reach, _TABLE_LOG_MAX)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        PATCH_LEVEL,
        window_log=min(reach, WINDOW_LOG),
        hash_log=table,
        chain_log=table,
        write_checksum=True,
        write_content_size=True,
    )
    return zstandard.ZstdCompressor(dict_data=_dictionary(old_tar), compression_params=parameters).compress(new_tar)


def apply_patch(old_tar: bytes, patch: bytes, new_bytes: int) -> bytes:
    """The new tar, of exactly `new_bytes` bytes.  Raises ContentRefused for a patch that gives anything else."""
    if len(patch) > PATCH_BYTES_MAX:
        refuse(f"has {len(patch)} bytes, more than the {PATCH_BYTES_MAX} allowed", FILE)
    try:
        frame = zstandard.get_frame_parameters(patch)
        if frame.content_size != new_bytes or new_bytes > RELEASE_UNPACKED_BYTES_MAX or not frame.has_checksum:
            refuse(f"does not promise the {new_bytes} bytes that are signed", FILE, "byte 0")
        found = zstandard.ZstdDecompressor(dict_data=_dictionary(old_tar), max_window_size=1 << WINDOW_LOG).decompress(
            patch, max_output_size=new_bytes, read_across_frames=False, allow_extra_data=False
        )
    except (zstandard.ZstdError, MemoryError) as error:
        raise ContentRefused(f"does not apply: {error}", WAY_OUT, file=FILE) from error
    if len(found) != new_bytes:
        refuse("is shorter than it says", FILE)
    return found


def _dictionary(tar: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(tar, dict_type=zstandard.DICT_TYPE_RAWCONTENT)

