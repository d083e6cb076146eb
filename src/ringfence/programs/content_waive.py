"""`ringfence content waive`: somebody who may do so takes responsibility for one finding, until a day."""

import datetime as dt
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.content_dir import read_yaml
from ringfence.author.content_head import CONTENT_FILE, ContentHead, read_head
from ringfence.author.finding import Finding, Level
from ringfence.author.key_files import read_key
from ringfence.author.whole_file import write_whole
from ringfence.host.tree_walk import shown
from ringfence.model.errors import ContentRefused, PathRefused, UsageRefused
from ringfence.model.limits import WAIVER_DAYS_MAX
from ringfence.model.waiver import SignedWaiver, Waiver
from ringfence.programs.content_lint import contracts_of, parse_day
from ringfence.programs.passphrase import passphrase
from ringfence.trust.keys import sign_with, signer
from ringfence.wire.key_document import ED25519, KeyDocument, OpenSecret
from ringfence.wire.waiver import decode_waiver, encode_waiver, signed_bytes, waiver_digest

UNSIGNED = "0" * 128


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Content directory.")],
    code: Annotated[str, typer.Argument(metavar="CODE", help="Code of the finding, such as yara/unspecific.")],
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Name of its rule, or of its file where it has none.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it may be so, for those who read the proof.")],
    until: Annotated[str, typer.Option(metavar="DAY", help="Last day on which it holds (YYYY-MM-DD).")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Your key, of `ringfence keys create`.")],
    contracts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Contracts of the fleet's sensor builds, as for lint.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the passphrase from here.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Excuse one finding of `ringfence content lint`: signed, with a reason, until a day.

    The waiver is a file below DIR/waivers.  It covers the rule as it stands: after a change it must be waived anew.  It
    counts if content.yaml names your key's public half below waiver_keys; the release and its proof show it.

    \b
    Example:
      ringfence content waive my-content yara/unspecific Short_But_Sure --reason 'seen on no good file' \
          --until 2027-03-31 --key ann.key

    \b
    Exit status:
      0   the waiver is written
      2   there is no such finding, or it cannot be waived, or DAY is off
      82  the key is refused
    """
    from ringfence.author.lint import lint_text_digests  # noqa: PLC0415 - the author's extra may be missing

    holder = read_key(key)
    head = _head(directory)
    today = dt.datetime.fromtimestamp(time.time(), dt.UTC).date()
    last = parse_day(until)
    if not today <= last <= today + dt.timedelta(days=WAIVER_DAYS_MAX):
        raise UsageRefused(f"--until {until} is not within {WAIVER_DAYS_MAX} days from today", "name a nearer day")
    public = _public(holder, head)
    findings, digests = lint_text_digests(directory, contracts_of(contracts), today)
    finding = _chosen(findings, code, rule)
    digest = digests.get((finding.file, finding.rule)) or digests.get((finding.file, ""))
    if digest is None:
        raise UsageRefused(f"{code} in {finding.file} cannot be waived", "correct the file")
    waiver = Waiver(code, finding.file, finding.rule, digest, reason, today, last)
    signed = _signed(waiver, holder, public, passphrase_file)
    name = f"{code.replace('/', '-')}-{finding.rule or 'file'}-{waiver_digest(signed)[:8]}.json"
    path = directory / "waivers" / name
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise PathRefused(f"{path.parent} cannot be made: {error.strerror}", "check its rights") from error
    write_whole(path, encode_waiver(signed))
    if as_json:
        print(json.dumps({"file": str(path), "sha256": waiver_digest(signed), "code": code, "rule": finding.rule}))
    else:
        print(f"{shown(str(path))}: {code} in {shown(finding.file)} {finding.rule} is waived until {last.isoformat()}")


def _head(directory: Path) -> ContentHead:
    path = directory / CONTENT_FILE
    if not path.is_file():
        raise PathRefused(f"{directory} is not a content directory: it has no {CONTENT_FILE}", "name one that has")
    head = read_head(read_yaml(path, CONTENT_FILE))
    if not isinstance(head, ContentHead):
        raise ContentRefused(head[0].text, "correct it first: `ringfence content lint`", file=CONTENT_FILE)
    return head


def _public(holder: KeyDocument, head: ContentHead) -> str:
    """The public half of the key, if content.yaml accepts it."""
    public = holder.public.hex()
    if holder.key_type != ED25519:
        raise UsageRefused(f"a waiver is signed with an ed25519 key, not {holder.key_type}", "use another key")
    if public not in {one.public for one in head.waiver_keys}:
        raise UsageRefused(
            f"content.yaml does not name this key: a waiver of {shown(holder.owner)} would not count",
            f'let its owner add it below waiver_keys: {{name: {shown(holder.owner)}, public: "{public}"}}',
        )
    return public


def _chosen(findings: tuple[Finding, ...], code: str, rule: str) -> Finding:
    """The one error of `code` at `rule`."""
    from ringfence.author.waivers import FINAL  # noqa: PLC0415 - as above

    if FINAL.fullmatch(code):
        raise UsageRefused(f"{code} cannot be waived", "correct the content")
    found = [
        one for one in findings if one.code == code and rule in (one.rule, one.file) and one.level is Level.ERROR
    ]
    if not found:
        raise UsageRefused(
            f"there is no error {code} at {shown(rule)}", "`ringfence content lint` lists what there is to waive"
        )
    return found[0]


def _signed(waiver: Waiver, holder: KeyDocument, public: str, passphrase_file: Path | None) -> SignedWaiver:
    """The waiver with its signature; what cannot be written is refused before anybody types a passphrase."""
    try:
        decode_waiver(encode_waiver(SignedWaiver(waiver, public, UNSIGNED)), "the waiver")
    except ContentRefused as refusal:
        raise UsageRefused(refusal.what, "say it in one line of plain text") from refusal
    is_open = isinstance(holder.secret, OpenSecret)
    words = "" if is_open else passphrase(f"{holder.owner}'s key", passphrase_file)
    signature = sign_with(signer(holder, words), signed_bytes(waiver), holder.owner)
    return SignedWaiver(waiver, public, str(signature.signature))
