"""`detect/zip_format.py`: directories as tools write them, and as nobody should."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.byte_source import HeldBytes
from ringfence.detect.zip_format import ZipDamaged, ZipMember, ZipOverlap, has_end_record, zip_members


def zip_of(*names: str, force_zip64: bool = False, comment: bytes = b"") -> bytes:
    """A zip of stored members whose content is their name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment
        for name in names:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=force_zip64) as member:
                member.write(name.encode())
    return out.getvalue()


def contents(data: bytes) -> dict[str, bytes]:
    """Stored members by name."""
    return {m.name: data[m.offset_bytes : m.offset_bytes + m.length_bytes] for m in zip_members(HeldBytes(data))}


@given(st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30), max_size=5))
def test_members_are_where_the_directory_says(names: set[str]) -> None:
    """Any names, plain and zip64, with bytes before the archive and a comment behind it."""
    for force_zip64 in (False, True):
        data = zip_of(*names, force_zip64=force_zip64, comment=b"c" * 300)
        expected = {name: name.encode() for name in names}
        assert contents(data) == expected
        assert contents(b"MZ some program" * 100 + data) == expected


def test_the_end_record_is_found_behind_the_longest_comment_only() -> None:
    assert has_end_record(HeldBytes(zip_of("a", comment=b"c" * 65_535)))
    assert not has_end_record(HeldBytes(b"PK\x05\x06"))
    assert not has_end_record(HeldBytes(b"text"))
    assert not has_end_record(HeldBytes(b""))


def test_a_directory_that_points_nowhere_is_damaged() -> None:
    data = bytearray(zip_of("a"))
    place = data.find(b"PK\x01\x02")
    data[place + 42 : place + 46] = b"\x05\x00\x00\x00"
    with pytest.raises(ZipDamaged):
        list(zip_members(HeldBytes(bytes(data))))


def test_members_may_not_add_up_to_more_than_the_file() -> None:
    data = bytearray(zip_of("a"))
    place = data.find(b"PK\x01\x02")
    data[place + 20 : place + 24] = (len(data) + 1).to_bytes(4, "little")
    with pytest.raises(ZipOverlap):
        list(zip_members(HeldBytes(bytes(data))))


def test_without_a_directory_the_headers_are_followed() -> None:
    whole = zip_of("first", "second")
    cut = whole[: whole.find(b"PK\x01\x02")]
    assert contents(cut) == {"first": b"first", "second": b"second"}


def test_a_member_is_told_to_be_encrypted() -> None:
    data = bytearray(zip_of("a"))
    data[data.find(b"PK\x01\x02") + 8] |= 1
    (member,) = zip_members(HeldBytes(bytes(data)))
    assert isinstance(member, ZipMember)
    assert member.encrypted
