"""`detect/archives.py`: what honest tools pack is found, what hostile ones pack is bounded."""

import bz2
import gzip
import io
import lzma
import random
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect import archives
from ringfence.detect.archives import Gap, GapReason, Member, walk
from ringfence.detect.byte_source import CalledBytes, HeldBytes
from ringfence.detect.file_type import FileClass
from ringfence.model.limits import (
    ARCHIVE_DEPTH_MAX,
    ARCHIVE_MEMBER_BYTES_MAX,
    ARCHIVE_MEMBERS_MAX,
    ARCHIVE_RATIO_FREE_BYTES,
    SCAN_OVERLAP_BYTES,
)

INNER = b"the inner file: " + bytes(range(256)) * 20
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def seeded(seed: int) -> random.Random:
    """The same bytes in every run."""
    return random.Random(seed)


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_of(members: dict[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def walked(data: bytes) -> tuple[dict[str, bytes], set[GapReason]]:
    """Whole members by path, and the reasons of the gaps."""
    items = list(walk(HeldBytes(data)))
    members = {item.path: item.data for item in items if isinstance(item, Member)}
    return members, {item.reason for item in items if isinstance(item, Gap)}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_methods(method: int) -> None:
    assert walked(zip_of({"a": INNER, "d/b": b"", "ü": b"short"}, method)) == ({"a": INNER, "ü": b"short"}, set())


@pytest.mark.parametrize("name", COMPRESSORS)
def test_compressed_files(name: str) -> None:
    packed = COMPRESSORS[name](INNER)
    assert walked(packed) == ({name: INNER}, set())
    assert walked(packed + packed) == ({name: INNER + INNER}, set())


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_compressed_tars(name: str, form: int) -> None:
    long = "d/" * 60 + "long"
    members, gaps = walked(COMPRESSORS[name](tar_of({"a/b": INNER, long: b"x", "empty": b""}, form)))
    assert members == {f"{name}!a/b": INNER, f"{name}!{long}": b"x"}
    assert not gaps


def test_debian_tools_are_understood(tmp_path: Path) -> None:
    """GNU tar with a sparse file and links, and what `tar` itself writes."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/plain").write_bytes(INNER)
    (tmp_path / "d/link").symlink_to("plain")
    (tmp_path / "d/hard").hardlink_to(tmp_path / "d/plain")
    with (tmp_path / "d/sparse").open("wb") as sparse:
        for place in range(0, 40_000_000, 1_000_000):
            sparse.seek(place)
            sparse.write(b"piece of the sparse file")
    (tmp_path / "d/zz").write_bytes(b"the last one")
    made = subprocess.run(
        ["tar", "-C", str(tmp_path), "--sort=name", "-S", "-czf", "-", "d"], capture_output=True, check=True
    )
    members, gaps = walked(made.stdout)
    assert not gaps
    assert INNER in members.values()
    assert members["gzip!d/zz"] == b"the last one"
    assert b"piece of the sparse file" in members["gzip!d/sparse"]


def test_nesting_and_paths() -> None:
    inner = zip_of({"evil.sh": INNER})
    outer = gzip.compress(tar_of({"box/in.zip": inner, "plain": b"p"}))
    members, gaps = walked(outer)
    assert members == {"gzip!box/in.zip": inner, "gzip!box/in.zip!evil.sh": INNER, "gzip!plain": b"p"}
    assert not gaps


def test_depth_is_bounded() -> None:
    data = INNER
    for _ in range(ARCHIVE_DEPTH_MAX + 1):
        data = zip_of({"z": data}, zipfile.ZIP_STORED)
    _, gaps = walked(data)
    assert gaps == {GapReason.DEPTH}


def test_endless_nesting_ends() -> None:
    """Forty levels; a quine, which unpacks to itself, looks the same to the walk."""
    data = INNER
    for _ in range(40):
        data = gzip.compress(zip_of({"self": data}, zipfile.ZIP_STORED), 1)
    assert walked(data)[1] == {GapReason.DEPTH}


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_bomb_is_bounded_in_memory(name: str) -> None:
    """A gigabyte of zeros in a few kilobytes: the ratio ends it, and memory stays small."""
    block = bytes(1 << 20)
    if name == "zstd":
        maker = zstandard.ZstdCompressor().compressobj()
        bomb = b"".join(maker.compress(block) for _ in range(512)) + maker.flush()
    else:
        bomb = COMPRESSORS[name](block) * 512
    tracemalloc.start()
    pieces = 0
    gaps = set()
    for item in walk(HeldBytes(bomb[: 64 * 1024] if name != "zstd" else bomb)):
        if isinstance(item, Gap):
            gaps.add(item.reason)
        else:
            pieces += len(item.data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert gaps & {GapReason.UNPACKED_BYTES, GapReason.DAMAGED}
    assert pieces <= 2 * ARCHIVE_RATIO_FREE_BYTES
    assert peak < 4 * ARCHIVE_MEMBER_BYTES_MAX


def overlapping_zip(count: int) -> bytes:
    """Many directory entries over one and the same member: the densest kind of bomb."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = kernel.compress(bytes(1_000_000)) + kernel.flush()
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(packed), 1_000_000, 1, 0) + b"a" + packed
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(packed), 1_000_000, 1, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"a") * count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), len(local), 0)
    return local + directory + end


