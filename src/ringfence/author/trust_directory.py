"""The directory that people carry from ceremony to ceremony: every version of root, targets and content.

    DIR/1.root.json  DIR/2.root.json …  DIR/1.targets.json …  DIR/1.content.json …
    DIR/targets/releases/<sha256>.release     DIR/targets/patches/<old>-<new>.zst

A document is *in force* when enough of the right keys have signed it: a root by its own keys and by those of the root
before it, targets by root, content by targets.  The newest version may still wait for signatures; nothing else may.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, Targets

from ringfence.author.whole_file import write_whole
from ringfence.model.errors import PathRefused, SignatureRefused
from ringfence.trust import roles
from ringfence.trust.metadata import Quorum, days_left, decode_metadata, encode_metadata, quorum, require_signed

_NAME: Final = re.compile(r"([1-9][0-9]{0,8})\.(root|targets|content)\.json")


@dataclass(frozen=True, slots=True)
class Chain:
    """What is in force, and the newest version of each role, which may be the same."""

    root: Metadata[Root]
    targets: Metadata[Targets] | None
    content: Metadata[Targets] | None
    newest: dict[str, Metadata[Any]]
    lapsed: dict[str, Metadata[Any]] = field(default_factory=dict)
    """Documents that were in force until the keys of their role changed: the next version builds on them."""

    def in_force(self, role: str) -> Metadata[Any] | None:
        """The document of `role` that is in force."""
        return {roles.ROOT: self.root, roles.TARGETS: self.targets, roles.CONTENT: self.content}[role]

    def is_pending(self, role: str) -> bool:
        """Whether the newest version waits for signatures."""
        held = self.in_force(role)
        return role in self.newest and (held is None or held.signed.version != self.newest[role].signed.version)


@dataclass(frozen=True, slots=True)
class RoleReport:
    """How one document stands.  `quorums` has two entries where the root before has a say as well."""

    role: str
    version: int
    in_force: bool
    expires: datetime
    days_left: int
    quorums: tuple[Quorum, ...]
    warnings: tuple[str, ...]


class TrustDirectory:
    """The documents below one path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def target_files(self) -> Path:
        """Where releases and patches are, under the names that the metadata gives them."""
        return self.path / "targets"

    def file_of(self, role: str, version: int) -> Path:
        """The file of one version."""
        return self.path / f"{version}.{role}.json"

    def versions(self, role: str) -> list[int]:
        """The versions that are there, oldest first.  Raises PathRefused when there is no directory."""
        try:
            names = [_NAME.fullmatch(entry.name) for entry in self.path.iterdir()]
        except OSError as error:
            raise PathRefused(
                f"{self.path}: {error.strerror}", "begin a repository with `ringfence keys init DIR`"
            ) from error
        return sorted(int(name[1]) for name in names if name is not None and name[2] == role)

    def load(self, role: str, version: int) -> Metadata[Any]:
        """One version.  Raises PathRefused or SignatureRefused."""
        return load_document(self.file_of(role, version))[1]

    def write(self, role: str, document: Metadata[Any]) -> Path:
        """Write a version, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.file_of(role, document.signed.version)
        write_whole(path, encode_metadata(document))
        return path

    def chain(self) -> Chain:
        """What is in force.  Raises SignatureRefused when even the first root is not, or a version is missing."""
        versions = self.versions(roles.ROOT)
        if not versions:
            raise PathRefused(
                f"{self.path}: there is no root document", "begin a repository with `ringfence keys init DIR`"
            )
        if versions != list(range(versions[0], versions[-1] + 1)):
            raise SignatureRefused(
                f"{self.path}: a version of root is missing between {versions[0]} and {versions[-1]}",
                "get it from the published repository: hosts need every one of them",
            )
        newest: dict[str, Metadata[Any]] = {}
        root = self.load(roles.ROOT, versions[0])
        require_signed(root.signed, roles.ROOT, root, file=str(self.file_of(roles.ROOT, versions[0])))
        newest[roles.ROOT] = root
        for version in versions[1:]:
            newest[roles.ROOT] = following = self.load(roles.ROOT, version)
            if not _both_agree(root, following):
                if version != versions[-1]:
                    require_signed(root.signed, roles.ROOT, following, file=str(self.file_of(roles.ROOT, version)))
                break
            root = following
        targets = self._newest_signed(roles.TARGETS, root.signed, newest)
        content = None if targets is None else self._newest_signed(roles.CONTENT, targets.signed, newest)
        lapsed: dict[str, Metadata[Any]] = {}
        if targets is None:
            self._find_lapsed(roles.TARGETS, lapsed)
        if content is None:
            self._find_lapsed(roles.CONTENT, lapsed)
            for version in self.versions(roles.CONTENT):
                newest[roles.CONTENT] = self.load(roles.CONTENT, version)
        return Chain(root, targets, content, newest, lapsed)

    def _find_lapsed(self, role: str, lapsed: dict[str, Metadata[Any]]) -> None:
        """The newest document of `role` that enough keys of any earlier version of its delegator have signed."""
        delegator_role = roles.RULES[role].delegator
        delegators = [self.load(delegator_role, version).signed for version in self.versions(delegator_role)]
        for version in reversed(self.versions(role)):
            document = self.load(role, version)
            if any(not quorum(delegator, role, document).missing for delegator in delegators):
                lapsed[role] = document
                return

    def _newest_signed(
        self, role: str, delegator: Root | Targets, newest: dict[str, Metadata[Any]]
    ) -> Metadata[Any] | None:
        for version in reversed(self.versions(role)):
            document = self.load(role, version)
            newest.setdefault(role, document)
            if not quorum(delegator, role, document).missing:
                return document
        return None


def _both_agree(root: Metadata[Root], following: Metadata[Root]) -> bool:
    return not (
        quorum(root.signed, roles.ROOT, following).missing or quorum(following.signed, roles.ROOT, following).missing
    )


def load_document(path: Path) -> tuple[str, Metadata[Any]]:
    """Role and document of the file at `path`, by its name.  Raises PathRefused or SignatureRefused."""
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise PathRefused(
            f"{path}: is not named as a document of a trust directory is",
            "name a file such as DIR/2.root.json, DIR/1.targets.json or DIR/7.content.json",
        )
    role = name[2]
    try:
        with path.open("rb") as file:
            data = file.read(roles.RULES[role].bytes_max + 1)
    except OSError as error:
        raise PathRefused(f"{path}: {error.strerror}", "name a file of a trust directory") from error
    document = decode_metadata(data, role, file=str(path))
    if document.signed.version != int(name[1]):
        raise SignatureRefused(
            f"{path}: is version {document.signed.version} inside", "give the file the name that it was written with"
        )
    return role, document


def report(directory: TrustDirectory, now: datetime) -> list[RoleReport]:
    """How the newest version of each document stands, and what it lacks.  Raises as `chain`."""
    found = chain_or_first(directory)
    reports = []
    for role in roles.OFFLINE:
        newest = found.newest.get(role)
        if newest is None:
            continue
        quorums = _quorums(found, role, newest)
        pending = found.is_pending(role) or any(one.missing for one in quorums)
        left = days_left(newest.signed, now)
        reports.append(
            RoleReport(
                role, newest.signed.version, not pending, newest.signed.expires, left, quorums,
                tuple(_warnings(role, left, quorums)),
            )
        )  # fmt: skip
    return reports


def chain_or_first(directory: TrustDirectory) -> Chain:
    """The chain; where not even the first root has its signatures yet, a chain of what waits."""
    try:
        return directory.chain()
    except SignatureRefused:
        if directory.versions(roles.ROOT) != [1]:
            raise
        newest = {
            role: directory.load(role, versions[-1]) for role in roles.OFFLINE if (versions := directory.versions(role))
        }
        return Chain(newest[roles.ROOT], newest.get(roles.TARGETS), newest.get(roles.CONTENT), newest)


def _quorums(chain: Chain, role: str, document: Metadata[Any]) -> tuple[Quorum, ...]:
    if role == roles.ROOT:
        own = quorum(document.signed, role, document)
        if document.signed.version == chain.root.signed.version:
            return (own,)
        return quorum(chain.root.signed, role, document), own
    delegator = chain.root.signed if role == roles.TARGETS else chain.targets.signed if chain.targets else None
    return () if delegator is None else (quorum(delegator, role, document),)


def _warnings(role: str, left: int, quorums: tuple[Quorum, ...]) -> list[str]:
    rule = roles.RULES[role]
    words = []
    if left < 0:
        words.append(f"{role} has expired: hosts take nothing new")
    elif left <= rule.warning_days:
        words.append(f"{role} expires in {left} days: renew it with `ringfence keys renew DIR --role {role}`")
    words += [f"{role} lacks {one.missing} of {one.threshold} signatures" for one in quorums if one.missing]
    words += [
        f"{role} has {len(one.keys)} keys of which {one.threshold} must agree: the loss of one stops it"
        for one in quorums
        if one.threshold == len(one.keys)
    ]
    return words
