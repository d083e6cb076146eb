"""What a signature would say, in words for the person who is about to give it.

Everything that changes against the document in force is named: keys, thresholds, releases, patches, expiry.  The last
line is the digest of exactly the bytes that are signed, for people in different rooms to compare.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from ringfence.author.trust_directory import Chain
from ringfence.model.errors import SignatureRefused
from ringfence.trust import roles
from ringfence.trust.ceremony import names_of
from ringfence.wire.target_note import decode_note


def summary(role: str, document: Metadata[Any], chain: Chain | None) -> list[str]:
    """The lines to show before `document` is signed; `chain` is what is in force, where that is known."""
    before = None if chain is None else chain.in_force(role) or chain.lapsed.get(role)
    if before is not None and before.signed.version >= document.signed.version:
        before = None
    lines = [
        f"{role}, version {document.signed.version}, expires {document.signed.expires:%Y-%m-%d %H:%M} UTC",
    ]
    if before is None:
        lines.append("  compared with nothing: no earlier version is in force here")
    match document.signed:
        case Root() as root:
            lines += _key_lines(root, before.signed if before else None, tuple(root.roles))
        case Targets() as targets if role == roles.TARGETS:
            lines += _key_lines(targets, before.signed if before else None, (roles.CONTENT, roles.ROLLOUT))
        case Targets() as targets:
            lines += _target_lines(targets, before.signed if before else None)
    lines.append(f"signed bytes: sha256 {hashlib.sha256(document.signed_bytes).hexdigest()}")
    return lines


def _key_lines(after: Root | Targets, before: Root | Targets | None, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        held, wanted = after.get_delegated_role(name), dict(names_of(after, name))
        known = dict(names_of(before, name)) if before is not None else {}
        yield f"  {name}: {held.threshold} of {len(wanted)} must sign"
        if before is not None and (old := before.get_delegated_role(name).threshold) != held.threshold:
            yield f"    ! was {old} of {len(known)}"
        for keyid, owner in wanted.items():
            yield f"    {'+' if keyid not in known else ' '} {owner} {keyid[:16]}"
        for keyid, owner in known.items():
            if keyid not in wanted:
                yield f"    - {owner} {keyid[:16]}"


def _target_lines(after: Targets, before: Targets | None) -> Iterator[str]:
    known = before.targets if before is not None else {}
    patches = 0
    for path, target in after.targets.items():
        if path.startswith(roles.PATCH_PREFIX):
            patches += path not in known
            continue
        if path in known and known[path] == target:
            continue
        try:
            note = decode_note(target.custom, target=path)
        except SignatureRefused as refused:
            yield f"  ! {refused.what}"
            continue
        proof = "  ! WITHOUT PROOF: most hosts will refuse it" if note.unproven else ""
        yield f"  + release {note.name} version {note.version}, {target.length} bytes, sha256 {target.hashes['sha256']}"
        if proof:
            yield proof
    if patches:
        yield f"  + {patches} patches from earlier releases"
    gone = [path for path in known if path not in after.targets]
    yield from (f"  - {path}" for path in gone if path.startswith(roles.RELEASE_PREFIX))
    if patches_gone := sum(path.startswith(roles.PATCH_PREFIX) for path in gone):
        yield f"  - {patches_gone} patches"
