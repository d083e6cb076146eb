"""Waivers on the author's side: read, verified, held against the findings, and made.

1. A waiver counts if its key is among the `waiver_keys` of `content.yaml`, its signature holds, it has begun and has
   not expired.  One that does not count is an error of its own: nobody may believe that something is excused.
2. It excuses the errors of its code at its rule, or of its file where it names none, while that text is the one that
   its signer saw.  Where the text has changed, the waiver is an error, so that somebody looks again.
3. Some things cannot be excused (`FINAL`): what the engine or the release format refuse anyhow, what a sensor does not
   supply, and waivers themselves.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ringfence.author.finding import Finding, Level
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import WAIVERS_BYTES_MAX, WAIVERS_FILES_MAX
from ringfence.model.waiver import SignedWaiver, WaiverBook, WaiverKey
from ringfence.wire.waiver import decode_waiver, signed_bytes, waiver_digest

FOLDER: Final = "waivers"
FINAL: Final = re.compile(
    r"(?:waiver|source|contract)/.*"
    r"|yara/(?:syntax|unread|refused|include|module|unknown-name|duplicate-rule|expression|unused-pattern|compile-cost"
    r"|rule-name|metadata-invalid|too-many-patterns|too-deep)"
    r"|sigma/(?!(?:no-witness|broad-alternative|wide-network|no-test|suspicion)$).*"
)
"""Rule 3."""

_OFFSET: Final = re.compile(r"(?:byte|character) ([0-9]+)")

Digests = Mapping[tuple[str, str], str]
"""(file, rule) -> digest of the rule's text; (file, "") -> digest of the file."""


@dataclass(frozen=True, slots=True)
class ReadWaiver:
    """A waiver that counts, and the file that it stands in."""

    file: str
    signed: SignedWaiver
    sha256: str


def text_digest(text: str) -> str:
    """What a waiver says about the text that its signer saw."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def read_waivers(
    directory: Path, keys: Sequence[WaiverKey], today: dt.date | None
) -> tuple[tuple[ReadWaiver, ...], tuple[Finding, ...]]:
    """The waivers of a content directory that count, and why the others do not.  Raises PathRefused.

    Without a day nobody asks whether they have expired: a build gives the same bytes on every day.
    """
    found: list[ReadWaiver] = []
    findings: list[Finding] = []
    try:
        paths = sorted((directory / FOLDER).glob("*.json"))
        if len(paths) > WAIVERS_FILES_MAX:
            what = f"{len(paths)} waivers, more than {WAIVERS_FILES_MAX}: correct the rules"
            return (), (_finding(f"{FOLDER}/{paths[-1].name}", "waiver/too-many", what),)
        for path in paths:
            name = f"{FOLDER}/{path.name}"
            with path.open("rb") as stream:
                data = stream.read(WAIVERS_BYTES_MAX + 1)
            try:
                signed = decode_waiver(data, name)
            except ContentRefused as refusal:
                findings.append(_malformed(name, refusal))
                continue
            if wrong := _wrong(signed, keys, today):
                findings.append(_finding(name, *wrong, rule=signed.waiver.rule))
            else:
                found.append(ReadWaiver(name, signed, waiver_digest(signed)))
    except OSError as error:
        raise PathRefused(f"{directory / FOLDER} cannot be read: {error.strerror}", "check its rights") from error
    return tuple(found), tuple(findings)


def _wrong(signed: SignedWaiver, keys: Sequence[WaiverKey], today: dt.date | None) -> tuple[str, str] | None:
    """Code and text of why a waiver does not count."""
    waiver = signed.waiver
    if FINAL.fullmatch(waiver.code):
        return "waiver/final", f"{waiver.code} cannot be waived"
    if signed.key not in {key.public for key in keys}:
        return "waiver/foreign-key", f"is signed by {signed.key[:16]}…, which content.yaml does not name"
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed.key)).verify(
            bytes.fromhex(signed.signature), signed_bytes(waiver)
        )
    except (InvalidSignature, ValueError):
        return "waiver/bad-signature", "its signature does not hold: it was changed after it was signed"
    if today is not None and today > waiver.expires:
        return "waiver/expired", f"has expired on {waiver.expires.isoformat()}: correct the rule, or waive it anew"
    if today is not None and today < waiver.issued:
        return "waiver/not-yet", f"holds only from {waiver.issued.isoformat()}"
    return None


def apply_waivers(
    findings: Iterable[Finding], waivers: Sequence[ReadWaiver], digests: Digests
) -> tuple[tuple[Finding, ...], tuple[ReadWaiver, ...]]:
    """The findings, each with the waiver that excuses it and those about waivers added; and the waivers that do so."""
    by_subject = {(one.signed.waiver.code, one.signed.waiver.file, one.signed.waiver.rule): one for one in waivers}
    used: dict[str, ReadWaiver] = {}
    stale: dict[str, ReadWaiver] = {}
    judged: list[Finding] = []
    for finding in findings:
        found = by_subject.get((finding.code, finding.file, finding.rule))
        if found is None or finding.level is not Level.ERROR:
            judged.append(finding)
        elif digests.get((finding.file, finding.rule)) != found.signed.waiver.text_sha256:
            stale[found.sha256] = found
            judged.append(finding)
        else:
            used[found.sha256] = found
            judged.append(replace(finding, waived_by=found.sha256))
    for one in waivers:
        waiver = one.signed.waiver
        subject = f"{waiver.code} in {waiver.file} {waiver.rule}".strip()
        if one.sha256 in stale:
            what = f"{subject}: the text has changed since it was signed; it must be looked at and waived anew"
            judged.append(_finding(one.file, "waiver/stale", what, rule=waiver.rule))
        elif one.sha256 not in used:
            what = f"{subject}: there is nothing to excuse; remove the file"
            judged.append(_finding(one.file, "waiver/unused", what, rule=waiver.rule, level=Level.WARNING))
    return tuple(judged), tuple(used[sha256] for sha256 in sorted(used))


def book_of(waivers: Sequence[ReadWaiver], keys: Sequence[WaiverKey]) -> WaiverBook:
    """What a release carries: the waivers that excuse something, with the keys that signed them."""
    signers = {one.signed.key for one in waivers}
    ordered = sorted(waivers, key=lambda one: one.sha256)
    return WaiverBook(
        tuple(sorted((key for key in keys if key.public in signers), key=lambda key: key.public)),
        tuple(one.signed for one in ordered),
    )


def _malformed(name: str, refusal: ContentRefused) -> Finding:
    offset = _OFFSET.fullmatch(refusal.position)
    column = int(offset[1]) + 1 if offset else 1
    place = f" at {refusal.position}" if refusal.position and not offset else ""
    what = str(refusal).removeprefix(f"{name}:{refusal.position}: ").removeprefix(f"{name}: ")
    return replace(_finding(name, "waiver/malformed", f"is no waiver{place}: {what}"), column=column)


def _finding(file: str, code: str, text: str, *, rule: str = "", level: Level = Level.ERROR) -> Finding:
    return Finding(file, 1, 1, code, level, rule, text)