def test_overlapping_members_end_the_walk() -> None:
    _, gaps = walked(overlapping_zip(1_000))
    assert gaps <= {GapReason.OVERLAP, GapReason.UNPACKED_BYTES}
    assert gaps


def test_too_many_members_end_the_walk() -> None:
    """A hundred thousand empty members."""
    entry = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    count = ARCHIVE_MEMBERS_MAX + 10
    assert walked(entry * count) == ({}, {GapReason.MEMBERS})
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    row = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(row) * count, len(local), 0)
    assert walked(local + row * count + end) == ({}, {GapReason.MEMBERS})


def test_declared_sizes_are_not_believed() -> None:
    """A tar header that claims a terabyte, and a zip that claims 4 GiB."""
    entry = tarfile.TarInfo("x")
    entry.size = 1 << 40
    members, gaps = walked(entry.tobuf(tarfile.GNU_FORMAT) + b"the bytes that are there")
    assert members == {"x": b"the bytes that are there"}
    assert gaps == {GapReason.DAMAGED}
    packed = bytearray(zip_of({"a": INNER}))
    place = packed.rfind(b"PK\x01\x02")
    packed[place + 20 : place + 28] = b"\xfe\xff\xff\xff" * 2
    assert walked(bytes(packed))[1] == {GapReason.OVERLAP}


def test_encrypted_and_unsupported_members_are_gaps() -> None:
    packed = bytearray(zip_of({"a": INNER, "b": b"clear"}))
    place = packed.find(b"PK\x01\x02")
    packed[place + 8] |= 1
    assert walked(bytes(packed)) == ({"b": b"clear"}, {GapReason.ENCRYPTED})
    packed[place + 8] &= 0xFE
    packed[place + 10 : place + 12] = b"\x63\x00"
    assert walked(bytes(packed)) == ({"b": b"clear"}, {GapReason.UNSUPPORTED})


def test_a_zip_behind_other_bytes_is_opened() -> None:
    """Self-extractors and pictures with a zip behind them."""
    assert walked(b"\x89PNG" + bytes(5_000) + zip_of({"a": INNER})) == ({"a": INNER}, set())
    assert walked(b"MZ" + bytes(70_000) + zip_of({"a": INNER}))[0] == {"a": INNER}


def test_members_that_the_directory_hides_are_found() -> None:
    """A tool that reads in order sees the members before a second archive; so do we."""
    first, second = zip_of({"hidden": INNER}), zip_of({"shown": b"s"})
    members, _ = walked(first + second)
    assert members["hidden"] == INNER
    assert members["shown"] == b"s"
    cut = first[: first.find(b"PK\x01\x02")]
    assert walked(cut)[0]["hidden"] == INNER


