"""Keys: sealed, opened, signing; a box that was moved or a passphrase that is wrong opens nothing."""

import dataclasses

import pytest
from tests.support.key_ring import key

from ringfence.model.errors import KeyRefused
from ringfence.model.limits import KEY_SCRYPT_RATIO_MIN
from ringfence.trust.keys import OWNER_FIELD, owner_of, seal, sign_with, signer, verifying_key
from ringfence.wire.key_document import KeyDocument, OpenSecret, SealedSecret, SecretReference

SEED = bytes(range(32))
WORDS = "correct horse battery staple"
SEALED = seal("Ada", SEED, WORDS, salt=bytes(16), nonce=bytes(12), cost=KEY_SCRYPT_RATIO_MIN)


def test_a_sealed_key_signs_after_its_passphrase_and_verifies_by_its_public_half() -> None:
    signature = sign_with(signer(SEALED, WORDS), b"data", "Ada")
    verifying_key(SEALED.public_half()).verify_signature(signature, b"data")
    assert signature.keyid == SEALED.keyid


@pytest.mark.parametrize("wrong", ["", "correct horse battery stapl", WORDS.upper(), f"{WORDS} "])
def test_another_passphrase_opens_nothing(wrong: str) -> None:
    with pytest.raises(KeyRefused, match="does not open"):
        signer(SEALED, wrong)


def test_one_passphrase_however_the_keyboard_composes_it() -> None:
    sealed = seal("Ada", SEED, "Zo\u0065\u0308 likes tea", salt=bytes(16), nonce=bytes(12), cost=KEY_SCRYPT_RATIO_MIN)
    assert signer(sealed, "Zo\u00eb likes tea").public_key.keyid == SEALED.keyid


def test_a_box_under_another_name_does_not_open() -> None:
    stolen = dataclasses.replace(SEALED, owner="Grace")
    with pytest.raises(KeyRefused, match="file was changed"):
        signer(stolen, WORDS)


@pytest.mark.parametrize("field", ["salt", "nonce", "box"])
def test_a_changed_box_does_not_open(field: str) -> None:
    assert isinstance(SEALED.secret, SealedSecret)
    old: bytes = getattr(SEALED.secret, field)
    secret = dataclasses.replace(SEALED.secret, **{field: bytes([old[0] ^ 1]) + old[1:]})  # type: ignore[arg-type]
    with pytest.raises(KeyRefused, match="does not open"):
        signer(dataclasses.replace(SEALED, secret=secret), WORDS)


def test_the_public_half_alone_does_not_sign() -> None:
    with pytest.raises(KeyRefused, match="only the public half"):
        signer(SEALED.public_half(), WORDS)


def test_two_halves_that_do_not_fit_are_refused() -> None:
    mixed = dataclasses.replace(key("Ada"), secret=OpenSecret(SEED))
    with pytest.raises(KeyRefused, match="do not fit"):
        signer(mixed, "")


def test_a_key_under_a_foreign_identifier_is_refused() -> None:
    with pytest.raises(KeyRefused, match="but is"):
        verifying_key(dataclasses.replace(key("Ada"), keyid=key("Grace").keyid))


@pytest.mark.parametrize("public", [b"", b"\x30\x00", bytes(91)])
def test_a_public_half_that_is_no_key_is_refused(public: bytes) -> None:
    broken = KeyDocument("Ada", "ab" * 32, "ecdsa", "ecdsa-sha2-nistp256", public, SecretReference("hsm:2"))
    with pytest.raises(KeyRefused, match="no key"):
        verifying_key(broken)


def test_metadata_says_who_holds_a_key_and_never_lies_to_a_terminal() -> None:
    held = verifying_key(key("Ada"))
    assert owner_of(held) == "Ada"
    held.unrecognized_fields[OWNER_FIELD] = "Ada\x1b[2K"
    assert owner_of(held) == f"key {held.keyid[:12]}"


def test_a_token_that_cannot_be_reached_is_said() -> None:
    public = key("Ada")
    away = KeyDocument("Ada", public.keyid, "ed25519", "ed25519", public.public, SecretReference("hsm:2?label=none"))
    with pytest.raises(KeyRefused) as refused:
        sign_with(signer(away, "1234"), b"data", "Ada")
    assert "token" in refused.value.way_out or "pkcs11" in refused.value.way_out
