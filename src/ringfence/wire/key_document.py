"""A key as a file: canonical JSON <-> a value.  Public halves are shared, secrets never leave their holder.

{"format":1,"keyid":"<64 hex>","keytype":"ed25519","owner":"Ada","public":"<hex>","scheme":"ed25519","secret":{...}}

`public` is 32 bytes for ed25519 and a DER SubjectPublicKeyInfo for every other type.  `secret` is one of

    {"kind":"none"}                                   the public half
    {"box":…,"kind":"sealed","n":…,"nonce":…,"salt":…}  an ed25519 seed behind a passphrase
    {"kind":"open","seed":"<hex>"}                    an ed25519 seed, for a key that a server must read alone
    {"kind":"reference","uri":"hsm:2?label=…"}        it is in a token or in a cloud's key service

Everything that is off is a KeyRefused with file and place.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from ringfence.model import limits
from ringfence.model.errors import ContentRefused, KeyRefused
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue

KEY_FORMAT: Final = 1
SEED_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
BOX_BYTES: Final = SEED_BYTES + 16
"""The seed and ChaCha20-Poly1305's tag."""

ED25519: Final = "ed25519"
SCHEMES: Final = frozenset({ED25519, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "rsassa-pss-sha256"})
KEY_TYPES: Final = frozenset({ED25519, "ecdsa", "rsa"})
URI_SCHEMES: Final = ("hsm:", "gcpkms:", "awskms:", "azurekms:", "hv:")
"""Where a secret may be, in the words of securesystemslib: PKCS#11, three clouds, HashiCorp Vault."""

_WAY_OUT: Final = "name a key file that `ringfence keys create` has written, or restore it from its copy"
_NAMES: Final = frozenset({"format", "keyid", "keytype", "owner", "public", "scheme", "secret"})
_KEYID: Final = re.compile(r"[0-9a-f]{64}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")
_URI: Final = re.compile(rf"(?:{'|'.join(URI_SCHEMES)})[!-~]{{0,{limits.KEY_URI_CHARACTERS_MAX}}}")
_SECRET_NAMES: Final = {
    "none": frozenset({"kind"}),
    "sealed": frozenset({"box", "kind", "n", "nonce", "salt"}),
    "open": frozenset({"kind", "seed"}),
    "reference": frozenset({"kind", "uri"}),
}


@dataclass(frozen=True, slots=True)
class NoSecret:
    """The public half alone."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A seed that a passphrase opens: scrypt, then ChaCha20-Poly1305 over the seed, bound to the public half."""

    cost: int
    salt: bytes
    nonce: bytes
    box: bytes


@dataclass(frozen=True, slots=True)
class OpenSecret:
    """A seed as it is, for a key that no person opens."""

    seed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is that cannot be read."""

    uri: str


Secret = NoSecret | SealedSecret | OpenSecret | SecretReference


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """One key.  `owner` is who holds it, in words for people."""

    owner: str
    keyid: str
    key_type: str
    scheme: str
    public: bytes
    secret: Secret = NoSecret()

    def public_half(self) -> "KeyDocument":
        """The same key without its secret."""
        return KeyDocument(self.owner, self.keyid, self.key_type, self.scheme, self.public)


def encode_key(key: KeyDocument) -> bytes:
    """The bytes of a key file."""
    table = {**public_table(key), "format": KEY_FORMAT, "secret": _secret_table(key.secret)}
    return canonical.encode(table)


def public_table(key: KeyDocument) -> dict[str, JsonValue]:
    """What a sealed secret is bound to."""
    return {
        "keyid": key.keyid,
        "keytype": key.key_type,
        "owner": key.owner,
        "public": key.public.hex(),
        "scheme": key.scheme,
    }


def decode_key(data: bytes, *, file: str) -> KeyDocument:
    """The key in `data`, which is called `file` in errors.  Raises KeyRefused."""
    try:
        top = Fields(canonical.decode(data, file=file, bytes_max=limits.KEY_FILE_BYTES_MAX), _NAMES, file=file)
        top.integer("format", KEY_FORMAT, KEY_FORMAT)
        public = _bytes(top, "public", limits.KEY_PUBLIC_BYTES_MAX)
        key_type = top.one_of("keytype", KEY_TYPES)
        scheme = top.one_of("scheme", SCHEMES)
        if (key_type == ED25519) != (scheme == ED25519) or (key_type == ED25519 and len(public) != SEED_BYTES):
            top.refuse("scheme", f"a key of type {key_type} with {len(public)} bytes does not sign with {scheme}")
        return KeyDocument(
            owner=top.text("owner", limits.KEY_OWNER_CHARACTERS_MAX, empty=False),
            keyid=top.word("keyid", _KEYID),
            key_type=key_type,
            scheme=scheme,
            public=public,
            secret=_secret(top, key_type),
        )
    except ContentRefused as error:
        raise KeyRefused(error.what, _WAY_OUT) from error


def _secret(top: Fields, key_type: str) -> Secret:
    kind = next((word for word, names in _SECRET_NAMES.items() if _has(top, names)), "none")
    fields = top.inner("secret", _SECRET_NAMES[kind])
    if fields.one_of("kind", frozenset(_SECRET_NAMES)) != kind:
        fields.refuse("kind", "does not fit the other fields")
    if kind in ("sealed", "open") and key_type != ED25519:
        fields.refuse("kind", f"a secret of type {key_type} is never in a file")
    match kind:
        case "sealed":
            return SealedSecret(
                fields.integer("n", limits.KEY_SCRYPT_RATIO_MIN, limits.KEY_SCRYPT_RATIO_MAX),
                _bytes(fields, "salt", SALT_BYTES, exact=True),
                _bytes(fields, "nonce", NONCE_BYTES, exact=True),
                _bytes(fields, "box", BOX_BYTES, exact=True),
            )
        case "open":
            return OpenSecret(_bytes(fields, "seed", SEED_BYTES, exact=True))
        case "reference":
            return SecretReference(fields.word("uri", _URI))
        case _:
            return NoSecret()


def _has(top: Fields, names: frozenset[str]) -> bool:
    try:
        top.inner("secret", names)
    except ContentRefused:
        return False
    return True


def _bytes(fields: Fields, name: str, size: int, *, exact: bool = False) -> bytes:
    found = bytes.fromhex(fields.word(name, _HEX))
    if len(found) > size or (exact and len(found) != size):
        fields.refuse(name, f"has {len(found)} bytes where {size} are {'wanted' if exact else 'allowed'}")
    return found


def _secret_table(secret: Secret) -> JsonValue:
    match secret:
        case SealedSecret(cost, salt, nonce, box):
            return {"box": box.hex(), "kind": "sealed", "n": cost, "nonce": nonce.hex(), "salt": salt.hex()}
        case OpenSecret(seed):
            return {"kind": "open", "seed": seed.hex()}
        case SecretReference(uri):
            return {"kind": "reference", "uri": uri}
        case NoSecret():
            return {"kind": "none"}
