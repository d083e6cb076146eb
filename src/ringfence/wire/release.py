"""A release's bytes <-> `model.release.Release`.

The format: one zstd frame (content size and checksum present, no dictionary, nothing after it) around one tar.  The tar
has `manifest.json` first, then every other member in the order of the names; each header is exactly the one that
`_header` writes for that name and size; two blocks of zeros end it.  Nothing else is accepted:

1. Sizes are compared with the bounds of `model/limits.py` before anything of that size is made.
2. A header is not interpreted but compared: only name and size are read from it, the rest must be what we would write.
   So links, devices, sparse files, long-name records, odd modes and times do not exist in this format.
3. Names are `manifest.json`, `yara/<pack>.yar`, `detections/<pack>.json`, `samples/<sha256>`, `waivers.json` and
   `proof.json`: no path can leave the release.
4. The members are exactly those that the manifest names, with the sizes and digests that it says.
5. Rules over events and waivers are read strictly.  The proof is only held to its digest: whoever wants one reads it.

Canonical is the tar, not the frame: another zstd may pack the same bytes differently, and a host must not refuse a
release because its library is newer than the author's.  The digest and the signature are over the frame.

Everything happens in memory; the only error is ContentRefused, with the member and the place in it.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import zstandard

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import (
    DETECTION_PACK_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    PACK_SOURCE_BYTES_MAX,
    PROOF_BYTES_MAX,
    RELEASE_BYTES_MAX,
    RELEASE_MEMBERS_MAX,
    RELEASE_RATIO_FREE_BYTES,
    RELEASE_RATIO_MAX,
    RELEASE_UNPACKED_BYTES_MAX,
    RELEASE_WINDOW_BYTES_MAX,
    SAMPLE_BYTES_MAX,
    WAIVERS_BYTES_MAX,
)
from ringfence.model.release import DetectionPack, Manifest, Pack, Release, Sample
from ringfence.wire.canonical import WAY_OUT, refuse
from ringfence.wire.detection_ir import decode_detections
from ringfence.wire.manifest import MANIFEST_NAME, decode_manifest, encode_manifest
from ringfence.wire.waiver import WAIVERS_NAME, decode_waivers

PROOF_NAME: Final = "proof.json"

COMPRESSION_LEVEL: Final = 19
"""Authors build once, hosts unpack often."""

BLOCK_BYTES: Final = 512
NAME_BYTES: Final = 100
SIZE_AT: Final = slice(124, 136)
FRAME: Final = "release"
"""What errors call the whole file."""

_END: Final = bytes(2 * BLOCK_BYTES)
_OCTAL: Final = re.compile(rb"[0-7]{11}\0")
_NAMES: Final = re.compile(
    r"(?P<manifest>manifest\.json)"
    rf"|(?P<pack>yara/[a-z0-9][a-z0-9_-]{{0,{NAME_CHARACTERS_MAX - 1}}}\.yar)"
    rf"|(?P<detections>detections/[a-z0-9][a-z0-9_-]{{0,{NAME_CHARACTERS_MAX - 1}}}\.json)"
    r"|(?P<sample>samples/[0-9a-f]{64})"
    r"|(?P<waivers>waivers\.json)"
    r"|(?P<proof>proof\.json)"
)
_MEMBER_BYTES_MAX: Final = {
    "manifest": MANIFEST_BYTES_MAX,
    "pack": PACK_SOURCE_BYTES_MAX,
    "detections": DETECTION_PACK_BYTES_MAX,
    "sample": SAMPLE_BYTES_MAX,
    "waivers": WAIVERS_BYTES_MAX,
    "proof": PROOF_BYTES_MAX,
}


def decode_release(data: bytes) -> Release:
    """Read a release.  Raises ContentRefused, and nothing else, for anything that `encode_release` does not write."""
    members = _read_members(_decompress(data))
    manifest = decode_manifest(members.pop(MANIFEST_NAME))
    packs = tuple(
        Pack(entry, _text(entry.path, _take(members, entry.path, entry.sha256, entry.size_bytes)))
        for entry in manifest.packs
    )
    samples = tuple(
        Sample(sha256, _take(members, f"samples/{sha256}", sha256, None)) for sha256 in _sample_names(manifest)
    )
    detections = tuple(
        DetectionPack(entry, _take(members, entry.path, entry.sha256, entry.size_bytes))
        for entry in manifest.detections
    )
    _check_detections(detections)
    waivers = _take_optional(members, WAIVERS_NAME, manifest.waivers_sha256)
    if waivers:
        decode_waivers(waivers)
    proof = _take_optional(members, PROOF_NAME, manifest.proof_sha256)
    for name in members:
        refuse("is not named by the manifest", name)
    return Release(manifest, packs, samples, detections, waivers, proof)


def encode_release(release: Release, level: int = COMPRESSION_LEVEL) -> bytes:
    """The bytes of `release`, the same each time.  Raises ContentRefused where `decode_release` would refuse them.

    Another `level` of compression is for bytes that nobody keeps.
    """
    members = [(MANIFEST_NAME, encode_manifest(release.manifest))]
    others = [(pack.entry.path, pack.source.encode(errors="surrogatepass")) for pack in release.packs]
    others += [(f"samples/{sample.sha256}", sample.content) for sample in release.samples]
    others += [(pack.entry.path, pack.data) for pack in release.detections]
    others += [(name, data) for name, data in ((WAIVERS_NAME, release.waivers), (PROOF_NAME, release.proof)) if data]
    members += sorted(others)
    archive = b"".join(_header(name, len(content)) + _padded(content) for name, content in members) + _END
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    data = compressor.compress(archive)
    if decode_release(data) != release:
        raise ContentRefused("does not come back as it was: packs or samples are not in order", WAY_OUT, file=FRAME)
    return data


def _decompress(data: bytes) -> bytes:
    """The tar inside the frame.  The size is known and bounded before a byte is unpacked."""
    if len(data) > RELEASE_BYTES_MAX:
        refuse(f"has {len(data)} bytes, more than the {RELEASE_BYTES_MAX} allowed", FRAME)
    try:
        frame = zstandard.get_frame_parameters(data)
    except zstandard.ZstdError:
        refuse("is not a release: it does not begin with a zstd frame", FRAME, "byte 0")
    size = frame.content_size
    if size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR):
        refuse("does not say its unpacked size", FRAME, "byte 0")
    if size > RELEASE_UNPACKED_BYTES_MAX:
        refuse(f"would unpack to {size} bytes, more than the {RELEASE_UNPACKED_BYTES_MAX} allowed", FRAME, "byte 0")
    if size > RELEASE_RATIO_FREE_BYTES and size > RELEASE_RATIO_MAX * len(data):
        refuse(f"would unpack to more than {RELEASE_RATIO_MAX} times its size", FRAME, "byte 0")
    if frame.window_size > RELEASE_WINDOW_BYTES_MAX or frame.dict_id or not frame.has_checksum:
        refuse("is packed with a large window, a dictionary or no checksum", FRAME, "byte 0")
    try:
        unpacked = zstandard.ZstdDecompressor(max_window_size=RELEASE_WINDOW_BYTES_MAX).decompress(
            data, max_output_size=max(size, 1), read_across_frames=False, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        refuse(f"is damaged or has bytes after its end: {error}", FRAME)
    if len(unpacked) != size:
        refuse("is shorter than it says", FRAME)
    return unpacked


def _read_members(archive: bytes) -> dict[str, bytes]:
    """The members by name, `manifest.json` first.  Every byte of `archive` is accounted for."""
    members: dict[str, bytes] = {}
    offset = 0
    last = ""
    while (header := archive[offset : offset + BLOCK_BYTES]) and header != _END[:BLOCK_BYTES]:
        name, size = _read_header(header, offset)
        start = offset + BLOCK_BYTES
        end = start + size + -size % BLOCK_BYTES
        if end > len(archive):
            refuse("is cut off", name, f"byte {offset}")
        content = archive[start : start + size]
        if any(archive[start + size : end]):
            refuse("is not padded with zeros", name, f"byte {start + size}")
        _check_order(last, name, offset)
        if len(members) >= RELEASE_MEMBERS_MAX:
            refuse(f"has more than {RELEASE_MEMBERS_MAX} members", FRAME, f"byte {offset}")
        members[name] = content
        last = name
        offset = end
    if archive[offset:] != _END:
        refuse("does not end in exactly two blocks of zeros", FRAME, f"byte {offset}")
    if not members:
        refuse("is empty", FRAME)
    return members


def _check_order(last: str, name: str, offset: int) -> None:
    """Refuse a manifest that is not first, wrong order, and repetition."""
    if (name == MANIFEST_NAME) != (not last):
        refuse(f"{MANIFEST_NAME} must be the first member", name, f"byte {offset}")
    if last not in ("", MANIFEST_NAME) and last >= name:
        refuse("members must be sorted and without repetition", name, f"byte {offset}")


def _read_header(header: bytes, offset: int) -> tuple[str, int]:
    """Name and size of a member whose header is exactly the one that we would write."""
    try:
        name = header[:NAME_BYTES].rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError:
        refuse("a member has a name that is not ASCII", FRAME, f"byte {offset}")
    kind = _NAMES.fullmatch(name)
    if kind is None or kind.lastgroup is None:
        refuse(f"a member has the name {name!a}, which is not one of a release", FRAME, f"byte {offset}")
    digits = header[SIZE_AT]
    if not _OCTAL.fullmatch(digits):
        refuse("has a size that is not eleven octal digits", name, f"byte {offset}")
    size = int(digits[:-1], 8)
    if size > _MEMBER_BYTES_MAX[kind.lastgroup]:
        refuse(f"has {size} bytes, more than the {_MEMBER_BYTES_MAX[kind.lastgroup]} allowed", name, f"byte {offset}")
    if header != _header(name, size):
        refuse("has a header that is not canonical", name, f"byte {offset}")
    return name, size


def _header(name: str, size: int) -> bytes:
    """The one ustar header of a member: a regular file of root, mode 0644, from the beginning of time."""
    fields = b"".join(
        (
            name.encode().ljust(NAME_BYTES, b"\0"),
            b"0000644\0" + b"0000000\0" * 2,
            b"%011o\0" % size,
            b"%011o\0" % 0,
            b" " * 8,
            b"0" + bytes(100),
            b"ustar\x0000" + bytes(64),
            b"0000000\0" * 2,
            bytes(167),
        )
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK_BYTES)


def _take(members: dict[str, bytes], path: str, sha256: str, size_bytes: int | None) -> bytes:
    """Remove the member `path` from `members` and return it, if size and digest are right."""
    content = members.pop(path, None)
    if content is None:
        refuse("is named by the manifest but is not there", path)
    if size_bytes not in (None, len(content)):
        refuse(f"has {len(content)} bytes where the manifest says {size_bytes}", path)
    if hashlib.sha256(content).hexdigest() != sha256:
        refuse("has another SHA-256 than the manifest says", path)
    return content


def _take_optional(members: dict[str, bytes], path: str, sha256: str) -> bytes:
    """Remove the member `path` and return it; nothing where the manifest names no digest of it."""
    content = _take(members, path, sha256, None) if sha256 else b""
    if sha256 and not content:
        refuse("is empty", path)
    return content


def _check_detections(packs: Sequence[DetectionPack]) -> None:
    """Refuse packs that a matcher could not run, and rules that stand in two of them."""
    found: dict[str, str] = {}
    for pack in packs:
        for rule in decode_detections(pack.data, pack.entry.path).rules:
            if other := found.get(rule.identifier):
                refuse(f"holds the rule {rule.identifier}, which stands in {other} as well", pack.entry.path)
            found[rule.identifier] = pack.entry.path


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        refuse("is not UTF-8", path, f"byte {error.start}")


def _sample_names(manifest: Manifest) -> list[str]:
    return sorted({test.sample_sha256 for test in manifest.self_tests})
