"""The update client's memory on disk: strict, because a thief of the directory would like it lenient."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import ContentRefused
from ringfence.model.update import RoleMemory, UpdateMemory
from ringfence.wire import canonical
from ringfence.wire.update_memory import decode_memory, encode_memory

MEMORY = UpdateMemory((RoleMemory("content", 7, "ab" * 32), RoleMemory("root", 2, "cd" * 32)), 1_764_244_800)


def test_a_memory_comes_back_as_it_was() -> None:
    assert decode_memory(encode_memory(MEMORY)) == MEMORY
    assert decode_memory(encode_memory(UpdateMemory())) == UpdateMemory()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": 2}, "/format"),
        ({"seen_at_s": -1}, "/seen_at_s"),
        ({"roles": [{"keys": "ab" * 32, "role": "root", "version": 0}]}, "/roles/0/version"),
        ({"roles": [{"keys": "ab", "role": "root", "version": 1}]}, "/roles/0/keys"),
        ({"roles": [{"keys": "ab" * 32, "role": "../root", "version": 1}]}, "/roles/0/role"),
        ({"roles": [{"keys": "ab" * 32, "role": "root", "version": 1}] * 2}, "/roles/1/role"),
        ({"more": 1}, "unknown field"),
    ],
)
def test_what_is_off_is_refused_with_its_place(change: dict[str, Any], place: str) -> None:
    table = {**json.loads(encode_memory(MEMORY)), **change}
    with pytest.raises(ContentRefused) as refused:
        decode_memory(canonical.encode(table))
    assert place in refused.value.what


@given(st.integers(0, 1_000), st.integers(0, 255))
def test_no_changed_byte_gives_another_spelling(at: int, byte: int) -> None:
    data = bytearray(encode_memory(MEMORY))
    data[at % len(data)] = byte
    try:
        found = decode_memory(bytes(data))
    except ContentRefused:
        return
    assert encode_memory(found) == bytes(data)
