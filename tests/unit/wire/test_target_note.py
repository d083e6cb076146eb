"""The note that signed metadata carries about a release."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import SignatureRefused
from ringfence.wire.target_note import ReleaseNote, canonical_note, decode_note, note_table

NOTE = ReleaseNote("starter", 3, 7, unproven=False, tar_sha256="ab" * 32, tar_bytes=10_240, zstd="1.5.7", level=19)


def test_a_note_comes_back_as_it_was() -> None:
    assert decode_note(note_table(NOTE), target="releases/x") == NOTE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2), ("format", True), ("level", 0), ("level", 23), ("name", "Starter"), ("name", ""),
        ("signed_version", 0), ("signed_version", 2**31), ("tar_bytes", 0), ("tar_bytes", 2**40), ("tar_sha256", "ab"),
        ("unproven", 0), ("unproven", "no"), ("version", 0), ("version", "3"), ("zstd", "1.5"), ("zstd", "1.5.7\n"),
    ],
)  # fmt: skip
def test_what_is_off_is_refused_with_its_place(field: str, value: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(SignatureRefused, match=f"releases/x:/{field}") as refused:
        decode_note({**note_table(NOTE), field: value}, target="releases/x")
    assert refused.value.exit_status == 81


@pytest.mark.parametrize("custom", [None, [], "x", {}, {"format": 1}])
def test_a_target_without_a_whole_note_is_refused(custom: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(SignatureRefused, match="releases/x"):
        decode_note(custom, target="releases/x")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(SignatureRefused, match="unknown field"):
        decode_note({**note_table(NOTE), "proven": True}, target="releases/x")


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**28), st.booleans())
def test_every_note_has_one_spelling(version: int, size: int, unproven: bool) -> None:  # noqa: FBT001 - drawn
    note = ReleaseNote("a", version, 1, unproven=unproven, tar_sha256="00" * 32, tar_bytes=size, zstd="1.5.7", level=3)
    assert decode_note(note_table(note), target="t") == note
    assert canonical_note(note) != canonical_note(NOTE)
