"""What the gate marks: protected places, and single files that it silences.

A place is marked as a mount or as a whole file system.  A plain directory becomes a mount first (`host/places.py`).
Marking a place needs CAP_SYS_ADMIN and happens before the gate drops it; silencing a file does not.
Source: fanotify_mark(2); measured behaviour of ignore marks: `docs/adr/0004-ignore-marks.md`.
"""

import errno
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from ringfence.host import fanotify
from ringfence.host.fanotify import raw_mark
from ringfence.model.errors import KernelLacks, PathRefused


@unique
class PlaceKind(StrEnum):
    """How a place is marked."""

    MOUNT = "mount"
    FILE_SYSTEM = "filesystem"


@dataclass(frozen=True, slots=True)
class Place:
    """One protected place: an absolute path and how it is marked."""

    path: str
    kind: PlaceKind

    def spelled(self) -> str:
        """The place as a process argument, read back by `place_of`."""
        return f"{self.kind}:{self.path}"


def place_of(text: str) -> Place:
    """Parse `Place.spelled`.  Raises ValueError."""
    kind, _, path = text.partition(":")
    if not path.startswith("/"):
        raise ValueError(text)
    return Place(path, PlaceKind(kind))


_SILENCE: Final = fanotify.MARK_ADD | fanotify.IGNORE | fanotify.EVICTABLE
_SCOPE: Final = {PlaceKind.MOUNT: fanotify.MARK_MOUNT, PlaceKind.FILE_SYSTEM: fanotify.MARK_FILE_SYSTEM}


class Marks:
    """The two groups of the gate and everything marked on them."""

    def __init__(self, places: tuple[Place, ...], *, strict: bool) -> None:
        self.places = places
        self.permission_mask = fanotify.ACCESS_PERMISSION | fanotify.EXEC_PERMISSION
        if strict:
            self.permission_mask |= fanotify.OPEN_PERMISSION
        self.reading_mask = self.permission_mask & ~fanotify.EXEC_PERMISSION
        self.questions = fanotify.permission_group()
        self.closes = fanotify.notification_group()

    def arm(self) -> None:
        """Mark every place.  Raises PathRefused or KernelLacks naming the place; then nothing stays marked."""
        try:
            for place in self.places:
                self._mark(place, self.questions, self.permission_mask)
                self._mark(place, self.closes, fanotify.CLOSE_WRITE)
        except BaseException:
            self.disarm()
            raise

    def _mark(self, place: Place, group: int, mask: int) -> None:
        try:
            fanotify.mark(group, fanotify.MARK_ADD | _SCOPE[place.kind], mask, path=place.path)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENODEV):
                raise PathRefused(
                    f"{place.path}: its file system cannot be marked ({error.strerror})",
                    "protect a directory on another file system, or a mount instead of the file system",
                ) from error
            if error.errno == errno.EINVAL:
                raise KernelLacks(
                    f"{place.path}: this kernel refuses access and exec permission marks",
                    "use Linux 5.9 or later with CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y",
                ) from error
            raise PathRefused(f"{place.path}: {error.strerror}", "name an existing directory or mount") from error

    def disarm(self) -> None:
        """Remove every mark of both groups; nobody is asked any more."""
        for group in (self.questions, self.closes):
            for scope in (fanotify.MARK_MOUNT, fanotify.MARK_FILE_SYSTEM, fanotify.MARK_INODE):
                raw_mark(group, fanotify.MARK_FLUSH | scope, 0, fanotify.AT_FDCWD, b"/")

    def forget_files(self) -> None:
        """Remove the ignore marks of all files: everything asks again (a new release)."""
        raw_mark(self.questions, fanotify.MARK_FLUSH | fanotify.MARK_INODE, 0, fanotify.AT_FDCWD, b"/")

    def silence(self, descriptor: int) -> None:
        """Silence a file until it changes.  Evictable: it does not pin the inode."""
        raw_mark(self.questions, _SILENCE, self.permission_mask, descriptor, None)

    def silence_hot(self, descriptor: int) -> None:
        """Silence reads of a file although it changes; exec still asks."""
        flags = fanotify.MARK_ADD | fanotify.IGNORE | fanotify.EVICTABLE | fanotify.IGNORED_SURVIVES_MODIFY
        raw_mark(self.questions, flags, self.reading_mask, descriptor, None)

    def wake(self, descriptor: int) -> None:
        """Remove a file's ignore mark, whatever its kind."""
        flags = fanotify.MARK_REMOVE | fanotify.IGNORE
        raw_mark(self.questions, flags, self.permission_mask, descriptor, None)
