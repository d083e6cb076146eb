"""Signed metadata as people exchange it: read strictly, judged role by role.

1. A document is canonical JSON and comes back as the same bytes; it has no field that we do not know, except the owner
   of a key.  The update client reads what a server sends with python-tuf alone; this is for what people sign.
2. No role counts one key twice, under whatever identifier.
3. Every shape is ours: the roles of `trust/roles.py`, their delegations and their paths.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar, cast

from securesystemslib.signer import Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from ringfence.model.errors import ContentRefused, SignatureRefused
from ringfence.trust import roles
from ringfence.trust.keys import OWNER_FIELD, owner_of
from ringfence.wire import canonical

Kind = TypeVar("Kind", bound=Signed)

KINDS: Final[dict[str, type[Signed]]] = {
    roles.ROOT: Root,
    roles.TARGETS: Targets,
    roles.CONTENT: Targets,
    roles.ROLLOUT: Targets,
    roles.SNAPSHOT: Snapshot,
    roles.TIMESTAMP: Timestamp,
}
"""What python-tuf makes of each role's document."""

_WAY_OUT: Final = "get the document again from whoever keeps it; nothing was signed or published"


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key of a role, and whether it has signed the document at hand."""

    keyid: str
    owner: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Quorum:
    """The keys of one role and how many of them must agree."""

    threshold: int
    keys: tuple[KeyState, ...]

    @property
    def missing(self) -> int:
        """How many more signatures are needed."""
        return max(0, self.threshold - sum(key.signed for key in self.keys))


def encode_metadata(metadata: Metadata[Any]) -> bytes:
    """The bytes of a document."""
    return canonical.encode(metadata.to_dict())


def decode_metadata(data: bytes, role: str, *, file: str) -> Metadata[Any]:
    """The document of `role` in `data`, called `file` in errors.  Raises SignatureRefused."""
    try:
        canonical.decode(data, file=file, bytes_max=roles.RULES[role].bytes_max)
        metadata = Metadata[Any].from_bytes(data)
    except ContentRefused as error:
        raise SignatureRefused(error.what, _WAY_OUT) from error
    except DeserializationError as error:
        reason = error.__cause__ or error
        raise SignatureRefused(f"{file}: is no metadata: {type(reason).__name__} {reason}", _WAY_OUT) from error
    if not isinstance(metadata.signed, KINDS[role]):
        _refuse(f"is metadata of type {metadata.signed.type}, where {KINDS[role].type} is expected", file)
    if encode_metadata(metadata) != data:
        _refuse("does not come back as it was", file)
    _check_fields(metadata, file)
    match metadata.signed:
        case Root() as root:
            _check_root(root, file)
        case Targets() as targets if role == roles.TARGETS:
            _check_delegations(targets, file)
        case Targets() as targets:
            _check_targets(targets, role, file)
    return metadata


def quorum(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> Quorum:
    """Who of a role's keys, as the delegator names them, has signed `metadata`."""
    result = delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    states = [KeyState(keyid, owner_of(key), keyid in result.signed) for keyid, key in _keys(delegator, role)]
    return Quorum(result.threshold, tuple(states))


def days_left(signed: Signed, now: datetime) -> int:
    """Whole days until a document expires; negative when it has."""
    return (signed.expires - now).days


def delegator_of(role: str, root: Root, targets: Targets | None) -> Root | Targets:
    """Who names the keys of `role`.  Raises SignatureRefused when that document is not there."""
    if roles.RULES[role].delegator == roles.ROOT:
        return root
    if targets is None:
        _refuse("cannot be judged without the document of targets", role)
    return targets


def _keys(delegator: Root | Targets, role: str) -> list[tuple[str, Key]]:
    return [(keyid, delegator.get_key(keyid)) for keyid in delegator.get_delegated_role(role).keyids]


