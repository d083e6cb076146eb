"""The roles of the update metadata: who may say what, how many must agree, how long it holds.

    root        offline, 2 of 3   the keys of every role below, of targets itself and of the online roles
    targets     offline, 2 of 3   no file of its own: delegates to the next two, and nothing else
      content   offline, 2 of 3   releases/* and patches/*: what may run on a host at all
      rollout   online            rollouts/*: which of the releases that content vouches for a channel gets
    snapshot    online            which versions belong together
    timestamp   online            that this is the newest

Both delegations are terminating and their paths do not meet, so that a rollout key can never vouch for a release
(docs/adr/0007-roles-of-the-update-metadata.md).
"""

from dataclasses import dataclass
from typing import Final

from ringfence.model import limits

ROOT: Final = "root"
TARGETS: Final = "targets"
CONTENT: Final = "content"
ROLLOUT: Final = "rollout"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """What is fixed for a role.  `paths` are those that its delegation names, () for a top-level role."""

    name: str
    delegator: str
    online: bool
    threshold: int
    life_days: int
    warning_days: int
    bytes_max: int
    paths: tuple[str, ...] = ()


RULES: Final = {
    rule.name: rule
    for rule in (
        RoleRule(
            ROOT, ROOT, online=False, threshold=2, life_days=limits.ROOT_LIFE_DAYS,
            warning_days=limits.ROOT_WARNING_DAYS, bytes_max=limits.METADATA_ROOT_BYTES_MAX,
        ),
        RoleRule(
            TARGETS, ROOT, online=False, threshold=2, life_days=limits.ROOT_LIFE_DAYS,
            warning_days=limits.ROOT_WARNING_DAYS, bytes_max=limits.METADATA_TARGETS_BYTES_MAX,
        ),
        RoleRule(
            CONTENT, TARGETS, online=False, threshold=2, life_days=limits.CONTENT_LIFE_DAYS,
            warning_days=limits.CONTENT_WARNING_DAYS, bytes_max=limits.METADATA_TARGETS_BYTES_MAX,
            paths=("releases/*", "patches/*"),
        ),
        RoleRule(
            ROLLOUT, TARGETS, online=True, threshold=1, life_days=limits.ROLLOUT_LIFE_DAYS,
            warning_days=limits.ONLINE_WARNING_DAYS, bytes_max=limits.METADATA_TARGETS_BYTES_MAX,
            paths=("rollouts/*",),
        ),
        RoleRule(
            SNAPSHOT, ROOT, online=True, threshold=1, life_days=limits.SNAPSHOT_LIFE_DAYS,
            warning_days=limits.ONLINE_WARNING_DAYS, bytes_max=limits.METADATA_SNAPSHOT_BYTES_MAX,
        ),
        RoleRule(
            TIMESTAMP, ROOT, online=True, threshold=1, life_days=limits.TIMESTAMP_LIFE_DAYS,
            warning_days=limits.ONLINE_WARNING_DAYS, bytes_max=limits.METADATA_TIMESTAMP_BYTES_MAX,
        ),
    )
}  # fmt: skip
"""Every role by its name."""

OFFLINE: Final = (ROOT, TARGETS, CONTENT)
"""Roles whose metadata people sign."""

ONLINE: Final = (ROLLOUT, SNAPSHOT, TIMESTAMP)
"""Roles that the server signs for."""

RELEASE_PREFIX: Final = "releases/"
PATCH_PREFIX: Final = "patches/"
ROLLOUT_PREFIX: Final = "rollouts/"


def release_path(sha256: str) -> str:
    """The target of a release."""
    return f"{RELEASE_PREFIX}{sha256}.release"


def patch_path(old_sha256: str, new_sha256: str) -> str:
    """The target of the patch that makes one release out of another."""
    return f"{PATCH_PREFIX}{old_sha256}-{new_sha256}.zst"


def rollout_path(channel: str) -> str:
    """The target that says which release a channel gets."""
    return f"{ROLLOUT_PREFIX}{channel}.json"
