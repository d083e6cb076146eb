"""Keys: made, sealed, opened, and turned into what signs and verifies.

The secret of a file key is an ed25519 seed.  Sealed: scrypt over the passphrase gives the key of a ChaCha20-Poly1305
box whose additional data is the public half, so that a box cannot be moved under another name.  PKCS#8 is not used:
its writer has no cost above 2,048 rounds (docs/adr/0008-key-files.md).

Salt, nonce and seed are arguments: nothing here is random.
"""

import unicodedata
from typing import Any, Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from ringfence.model.errors import KeyRefused
from ringfence.wire import canonical
from ringfence.wire.key_document import (
    ED25519,
    KeyDocument,
    NoSecret,
    OpenSecret,
    SealedSecret,
    SecretReference,
    public_table,
)

OWNER_FIELD: Final = "x-ringfence-owner"
"""Field of a key in signed metadata that says who holds it."""

_SCRYPT_BLOCK: Final = 8
_SCRYPT_LANES: Final = 1


def seal(owner: str, seed: bytes, passphrase: str, *, salt: bytes, nonce: bytes, cost: int) -> KeyDocument:
    """A new ed25519 key whose seed only `passphrase` opens."""
    public = open_key(owner, seed).public_half()
    box = ChaCha20Poly1305(_derived(passphrase, salt, cost)).encrypt(nonce, seed, _bound(public))
    return KeyDocument(
        owner, public.keyid, public.key_type, public.scheme, public.public, SealedSecret(cost, salt, nonce, box)
    )


def open_key(owner: str, seed: bytes) -> KeyDocument:
    """A new ed25519 key whose seed stands in its file."""
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    keyid = SSlibKey.from_crypto(Ed25519PrivateKey.from_private_bytes(seed).public_key()).keyid
    return KeyDocument(owner, keyid, ED25519, ED25519, raw, OpenSecret(seed))


def referenced_key(owner: str, uri: str, public: SSlibKey) -> KeyDocument:
    """A key whose secret is in a token or a cloud's key service."""
    der = public.to_dict()["keyval"]["public"].encode()
    data = serialization.load_pem_public_key(der).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return KeyDocument(owner, public.keyid, public.keytype, public.scheme, data, SecretReference(uri))


def verifying_key(key: KeyDocument) -> SSlibKey:
    """The key as it stands in signed metadata.  Raises KeyRefused when the public half is no key or not this one."""
    way_out = "get the key from its owner again"
    try:
        loaded = (
            Ed25519PublicKey.from_public_bytes(key.public)
            if key.key_type == ED25519
            else serialization.load_der_public_key(key.public)
        )
        found = SSlibKey.from_crypto(loaded, scheme=key.scheme)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused(f"the public half of {key.owner}'s key is no key: {error}", way_out) from error
    if (found.keyid, found.keytype) != (key.keyid, key.key_type):
        raise KeyRefused(
            f"the key of {key.owner} says that it is {key.keyid[:16]}…, but is {found.keyid[:16]}…", way_out
        )
    return SSlibKey(found.keyid, found.keytype, found.scheme, found.keyval, {OWNER_FIELD: key.owner})


def signer(key: KeyDocument, passphrase: str) -> Signer:
    """What signs with `key`.  Raises KeyRefused; reading a token or a cloud's key service is the library's doing."""
    public = verifying_key(key)
    match key.secret:
        case SealedSecret():
            return CryptoSigner(Ed25519PrivateKey.from_private_bytes(_unsealed(key, key.secret, passphrase)), public)
        case OpenSecret(seed):
            if Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() != key.public:
                raise KeyRefused(f"the two halves of {key.owner}'s key do not fit", "restore the key from its copy")
            return CryptoSigner(Ed25519PrivateKey.from_private_bytes(seed), public)
        case SecretReference(uri):
            try:
                return Signer.from_priv_key_uri(uri, public, lambda _: passphrase)
            except (ValueError, UnsupportedLibraryError, ImportError, OSError) as error:
                raise KeyRefused(
                    f"the secret of {key.owner}'s key at {uri} cannot be reached: {error}",
                    "install what that kind of key needs (`pip install ringfence[pkcs11]`, or securesystemslib's extra"
                    " for the cloud), connect the token, and name its library with --pkcs11-library",
                ) from error
        case NoSecret():
            raise KeyRefused(f"this is only the public half of {key.owner}'s key", "sign with the .key file")


def sign_with(signing: Signer, data: bytes, owner: str) -> Any:  # noqa: ANN401 - securesystemslib's Signature
    """One signature.  Raises KeyRefused when a token or service does not give it."""
    try:
        return signing.sign(data)
    except Exception as error:  # each library behind a signer has errors of its own
        raise KeyRefused(
            f"{owner}'s key did not sign: {type(error).__name__} {error}".rstrip(),
            "look at the token, its PIN and its library, or at the key service's permissions",
        ) from error


def owner_of(key: Any) -> str:  # noqa: ANN401 - securesystemslib's Key
    """Who holds a key of signed metadata, in printable words."""
    said = key.unrecognized_fields.get(OWNER_FIELD, "")
    printable = isinstance(said, str) and said and not canonical.is_unwelcome(said)
    return said if printable else f"key {key.keyid[:12]}"


def _unsealed(key: KeyDocument, sealed: SealedSecret, passphrase: str) -> bytes:
    derived = _derived(passphrase, sealed.salt, sealed.cost)
    try:
        seed = ChaCha20Poly1305(derived).decrypt(sealed.nonce, sealed.box, _bound(key))
    except InvalidTag as error:
        raise KeyRefused(
            f"{key.owner}'s key does not open: the passphrase is wrong, or the file was changed",
            "type the passphrase again; if it is right, restore the key from its copy",
        ) from error
    if Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() != key.public:
        raise KeyRefused(f"the two halves of {key.owner}'s key do not fit", "restore the key from its copy")
    return seed


def _bound(key: KeyDocument) -> bytes:
    return canonical.encode(public_table(key))


def _derived(passphrase: str, salt: bytes, cost: int) -> bytes:
    """One spelling of the passphrase on every keyboard."""
    words = unicodedata.normalize("NFC", passphrase).encode(errors="surrogateescape")
    return Scrypt(salt=salt, length=32, n=cost, r=_SCRYPT_BLOCK, p=_SCRYPT_LANES).derive(words)
