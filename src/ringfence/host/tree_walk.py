"""Finding the files below some paths, and opening each without being caught by what else lies there.

1. Symbolic links are not followed, neither to files nor to directories; a path that the person named is.
2. Only regular files are opened, and only after `lstat` says so: opening a pipe wakes its writer, opening a device may
   do anything.  The open itself neither follows a link nor blocks, and `fstat` has the last word.
3. A file with several names is given once; so is a directory, whatever mounts show it again: a walk always ends.
4. Mounts are crossed, except into file systems that are no storage (`PSEUDO_FILE_SYSTEMS`), unless `one_file_system`.
5. What cannot be read is reported, never fatal.  Files that vanish while we walk are no news.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from ringfence.model.errors import PathRefused

PSEUDO_FILE_SYSTEMS: Final = frozenset(
    """autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs
    proc pstore rpc_pipefs securityfs selinuxfs sysfs tracefs""".split()
)
"""File systems whose files are windows into the kernel: endless, blocking, or with effects when read."""

_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file, open for reading.  The receiver closes `descriptor`."""

    path: str
    descriptor: int
    size_bytes: int


@unique
class Passed(StrEnum):
    """Why something is not given."""

    UNREADABLE = "unreadable"
    SPECIAL = "special"
    """A pipe, socket or device."""

    OTHER_FILE_SYSTEM = "other_file_system"


@dataclass(frozen=True, slots=True)
class PassedBy:
    """Something that was not opened."""

    path: str
    why: Passed
    detail: str


def walk(paths: Sequence[str], *, one_file_system: bool = False) -> Iterator[FoundFile | PassedBy]:
    """Give every regular file below `paths`, opening each when it is asked for.

    Raises PathRefused, before anything is given, for a path that does not exist.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise PathRefused(f"{shown(path)} does not exist", "name an existing file or directory")
    return _Walk(one_file_system=one_file_system).everything(paths)


def shown(path: str) -> str:
    """`path` for a terminal: bytes that are no UTF-8, control characters and invisible ones as escapes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


class _Walk:
    """One walk with what it has seen."""

    def __init__(self, *, one_file_system: bool) -> None:
        self._one_file_system = one_file_system
        self._seen: set[tuple[int, int]] = set()
        self._pseudo_devices = pseudo_devices()

    def everything(self, paths: Sequence[str]) -> Iterator[FoundFile | PassedBy]:
        for path in paths:
            try:
                status = os.stat(path)
                target = os.path.realpath(path) if os.path.islink(path) else path
            except OSError as error:
                yield PassedBy(path, Passed.UNREADABLE, _why(error))
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._tree(target, status.st_dev)
            else:
                yield from self._file(target, target, None, status)

    def _tree(self, top: str, top_device: int) -> Iterator[FoundFile | PassedBy]:
        """Depth first with a list, not recursion: a tree may be deeper than the interpreter's stack."""
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            try:
                descriptor = os.open(directory, _OPEN_DIRECTORY)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield PassedBy(directory, Passed.UNREADABLE, _why(error))
                continue
            try:
                status = os.fstat(descriptor)
                if self._first_time(status):
                    if refusal := self._stays_out(directory, status.st_dev, top_device):
                        yield refusal
                    else:
                        yield from self._directory(directory, descriptor, waiting)
            finally:
                os.close(descriptor)

    def _directory(self, directory: str, descriptor: int, waiting: list[str]) -> Iterator[FoundFile | PassedBy]:
        """The files of one open directory; its directories are put in `waiting`."""
        deeper: list[str] = []
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = os.path.join(directory, entry.name)
                    if entry.is_symlink():
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        deeper.append(path)
                    else:
                        yield from self._file(path, entry.name, descriptor, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            pass
        except OSError as error:
            yield PassedBy(directory, Passed.UNREADABLE, _why(error))
        waiting.extend(sorted(deeper, reverse=True))

    def _file(
        self, path: str, name: str, directory: int | None, status: os.stat_result
    ) -> Iterator[FoundFile | PassedBy]:
        if not stat.S_ISREG(status.st_mode):
            yield PassedBy(path, Passed.SPECIAL, _kind(status.st_mode))
            return
        if status.st_nlink > 1 and not self._first_time(status):
            return
        try:
            descriptor = os.open(name, _OPEN_FILE, dir_fd=directory)
        except FileNotFoundError:
            return
        except OSError as error:
            yield PassedBy(path, Passed.UNREADABLE, _why(error))
            return
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode):
            os.close(descriptor)
            yield PassedBy(path, Passed.SPECIAL, _kind(opened.st_mode))
            return
        yield FoundFile(path, descriptor, opened.st_size)

    def _first_time(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return False
        self._seen.add(identity)
        return True

    def _stays_out(self, directory: str, device: int, top_device: int) -> PassedBy | None:
        if device in self._pseudo_devices:
            return PassedBy(directory, Passed.OTHER_FILE_SYSTEM, "no storage")
        if self._one_file_system and device != top_device:
            return PassedBy(directory, Passed.OTHER_FILE_SYSTEM, "another file system")
        return None


def pseudo_devices() -> frozenset[int]:
    """Device numbers of the mounted file systems that are no storage; none where /proc is not mounted."""
    devices: set[int] = set()
    try:
        with Path("/proc/self/mountinfo").open("rb") as mounts:
            for line in mounts:
                fields = line.split()
                kind = fields[fields.index(b"-") + 1].decode("ascii", "replace")
                if kind in PSEUDO_FILE_SYSTEMS:
                    major, minor = fields[2].split(b":")
                    devices.add(os.makedev(int(major), int(minor)))
    except (OSError, ValueError, IndexError):
        return frozenset()
    return frozenset(devices)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISFIFO, "pipe"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISDIR, "directory"),
    ):
        if test(mode):
            return name
    return "special file"
