"""`ringfence keys sign`: one more signature on one document, on a machine that needs no network."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.ceremonies import sign_file
from ringfence.author.key_files import read_key
from ringfence.model.errors import UsageRefused
from ringfence.programs.keys_create import use_pkcs11_library
from ringfence.programs.passphrase import passphrase
from ringfence.wire.key_document import OpenSecret


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A document, such as trust/2.root.json.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The key to sign with.")],
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the passphrase (or the token's PIN) from here.")
    ] = None,
    pkcs11_library: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token's PKCS#11 library, for keys in a token.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: I have read it.")] = False,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Show what a document says, ask, and add one signature to it.

    The file is all that has to travel: each person adds a signature where their key is, and hands the file on.  With
    the earlier documents beside it, what changes is shown too.

    \b
    Example:
      ringfence keys sign /media/usb/trust/2.root.json --key ada.key
    """
    holder = read_key(key)
    use_pkcs11_library(pkcs11_library)

    def confirm(lines: list[str]) -> bool:
        if not as_json or not yes:
            print("\n".join(lines), file=sys.stderr if as_json else sys.stdout, flush=True)
        return yes or agreed(holder.owner)

    document, signed_as = sign_file(
        file,
        holder,
        lambda: "" if isinstance(holder.secret, OpenSecret) else passphrase(f"{holder.owner}'s key", passphrase_file),
        confirm,
    )
    facts = {
        "file": str(file),
        "version": document.signed.version,
        "keyid": holder.keyid,
        "owner": holder.owner,
        "signatures": len(document.signatures),
    }
    if as_json:
        print(json.dumps(facts))
    else:
        count = len(document.signatures)
        print(f"{file}: signed by {holder.owner} as {' and '.join(signed_as)}; {count} signatures now")


def agreed(owner: str) -> bool:
    """Ask on the terminal."""
    if not sys.stdin.isatty():
        raise UsageRefused("there is no terminal to ask on", "read it with `ringfence keys show`, then say --yes")
    return input(f"sign this as {owner}? (yes or no) ").strip().lower() == "yes"
