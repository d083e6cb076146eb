"""Key files: every spelling but one is refused, with file and place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.key_ring import key

from ringfence.model.errors import KeyRefused
from ringfence.wire import canonical
from ringfence.wire.key_document import (
    KeyDocument,
    NoSecret,
    OpenSecret,
    SealedSecret,
    SecretReference,
    decode_key,
    encode_key,
)

ADA = key("Ada")
SEALED = KeyDocument(
    ADA.owner, ADA.keyid, ADA.key_type, ADA.scheme, ADA.public,
    SealedSecret(131_072, bytes(16), bytes(12), bytes(48)),
)  # fmt: skip
TOKEN = KeyDocument(
    "Grace", "ab" * 32, "ecdsa", "ecdsa-sha2-nistp256", bytes(91), SecretReference("hsm:2?label=Grace")
)
EXAMPLES = (ADA, ADA.public_half(), SEALED, TOKEN, TOKEN.public_half())


@pytest.mark.parametrize("document", EXAMPLES)
def test_a_key_comes_back_as_it_was(document: KeyDocument) -> None:
    assert decode_key(encode_key(document), file="ada.key") == document


def test_a_public_half_has_no_secret() -> None:
    assert ADA.public_half().secret == NoSecret()
    assert isinstance(ADA.secret, OpenSecret)
    assert ADA.secret.seed.hex().encode() not in encode_key(ADA.public_half())


def test_no_secret_is_ever_printed() -> None:
    assert isinstance(ADA.secret, OpenSecret)
    assert repr(ADA.secret.seed) not in repr(ADA)


def _changed(document: KeyDocument, **fields: object) -> bytes:
    table: dict[str, Any] = json.loads(encode_key(document))
    table.update(fields)
    return canonical.encode(table)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"format": 2}, "/format"),
        ({"keyid": "AB" * 32}, "/keyid"),
        ({"keytype": "dsa"}, "/keytype"),
        ({"keytype": "rsa"}, "/scheme"),
        ({"scheme": "ecdsa-sha2-nistp256"}, "/scheme"),
        ({"public": "abc"}, "/public"),
        ({"public": "ab" * 31}, "/scheme"),
        ({"public": "ab" * 3000}, "/public"),
        ({"owner": ""}, "/owner"),
        ({"owner": "A\u202eda"}, "/owner"),
        ({"owner": "x" * 65}, "/owner"),
        ({"more": 1}, "unknown field"),
        ({"secret": {"kind": "open", "seed": "ab"}}, "/secret/seed"),
        ({"secret": {"kind": "none", "seed": "ab" * 32}}, "/secret/kind"),
        ({"secret": {"kind": "sealed"}}, "/secret/kind"),
        ({"secret": {"kind": "reference", "uri": "file:/etc/shadow"}}, "/secret/uri"),
        ({"secret": {"kind": "reference", "uri": "hsm:2 2"}}, "/secret/uri"),
        ({"secret": {"box": "ab" * 48, "kind": "sealed", "n": 1024, "nonce": "ab" * 12, "salt": "ab" * 16}}, "/n"),
        ({"secret": {"box": "ab" * 48, "kind": "sealed", "n": 2**30, "nonce": "ab" * 12, "salt": "ab" * 16}}, "/n"),
        ({"secret": {"box": "ab" * 47, "kind": "sealed", "n": 2**17, "nonce": "ab" * 12, "salt": "ab" * 16}}, "/box"),
        ({"secret": None}, "/secret"),
    ],
)
def test_what_is_off_is_refused_with_its_place(fields: dict[str, object], place: str) -> None:
    with pytest.raises(KeyRefused, match=r"ada\.key") as refused:
        decode_key(_changed(ADA, **fields), file="ada.key")
    assert place in refused.value.what
    assert refused.value.exit_status == 82


def test_only_an_ed25519_secret_is_ever_in_a_file() -> None:
    with pytest.raises(KeyRefused, match="never in a file"):
        decode_key(_changed(TOKEN, secret={"kind": "open", "seed": "ab" * 32}), file="grace.key")


@given(st.sampled_from(EXAMPLES), st.integers(0, 5_000), st.integers(0, 255))
def test_no_changed_byte_gives_another_spelling_of_the_same_key(document: KeyDocument, at: int, byte: int) -> None:
    data = bytearray(encode_key(document))
    data[at % len(data)] = byte
    try:
        found = decode_key(bytes(data), file="ada.key")
    except KeyRefused:
        return
    assert encode_key(found) == bytes(data)


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(KeyRefused):
        decode_key(noise, file="noise")
