"""What an author hands over to be published: the documents in force, and the release that a channel is to get.

1. Only what is in force leaves the directory: a document that waits for signatures stops the publication.
2. The channel's release is looked at again, by the code that a host runs: its bytes, its needs against the contract of
   every sensor build, and its proof.  `unproven` leaves out the last of these, and nothing else.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ringfence.author.sign import SignedRelease, releases_of
from ringfence.author.trust_directory import TrustDirectory
from ringfence.detect.needs import check_declared, needs_of
from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused, SignatureRefused, UsageRefused
from ringfence.model.release import Manifest
from ringfence.trust import publication, roles
from ringfence.trust.eligibility import check_eligible
from ringfence.trust.proof_check import Asker, reasons_against
from ringfence.wire.contract import contract_digest
from ringfence.wire.manifest import encode_manifest
from ringfence.wire.proof import decode_proof
from ringfence.wire.release import decode_release


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a release is held against: every build of the fleet, and today."""

    contracts: tuple[SensorContract, ...]
    now_s: int
    unproven: bool


def offered(directory: TrustDirectory) -> publication.Offline:
    """The documents in force.  Raises SignatureRefused while one waits for signatures."""
    chain = directory.chain()
    for role in roles.OFFLINE:
        document = chain.in_force(role)
        if document is None or chain.is_pending(role):
            raise SignatureRefused(
                f"{role} {chain.newest[role].signed.version if role in chain.newest else ''} waits for signatures",
                "let the missing people sign it with `ringfence keys sign`, or remove its file",
            )
    if chain.targets is None or chain.content is None:
        raise AssertionError("all three are in force")
    first = directory.versions(roles.ROOT)[0]
    roots = tuple(directory.load(roles.ROOT, version) for version in range(first, chain.root.signed.version + 1))
    return publication.Offline(roots, chain.targets, chain.content)


def chosen(offline: publication.Offline, word: str) -> SignedRelease:
    """The release that `word` names: the beginning of a digest, NAME:VERSION, or "" for the newest there is.

    Raises UsageRefused when it names none or several.
    """
    releases = releases_of(offline.content.signed)
    if not word:
        names = {one.note.name for one in releases}
        found = releases[-1:] if len(names) == 1 else []
    elif ":" in word:
        found = [one for one in releases if f"{one.note.name}:{one.note.version}" == word]
    else:
        found = [one for one in releases if one.sha256.startswith(word)]
    if len(found) != 1:
        known = ", ".join(f"{one.note.name}:{one.note.version}" for one in releases) or "none is signed"
        raise UsageRefused(f"{word or 'the newest release'} names {len(found)} releases", f"say one of: {known}")
    return found[0]


def check(release: SignedRelease, data: bytes, conditions: Conditions) -> None:
    """Rule 2.  Raises ContentRefused."""
    label = f"{release.note.name}:{release.note.version}"
    if hashlib.sha256(data).hexdigest() != release.sha256:
        raise ContentRefused("is not the file that was signed", "get it from whoever signed it", file=label)
    decoded = decode_release(data)
    needs = needs_of(decoded)
    check_declared(decoded, needs)
    check_eligible(needs, conditions.contracts)
    if conditions.unproven:
        return
    if not decoded.proof:
        raise ContentRefused(
            "nobody has proven it", "prove it with `ringfence content prove`, or say --unproven", file=label
        )
    proof, reasons = decode_proof(decoded.proof), []
    for contract in conditions.contracts:
        asker = Asker(contract.engine, contract.engine_version, contract_digest(contract))
        found = reasons_against(
            proof,
            subject_sha256=_subject(decoded.manifest),
            name=decoded.manifest.name,
            version=decoded.manifest.version,
            asker=asker,
            now_s=conditions.now_s,
        )
        reasons += [f"{contract.build}: {reason}" for reason in found]
    _refuse_unproven(label, reasons)


def _subject(manifest: Manifest) -> str:
    """What a proof of this release is about."""
    return hashlib.sha256(encode_manifest(replace(manifest, proof_sha256=""))).hexdigest()


def _refuse_unproven(label: str, reasons: Sequence[str]) -> None:
    if reasons:
        raise ContentRefused(
            f"its proof does not hold: {'; '.join(dict.fromkeys(reasons))}",
            "prove it again with `ringfence content prove`, for every build of the fleet",
            file=label,
        )
