"""Whether a release is mute: since it became active its scanners compute, and have answered nothing that anybody asked.

On each of several files, more than there are scanners, one computed for longer than a proven release takes for a file
of that size, and no other file had an answer meanwhile.  One of them at least was there before the release: who may
write files must not choose what the host runs by being the first to ask.
What a busy machine starves, or somebody stops, does not compute and counts for nothing.
"""

from ringfence.decide.verdict_cache import FileKey
from ringfence.model import limits


class Muteness:
    """What has been seen of one release after the other."""

    def __init__(self, scanners: int) -> None:
        self._files_min = max(limits.MUTE_FILES_MIN, scanners + 1)
        self._generation = -1
        self._files: set[FileKey] = set()
        self._is_known = False
        """One of them is older than the release."""

    def late(
        self, generation: int, answered: int, file: FileKey, size_bytes: int, used_ms: int, *, is_older: bool
    ) -> bool:
        """A question's deadline has passed, and its scanner had computed for so long; whether the release is mute.

        `generation` counts the releases, `answered` is the last of them that has answered anything.
        """
        if generation != self._generation:
            self._generation = generation
            self._files = set()
            self._is_known = False
        if answered == generation or used_ms < _honest_ms(size_bytes):
            return False
        self._is_known = self._is_known or is_older
        if len(self._files) < self._files_min:
            self._files.add(file)
        return self._is_known and len(self._files) >= self._files_min


def _honest_ms(size_bytes: int) -> int:
    """Processor time that no proven release takes for a file of this size."""
    scanned = min(size_bytes, limits.SYNC_SCAN_BYTES_MAX)
    return limits.MUTE_MS + scanned * limits.RELEASE_SCAN_US_PER_MIB_MAX // (1000 * 1024 * 1024)
