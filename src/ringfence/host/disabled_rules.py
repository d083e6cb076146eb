"""The rules that this host leaves out, by release: in memory, and in one small file for each release.

A record that cannot be read says nothing: the release is used whole then, and a rule that does harm is found again.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ringfence.host.durable import write_durably
from ringfence.model.errors import DiskFull, FrameRefused
from ringfence.model.fault import RuleName
from ringfence.model.limits import DISABLED_RELEASES_MAX, DISABLED_RULES_MAX
from ringfence.model.records import HostEventKind
from ringfence.wire.attribution import decode_record, encode_record

_SUFFIX = ".rules"


class Told(Protocol):
    """Whoever hears of it: the warden's notes."""

    def event(self, kind: HostEventKind, subject: str, detail: str) -> None:
        """Something happened to the sensor."""


class DisabledRules:
    """The records below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, frozenset[RuleName]] = {}

    def of(self, sha256: str) -> frozenset[RuleName]:
        """The rules of a release that are left out."""
        if sha256 not in self._known:
            self._known[sha256] = self._read(sha256)
        return self._known[sha256]

    def add(self, sha256: str, rules: Iterable[RuleName]) -> bool:
        """Leave out more rules.  False, and nothing is changed, where that would be more than `DISABLED_RULES_MAX`.

        Raises DiskFull when that could not be written: it holds until the warden ends all the same.
        """
        wanted = self.of(sha256) | frozenset(rules)
        if len(wanted) > DISABLED_RULES_MAX:
            return False
        self._known[sha256] = wanted
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(sha256)
        except OSError as error:
            raise DiskFull(f"{self._directory} cannot be written: {error.strerror}", "free space there") from error
        write_durably(self._directory / f"{sha256}{_SUFFIX}", encode_record(sha256, wanted))
        return True

    def leave_out(self, sha256: str, rules: Iterable[RuleName], told: "Told") -> bool:
        """As `add`; a full disk is told, and costs that it is forgotten with the warden."""
        try:
            return self.add(sha256, rules)
        except DiskFull as full:
            told.event(HostEventKind.RULE_DISABLED, "store", f"it could not be kept: {full.what}")
            return True

    def _read(self, sha256: str) -> frozenset[RuleName]:
        try:
            release, rules = decode_record((self._directory / f"{sha256}{_SUFFIX}").read_bytes())
        except (OSError, FrameRefused):
            return frozenset()
        return rules if release == sha256 else frozenset()

    def _make_room(self, sha256: str) -> None:
        """Remove the oldest records of other releases past `DISABLED_RELEASES_MAX`."""
        others = [path for path in self._directory.glob(f"*{_SUFFIX}") if path.stem != sha256]
        others.sort(key=lambda path: path.stat().st_mtime_ns)
        for path in others[: max(0, len(others) + 1 - DISABLED_RELEASES_MAX)]:
            path.unlink(missing_ok=True)
