"""`ringfence content sign`: releases go into the content document, which gets its first signature."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.ceremonies import sign_file
from ringfence.author.key_files import read_key
from ringfence.author.sign import add_releases
from ringfence.author.trust_directory import TrustDirectory
from ringfence.programs.keys_create import use_pkcs11_library
from ringfence.programs.keys_sign import agreed
from ringfence.programs.passphrase import passphrase
from ringfence.programs.release_file import read_release
from ringfence.programs.wall_time import wall_time
from ringfence.wire.key_document import OpenSecret


def command(
    releases: Annotated[list[Path], typer.Argument(metavar="RELEASE", help="Release files.")],
    directory: Annotated[Path, typer.Option(metavar="DIR", help="The trust directory.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="A key of content's.")],
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the passphrase (or the token's PIN) from here.")
    ] = None,
    pkcs11_library: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token's PKCS#11 library, for keys in a token.")
    ] = None,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Sign a release without a proof.  It is written down, and hosts refuse"
                           " it unless their policy says otherwise.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: I have read it.")] = False,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Add releases to the content document and sign it, once; others add theirs with `ringfence keys sign`.

    A release that is signed again counts as new: hosts that had convicted it may try it once more.

    \b
    Example:
      ringfence content sign daily.release --directory trust --key lise.key
      ringfence keys sign trust/8.content.json --key emmy.key
      ringfence content publish trust --state /var/lib/ringfence --channel stable
    """
    holder = read_key(key)
    use_pkcs11_library(pkcs11_library)
    if unproven:
        print("ringfence: WITHOUT PROOF: nobody has shown that this release cannot hurt a host", file=sys.stderr)
    read = [(str(path), read_release(path)) for path in releases]
    path = add_releases(TrustDirectory(directory), read, unproven=unproven, now=wall_time())

    def confirm(lines: list[str]) -> bool:
        print("\n".join(lines), file=sys.stderr if as_json else sys.stdout, flush=True)
        return yes or agreed(holder.owner)

    def words() -> str:
        if isinstance(holder.secret, OpenSecret):
            return ""
        return passphrase(f"{holder.owner}'s key", passphrase_file)

    try:
        document, _ = sign_file(path, holder, words, confirm)
    except BaseException:
        path.unlink(missing_ok=True)  # a document that nobody has signed would only be in the way
        raise
    if as_json:
        print(json.dumps({"file": str(path), "version": document.signed.version, "signatures": 1}))
    else:
        print(f"{path}: signed by {holder.owner}; `ringfence keys sign {path} --key FILE` adds the next signature")
