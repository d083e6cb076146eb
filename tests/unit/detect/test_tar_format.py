"""`detect/tar_format.py`: headers as tools write them, and as nobody should."""

import tarfile
from typing import Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.byte_source import ByteStream
from ringfence.detect.tar_format import TarBound, TarDamaged, TarMember, tar_members
from ringfence.model.limits import ARCHIVE_ATTRIBUTES_BYTES_MAX

FORMS: Final[tuple[Literal[1, 2], ...]] = (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def header(
    name: str = "x", size: int = 0, kind: bytes = tarfile.REGTYPE, form: Literal[1, 2] = tarfile.GNU_FORMAT
) -> bytes:
    """The blocks that the standard library writes for one member."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.type = kind
    return entry.tobuf(form, "utf-8", "surrogateescape")


def members(data: bytes) -> list[TarMember]:
    """Every member, its bytes skipped."""
    stream = ByteStream(iter([data]))
    found = []
    for member in tar_members(stream):
        found.append(member)
        stream.read(member.length_bytes + member.padding_bytes)
    return found


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=300), st.integers(0, 1 << 40)
)
def test_names_and_sizes_come_back(name: str, size: int) -> None:
    """GNU and pax headers, long names and large sizes."""
    for form in FORMS:
        blocks = header(name.strip("/") or "x", size, form=form)
        (member,) = members(blocks)
        assert (member.name, member.length_bytes) == (name.strip("/") or "x", size)
        assert (size + member.padding_bytes) % 512 == 0


def test_links_and_directories_carry_no_bytes() -> None:
    """Whatever their size field says: else the next header would be skipped as their data."""
    for kind in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        blocks = header("link", 4096, kind) + header("file", 3) + b"abc" + bytes(509)
        assert [member.length_bytes for member in members(blocks)] == [0, 3]


def test_a_wrong_checksum_is_damage() -> None:
    blocks = bytearray(header())
    blocks[0] ^= 1
    with pytest.raises(TarDamaged):
        members(bytes(blocks))


def test_attributes_are_bounded_and_strict() -> None:
    with pytest.raises(TarBound):
        members(header("x", ARCHIVE_ATTRIBUTES_BYTES_MAX + 1, tarfile.XHDTYPE))
    with pytest.raises(TarBound):
        members(header("x", 5_000, tarfile.GNUTYPE_LONGNAME))
    for record in (b"99 path=x\n", b"-1 path=x\n", b"9 size=-5\n", b"x path=x\n", b"0 \n", b"1" * 20 + b" a=b\n"):
        with pytest.raises(TarDamaged):
            members(header("x", len(record), tarfile.XHDTYPE) + record.ljust(512, b"\0") + header())


def test_two_zero_blocks_or_the_end_end_it() -> None:
    assert [member.name for member in members(header("a") + bytes(1024) + header("b"))] == ["a"]
    assert members(b"") == []
    with pytest.raises(TarDamaged):
        members(header("a")[:300])
