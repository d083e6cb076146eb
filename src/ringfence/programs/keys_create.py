"""`ringfence keys create`: a new key, or a key file for one that lives in a token or a cloud's key service."""

import json
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.key_files import write_key_pair
from ringfence.author.outside_keys import imported_key
from ringfence.model.errors import UsageRefused
from ringfence.model.limits import KEY_OWNER_CHARACTERS_MAX, KEY_SCRYPT_RATIO
from ringfence.programs.passphrase import new_passphrase, passphrase
from ringfence.trust.keys import open_key, seal
from ringfence.wire.canonical import is_unwelcome
from ringfence.wire.key_document import NONCE_BYTES, SALT_BYTES, SEED_BYTES, KeyDocument


def command(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Who holds the key, in words for people.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the key goes (FILE, 0600) and"
                                         " its public half (the same with .pub).")],
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the passphrase (or the token's PIN) from here.")
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="No passphrase: for the rollout, snapshot or timestamp key of a server.")
    ] = False,
    uri: Annotated[
        str, typer.Option(metavar="URI", help="The secret is elsewhere: hsm:ID?label=TOKEN, gcpkms:…, awskms:…,"
                          " azurekms:…, hv:…")
    ] = "",
    pkcs11_library: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token's PKCS#11 library, for hsm: URIs.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Make a key: ed25519 behind a passphrase, or a file that names a key in a token or a cloud's key service.

    Give the .pub file to whoever runs `ringfence keys init` or `ringfence keys rotate`; keep the other one.

    \b
    Examples:
      ringfence keys create Ada -o ada.key
      ringfence keys create 'the server' -o timestamp.key --online
      ringfence keys create Grace -o grace.key --uri 'hsm:2?label=Grace' --pkcs11-library /usr/lib/opensc-pkcs11.so
    """
    if not owner or len(owner) > KEY_OWNER_CHARACTERS_MAX or is_unwelcome(owner):
        raise UsageRefused(
            f"an owner is a line of 1 to {KEY_OWNER_CHARACTERS_MAX} characters", "name the person or the machine"
        )
    if online and uri:
        raise UsageRefused("--online and --uri cannot go together", "a key elsewhere has no passphrase here anyway")
    key = _made(owner, uri, passphrase_file, pkcs11_library, online=online)
    public = write_key_pair(key, output)
    facts = {"file": str(output), "public": str(public), "keyid": key.keyid, "owner": owner, "scheme": key.scheme}
    if as_json:
        print(json.dumps(facts))
    else:
        print(f"{output}: {key.scheme} key of {owner}, {key.keyid}")
        print(f"{public}: its public half, for `ringfence keys init` and `ringfence keys rotate`")


def _made(owner: str, uri: str, passphrase_file: Path | None, library: Path | None, *, online: bool) -> KeyDocument:
    if uri:
        use_pkcs11_library(library)
        return imported_key(owner, uri, lambda what: passphrase(what, passphrase_file))
    seed = secrets.token_bytes(SEED_BYTES)
    if online:
        return open_key(owner, seed)
    words = new_passphrase(passphrase_file)
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    return seal(owner, seed, words, salt=salt, nonce=nonce, cost=KEY_SCRYPT_RATIO)


def use_pkcs11_library(library: Path | None) -> None:
    """Let securesystemslib find the token's library: it looks into the environment."""
    if library is not None:
        os.environ["PYKCS11LIB"] = str(library)