def require_distinct_keys(delegator: Root | Targets, role: str, file: str) -> None:
    """Rule 2.  Raises SignatureRefused."""
    seen: set[str] = set()
    try:
        keys = _keys(delegator, role)
    except ValueError:
        _refuse(f"names a key for the role {role} that it does not hold", file)
    for _, key in keys:
        public = str(key.to_dict()["keyval"].get("public", "")).strip()
        if public in seen:
            _refuse(f"counts one key twice for the role {role} ({owner_of(key)})", file)
        seen.add(public)


def _check_root(root: Root, file: str) -> None:
    if root.consistent_snapshot is not True:
        _refuse("does not promise consistent snapshots", file, "/signed/consistent_snapshot")
    used = set()
    for name in root.roles:
        require_distinct_keys(root, name, file)
        used |= set(root.roles[name].keyids)
    if unused := sorted(set(root.keys) - used):
        _refuse(f"holds the key {unused[0][:16]}…, which no role uses", file, "/signed/keys")


def _check_delegations(targets: Targets, file: str) -> None:
    """Rule 3: targets vouch for nothing themselves, and delegate to content and rollout as we know them."""
    if targets.targets:
        _refuse("vouches for files itself; only content and rollout do", file, "/signed/targets")
    delegations = targets.delegations
    if delegations is None or delegations.roles is None or list(delegations.roles) != [roles.CONTENT, roles.ROLLOUT]:
        _refuse("must delegate to content, then to rollout, and to nobody else", file, "/signed/delegations")
    for name, role in delegations.roles.items():
        if tuple(role.paths or ()) != roles.RULES[name].paths or not role.terminating or role.path_hash_prefixes:
            _refuse(f"delegates other paths to {name} than {', '.join(roles.RULES[name].paths)}", file,
                    "/signed/delegations")
        require_distinct_keys(targets, name, file)


def _check_targets(targets: Targets, role: str, file: str) -> None:
    if targets.delegations is not None:
        _refuse(f"delegates; {role} may not", file, "/signed/delegations")
    prefixes = tuple(path.removesuffix("*") for path in roles.RULES[role].paths)
    for path in targets.targets:
        if not path.startswith(prefixes):
            _refuse(f"vouches for {path!a}, which is not its own", file, "/signed/targets")


def _check_fields(metadata: Metadata[Any], file: str) -> None:
    """Rule 1."""
    signed = metadata.signed
    holders: list[Any] = [metadata, signed, *(metadata.signatures.values())]
    keys: dict[str, Key] = {}
    if isinstance(signed, Root):
        keys = signed.keys
        holders += signed.roles.values()
    elif isinstance(signed, Targets) and signed.delegations is not None:
        keys = signed.delegations.keys
        holders += [signed.delegations, *(signed.delegations.roles or {}).values()]
    for holder in holders:
        if unknown := sorted(getattr(holder, "unrecognized_fields", {})):
            _refuse(f"has the unknown field {unknown[0][:64]!a}", file)
    for key in keys.values():
        if unknown := sorted(set(key.unrecognized_fields) - {OWNER_FIELD}):
            _refuse(f"has a key with the unknown field {unknown[0][:64]!a}", file)


def read_root(data: bytes, *, file: str) -> Metadata[Root]:
    """A root document that its own keys vouch for.  Raises SignatureRefused."""
    metadata = cast("Metadata[Root]", decode_metadata(data, roles.ROOT, file=file))
    require_signed(metadata.signed, roles.ROOT, metadata, file=file)
    return metadata


def require_signed(delegator: Root | Targets, role: str, metadata: Metadata[Any], *, file: str) -> None:
    """Raise SignatureRefused unless enough keys of `role` have signed."""
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        state = quorum(delegator, role, metadata)
        raise SignatureRefused(
            f"{file}: {state.missing} of {state.threshold} signatures are missing for {role}",
            "let the missing people sign it with `ringfence keys sign`",
        ) from error


def _refuse(what: str, file: str, position: str = "") -> NoReturn:
    raise SignatureRefused(f"{':'.join(part for part in (file, position) if part)}: {what}", _WAY_OUT)
