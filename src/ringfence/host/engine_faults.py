"""When failed scans are the release's fault: on long-known files, on several of them, and not on those that have hurt
another release before.  A release that is mute is so on every file.

A file that somebody has just made may be made to hurt every engine, and must not take a release from a host; a few old
files may hurt every engine as well.  Past those each further file counts as a death.
"""

from ringfence.decide.activation_messages import Cause
from ringfence.model import limits
from ringfence.wire.catalogue import FAULT_BURNT, FAULT_DIED, FAULT_KILLED, FAULT_MUTE

File = tuple[int, int]
"""Device and inode; both 0: the scanner had no file in hand, it died at its birth."""

_NO_FILE = (0, 0)


class EngineFaults:
    """What has happened to the scanners of the release that runs, and on which files."""

    def __init__(self) -> None:
        self._sha256 = ""
        self._files: set[File] = set()
        self._others: dict[File, None] = {}
        """Files that have hurt another release."""

        self._births = 0
        self._grown: dict[int, None] = {}

    def begin(self, sha256: str) -> None:
        """Another release is to run."""
        if sha256 == self._sha256:
            return
        self._sha256 = sha256
        self._others |= dict.fromkeys(self._files)
        while len(self._others) > limits.STRIKE_ENTRIES_MAX:
            del self._others[next(iter(self._others))]
        self._files = set()
        self._births = 0

    def grown(self, pid: int) -> None:
        """The warden kills this scanner for its memory."""
        self._grown[pid] = None
        while len(self._grown) > limits.SCANNERS_ENDED_PROCESSES_MAX:
            del self._grown[next(iter(self._grown))]

    def failed(self, what: int, pid: int, file: File, *, is_older: bool) -> Cause | None:
        """One fault; what it counts as, if it is one death of the release's engine."""
        if what == FAULT_MUTE:
            return Cause.MUTE
        cause = {FAULT_DIED: Cause.CRASHED, FAULT_BURNT: Cause.HUNG}.get(what)
        if what == FAULT_KILLED and pid in self._grown:
            del self._grown[pid]
            cause = Cause.GREW
        if cause is None or not is_older:
            return None
        if file == _NO_FILE:
            self._births += 1
        elif file in self._files or file in self._others or len(self._files) >= limits.STRIKE_ENTRIES_MAX:
            return None
        else:
            self._files.add(file)
        return cause if len(self._files) + self._births > limits.RELEASE_FAULT_FILES_FREE else None
