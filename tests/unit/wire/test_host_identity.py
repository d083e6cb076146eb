"""The identity file: canonical or refused, and its credential stays out of texts."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import ContentRefused
from ringfence.wire.host_identity import HostIdentity, decode_identity, encode_identity

IDENTITY = HostIdentity("ab" * 16, "https://127.0.0.1:8443", b"\x30\x82 a certificate", "cd" * 32)


@pytest.mark.parametrize(
    "server", ["https://127.0.0.1:8443", "https://[::1]:1", "https://edr.example.org", "https://a/"]
)
def test_an_identity_comes_back(server: str) -> None:
    identity = dataclasses.replace(IDENTITY, server=server)
    assert decode_identity(encode_identity(identity)) == identity


@pytest.mark.parametrize(
    "change",
    [
        {"server": "http://127.0.0.1"},
        {"server": "https://user@host"},
        {"server": "https://host/path"},
        {"host_id": "AB" * 16},
        {"credential": "cd"},
        {"ca_der": b""},
    ],
)
def test_what_no_server_gives_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ContentRefused):
        decode_identity(encode_identity(dataclasses.replace(IDENTITY, **change)))  # type: ignore[arg-type]


@given(position=st.integers(0, len(encode_identity(IDENTITY)) - 1), byte=st.integers(0, 255))
def test_a_damaged_identity_is_refused_or_another_exact_one(position: int, byte: int) -> None:
    data = bytearray(encode_identity(IDENTITY))
    data[position] = byte
    try:
        found = decode_identity(bytes(data))
    except ContentRefused:
        return
    assert encode_identity(found) == bytes(data)


def test_the_credential_is_not_shown() -> None:
    assert "cd" * 32 not in repr(IDENTITY)
