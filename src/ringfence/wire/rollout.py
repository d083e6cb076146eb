"""Which releases a channel gets, as its signed document: canonical JSON <-> a value.

{"channel":"stable","format":1,"releases":[{"sha256":"…","version":3}]}

The online role signs it, so it can only *select*: a digest that content does not vouch for selects nothing.
"""

import re
from dataclasses import dataclass
from typing import Final

from ringfence.model import limits
from ringfence.model.errors import ContentRefused, SignatureRefused
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields

ROLLOUT_FORMAT: Final = 1
CHANNEL: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_NAMES: Final = frozenset({"channel", "format", "releases"})
_ENTRY_NAMES: Final = frozenset({"sha256", "version"})
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_WAY_OUT: Final = "publish the rollout again with `ringfence content publish`"


@dataclass(frozen=True, slots=True)
class RolloutEntry:
    """One release that the channel may get."""

    sha256: str
    version: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """A channel's document.  Entries rise in their version, which no two share."""

    channel: str
    releases: tuple[RolloutEntry, ...]

    @property
    def newest(self) -> RolloutEntry | None:
        """The entry with the highest version; None where the channel gets nothing."""
        return self.releases[-1] if self.releases else None


def encode_rollout(rollout: Rollout) -> bytes:
    """The bytes of a channel's document."""
    return canonical.encode(
        {
            "channel": rollout.channel,
            "format": ROLLOUT_FORMAT,
            "releases": [{"sha256": one.sha256, "version": one.version} for one in rollout.releases],
        }
    )


def decode_rollout(data: bytes, *, channel: str) -> Rollout:
    """The document of `channel`.  Raises SignatureRefused, also when it speaks for another channel."""
    file = f"rollouts/{channel}.json"
    try:
        top = Fields(canonical.decode(data, file=file, bytes_max=limits.METADATA_ROLLOUT_BYTES_MAX), _NAMES, file=file)
        top.integer("format", ROLLOUT_FORMAT, ROLLOUT_FORMAT)
        if top.word("channel", CHANNEL) != channel:
            top.refuse("channel", f"is not the one of {channel}")
        releases: list[RolloutEntry] = []
        for row in top.rows("releases", limits.SIGNED_RELEASES_RECORDS_MAX, _ENTRY_NAMES):
            entry = RolloutEntry(row.word("sha256", _DIGEST), row.integer("version", 1, limits.RELEASE_VERSION_MAX))
            if releases and releases[-1].version >= entry.version:
                row.refuse("version", "must rise from entry to entry")
            releases.append(entry)
    except ContentRefused as error:
        raise SignatureRefused(error.what, _WAY_OUT) from error
    return Rollout(channel, tuple(releases))
