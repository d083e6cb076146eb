"""What one look for an update came to, and what a host remembers between two looks."""

from dataclasses import dataclass
from enum import IntEnum, unique


@unique
class UpdateOutcome(IntEnum):
    """How a look ended.  The number is the one on the wire."""

    CURRENT = 1
    """The channel's release is the one that the host has been given already, or the channel has none."""

    OFFERED = 2
    """Another release was verified and given to the warden."""

    UNREACHABLE = 3
    """Nothing came, or not in time: that says nothing about anybody's honesty."""

    EXPIRED = 4
    """What came has expired: the server is not looked after, or somebody holds newer metadata back."""

    REFUSED = 5
    """What came is not signed as it must be, older than what is known, or other than what was signed."""

    DISK_FULL = 6
    """The metadata could not be kept."""


@dataclass(frozen=True, slots=True)
class RoleMemory:
    """The highest version of a role that was ever believed, under which keys."""

    role: str
    version: int
    keys: str
    """Digest of the role's keys and threshold: other keys begin a new count, so that a stolen key that raised the
    version can be recovered from."""


@dataclass(frozen=True, slots=True)
class UpdateMemory:
    """What a host holds against whoever serves old metadata, even when its own metadata was damaged meanwhile."""

    roles: tuple[RoleMemory, ...] = ()
    """In the order of their names."""

    seen_at_s: int = 0
    """The latest wall time at which a look succeeded: expiry is judged by no earlier time."""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What the updater tells the warden."""

    outcome: UpdateOutcome
    expires_at_s: int
    """When the first of the documents that the host believes expires; 0: it believes none yet."""

    detail: str
    """Why, in one printable line."""