def test_cut_off_archives_give_what_they_have() -> None:
    """What came out before the cut is scanned, and the cut is a gap."""
    for name, compress in COMPRESSORS.items():
        noise = seeded(7).randbytes(3_000_000)
        packed = compress(noise)
        members, gaps = walked(packed[: len(packed) // 2])
        assert noise.startswith(members[name])
        assert len(members[name]) > 100_000
        if name != "zstd":  # its library does not tell a cut from an end; all that there is came out
            assert gaps == {GapReason.DAMAGED}


def test_what_only_looks_like_an_archive_is_none() -> None:
    """Magic bytes and then text: no member, no gap; it is scanned as the file that it is."""
    for magic in (b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"):
        assert walked(magic + b" and then only text" * 10) == ({}, set())
    assert walked(b"") == ({}, set())


def test_a_decoder_that_wants_too_much_memory_is_a_gap() -> None:
    greedy = lzma.compress(INNER, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}])
    assert walked(greedy)[1] == {GapReason.DECODER}
    window = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    maker = zstandard.ZstdCompressor(compression_params=window).compressobj()
    assert walked(maker.compress(INNER) + maker.flush())[1] == {GapReason.DECODER}


def test_a_large_member_comes_in_overlapping_pieces() -> None:
    noise = seeded(3).randbytes(1 << 20)
    large = noise * ((ARCHIVE_MEMBER_BYTES_MAX >> 20) + 3)
    source = HeldBytes(zip_of({"big": large, "small": b"s"}, zipfile.ZIP_STORED))
    pieces = [item for item in walk(source) if isinstance(item, Member) and item.path == "big"]
    assert [piece.offset_bytes for piece in pieces] == [0, ARCHIVE_MEMBER_BYTES_MAX - SCAN_OVERLAP_BYTES]
    assert not any(piece.whole for piece in pieces)
    for piece in pieces:
        assert large[piece.offset_bytes : piece.offset_bytes + len(piece.data)] == piece.data
    assert pieces[-1].offset_bytes + len(pieces[-1].data) == len(large)


def test_a_large_compressed_tar_is_streamed() -> None:
    """Larger than what is held at once, and all members are found."""
    noise = seeded(3).randbytes(1 << 20)
    members = {f"m{n}": noise for n in range((ARCHIVE_MEMBER_BYTES_MAX >> 20) + 4)} | {"last": INNER}
    found, gaps = walked(gzip.compress(tar_of(members), 1))
    assert found["gzip!last"] == INNER
    assert len(found) == len(members)
    assert not gaps


def test_sources_that_shrink_are_survived() -> None:
    """The file is truncated while it is read: fewer bytes, no error."""
    data = zip_of({f"m{n}": seeded(n).randbytes(10_000) for n in range(20)})
    for left in (0, 1, 100, 5_000, len(data) // 2):
        reads = iter(range(10**9))

        def read(length: int, offset: int, left: int = left, reads: object = reads) -> bytes:
            end = len(data) if next(reads) < 6 else left  # type: ignore[call-overload]
            return data[offset : min(end, offset + length)]

        for item in walk(CalledBytes(read, len(data))):
            assert isinstance(item, (Member, Gap))


def test_names_are_text_for_reports() -> None:
    """Invalid UTF-8 and terminal escapes arrive as text without surrogates; whoever prints escapes the rest."""
    entry = tarfile.TarInfo("x\udcff\x1b[31m")
    entry.size = 1
    members, _ = walked(entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + b"q" + bytes(511))
    (name,) = members
    assert name == "x\\xff\x1b[31m"


def seeds() -> list[bytes]:
    """One archive of each kind, small enough to mutate often."""
    files = {"a": b"first " * 20, "dir/b": b"second " * 30, "c" * 60 + "/" + "c" * 60: b"3"}
    tars = [tar_of(files, form) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT)]
    zips = [zip_of(files, method) for method in (0, 8, 12, 14)]
    return [
        *tars,
        *zips,
        *(compress(tars[0]) for compress in COMPRESSORS.values()),
        zip_of({"t.tgz": gzip.compress(tars[1])}),
    ]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with a few bytes, numbers or pieces changed."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(out)) if out else 0
        match rng.randrange(5):
            case 0:
                out[place : place + 1] = rng.randbytes(1)
            case 1:
                out[place : place + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"PK\x01\x02"])
            case 2:
                del out[place : place + rng.randint(1, 40)]
            case 3:
                out[place:place] = out[place : place + rng.randint(1, 600)]
            case _:
                del out[rng.randrange(len(out) + 1) :]
    return bytes(out)


def check_bounded(data: bytes) -> None:
    """Every walk ends with members and gaps only, and unpacks no more than the bound."""
    total = 0
    for item in walk(HeldBytes(data)):
        if isinstance(item, Member):
            total += len(item.data)
            assert len(item.data) <= ARCHIVE_MEMBER_BYTES_MAX
            item.path.encode("utf-8")
    assert total <= ARCHIVE_DEPTH_MAX * (ARCHIVE_RATIO_FREE_BYTES + len(data))


@pytest.mark.load
def test_forty_thousand_mutated_archives() -> None:
    """Seeded: a failure prints its number, and the same number fails again."""
    originals = seeds()
    for number in range(40_000):
        rng = seeded(number)
        data = mutated(rng.choice(originals), rng)
        try:
            check_bounded(data)
        except Exception as failure:
            raise AssertionError(f"mutation {number}") from failure


@given(
    st.binary(max_size=2_000),
    st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"PK\x05\x06"]),
)
def test_any_bytes_are_bounded(data: bytes, magic: bytes) -> None:
    check_bounded(magic + data)
    check_bounded(data + magic + data)


def test_containers_are_known_by_their_kind() -> None:
    assert archives.container_kind(HeldBytes(zip_of({"a": b""}))) is FileClass.ZIP
    assert archives.container_kind(HeldBytes(b"text")) is None
