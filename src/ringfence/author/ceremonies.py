"""The steps of a ceremony on a trust directory: begin, change keys, renew, sign.

`trust/ceremony.py` decides what the documents say; this finds what is in force and writes the next version.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets

from ringfence.author.signing_summary import summary
from ringfence.author.trust_directory import Chain, TrustDirectory, chain_or_first, load_document
from ringfence.model.errors import PathRefused, SignatureRefused, UsageRefused
from ringfence.trust import roles
from ringfence.trust.ceremony import RoleKeys, add_signature, first_documents, may_sign, renewed, with_keys
from ringfence.trust.keys import sign_with, signer
from ringfence.wire.key_document import KeyDocument


def begin(directory: TrustDirectory, given: Mapping[str, RoleKeys], now: datetime) -> list[Path]:
    """Write the first, unsigned documents.  Raises PathRefused when there are some already."""
    if directory.path.exists() and any(directory.versions(role) for role in roles.OFFLINE):
        raise PathRefused(
            f"{directory.path} holds a repository already",
            "change its keys with `ringfence keys rotate`, or name another directory",
        )
    documents = zip(roles.OFFLINE, first_documents(given, now), strict=True)
    return [directory.write(role, document) for role, document in documents]


def change_keys(
    directory: TrustDirectory,
    role: str,
    *,
    added: Sequence[KeyDocument],
    removed: Sequence[str],
    threshold: int | None,
    now: datetime,
) -> Path:
    """Write the next version of the document that names `role`'s keys.  Targets' keys are root's own and follow them.

    Raises UsageRefused, or SignatureRefused while an earlier change still waits for its signatures.
    """
    if role == roles.TARGETS:
        raise UsageRefused("the keys of targets are root's", "change the role root")
    chain = directory.chain()
    delegator = roles.RULES[role].delegator
    document = in_force(chain, delegator)
    changed = with_keys(document, role, added=added, removed=removed, threshold=threshold, now=now)
    return directory.write(delegator, changed)


def renew(directory: TrustDirectory, role: str, now: datetime) -> Path:
    """Write the next version of a document with a later expiry and nothing else new."""
    return directory.write(role, renewed(in_force(directory.chain(), role), role, now))


def in_force(chain: Chain, role: str) -> Metadata[Any]:
    """The document of `role` on which the next version builds.  Raises SignatureRefused while one waits."""
    document = chain.in_force(role) or chain.lapsed.get(role)
    if document is None:
        raise SignatureRefused(
            f"no version of {role} is in force yet", "let the missing people sign it with `ringfence keys sign`"
        )
    if chain.newest[role].signed.version != document.signed.version:
        raise SignatureRefused(
            f"{role} version {chain.newest[role].signed.version} still waits for signatures",
            "sign it, or remove its file, before the next change",
        )
    return document


def sign_file(
    path: Path, key: KeyDocument, passphrase: Callable[[], str], confirm: Callable[[list[str]], bool]
) -> tuple[Metadata[Any], tuple[str, ...]]:
    """Add one signature to the document at `path`; returns it with what it was signed as.

    `confirm` is shown what the signature would say, and decides; the passphrase is asked for after that.  What is in
    force is looked for beside the file; where it is not there, nothing is compared and the caller is told so.
    Raises PathRefused, SignatureRefused, KeyRefused; UsageRefused when `confirm` said no.
    """
    role, document = load_document(path)
    chain = _chain_beside(path)
    signed_as: tuple[str, ...] = (role,)
    if chain is not None:
        signed_as = may_sign(key.keyid, role, document, root=_root_for(chain, role, document), targets=_targets(chain))
    elif role == roles.ROOT:
        signed_as = may_sign(key.keyid, role, document, root=None, targets=None)
    if not confirm(summary(role, document, chain)):
        raise UsageRefused("nothing was signed", "read what it says, and run it again when it is what you want")
    signing = signer(key, passphrase())
    add_signature(document, sign_with(signing, document.signed_bytes, key.owner))
    TrustDirectory(path.parent).write(role, document)
    return document, signed_as


def _chain_beside(path: Path) -> Chain | None:
    try:
        return chain_or_first(TrustDirectory(path.parent))
    except PathRefused:
        return None


def _root_for(chain: Chain, role: str, document: Metadata[Any]) -> Root | None:
    """The root whose keys count besides a new root's own: the one in force, where it is older."""
    if role == roles.ROOT and chain.root.signed.version >= document.signed.version:
        return None
    return chain.root.signed


def _targets(chain: Chain) -> Targets | None:
    return chain.targets.signed if chain.targets is not None else None
