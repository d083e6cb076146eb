"""From what the operator names to what the gate marks.

A mount point is marked as a mount, or as a whole file system when the operator says `filesystem:PATH`.  A plain
directory is bind-mounted onto itself first and that mount is marked: it covers the whole tree, also what is created
later, without a race (ADR 0003 says what that does not see).  Binds made here are written down before they are made, so
that the next start can remove what a power cut left behind.
Source: mount(2), umount2(2), proc_pid_mountinfo(5).
"""

import ctypes
import errno
import os
import stat
from typing import Final

from ringfence.host.kernel import LIBC, NEEDS_ADMINISTRATION, failure
from ringfence.host.marks import Place, PlaceKind
from ringfence.model.errors import PathRefused, PrivilegeMissing
from ringfence.model.limits import PLACES_MAX

MS_BIND: Final = 4096
MS_PRIVATE: Final = 1 << 18
MNT_DETACH: Final = 2
WAY_OUT: Final = "name an existing directory (or `filesystem:PATH` for everything on its file system)"
NEVER: Final = ("/", "/proc", "/sys", "/dev", "/run")
"""Marking these would put the sensor's own needs, or the kernel's, behind its own questions."""


def resolve(wanted: str) -> tuple[Place, bool]:
    """The place for one `--protect` argument, and whether it must be bind-mounted first.  Raises PathRefused."""
    scheme, _, rest = wanted.partition(":")
    whole = scheme == PlaceKind.FILE_SYSTEM and rest.startswith("/")
    path = os.path.realpath(rest if whole else wanted)
    try:
        found = os.stat(path)
    except OSError as error:
        raise PathRefused(f"{wanted}: {error.strerror}", WAY_OUT) from error
    if not stat.S_ISDIR(found.st_mode):
        raise PathRefused(f"{wanted}: not a directory", WAY_OUT)
    on_root = whole and found.st_dev == os.stat("/").st_dev
    if on_root or path in NEVER or path.startswith(("/proc/", "/sys/", "/dev/")):
        raise PathRefused(
            f"{wanted}: protecting {path} would put the sensor behind its own questions",
            "protect the directories that hold programs and data, such as /srv, /home, /usr or /var/www",
        )
    if whole:
        return Place(path, PlaceKind.FILE_SYSTEM), False
    return Place(path, PlaceKind.MOUNT), not is_mount_point(path)


def resolve_all(wanted: list[str]) -> tuple[list[Place], list[str]]:
    """Every place, and the directories to bind.  Raises PathRefused for a path that cannot be one, or too many."""
    if not 0 < len(wanted) <= PLACES_MAX:
        raise PathRefused(f"{len(wanted)} places to protect; one to {PLACES_MAX} are possible", WAY_OUT)
    places: dict[str, Place] = {}
    binds: list[str] = []
    for one in wanted:
        place, bind = resolve(one)
        if place.spelled() not in places and bind:
            binds.append(place.path)
        places[place.spelled()] = place
    return list(places.values()), binds


def resolve_closed(wanted: list[str], places: list[Place]) -> tuple[str, ...]:
    """The real paths below which files are refused without a verdict.

    Raises PathRefused for one that does not exist or that nothing protects: a policy that never applies must not look
    like one that does.
    """
    return tuple(_closed(one, places) for one in wanted)


def _closed(wanted: str, places: list[Place]) -> str:
    path = os.path.realpath(wanted)
    try:
        device = os.stat(path).st_dev
    except OSError as error:
        raise PathRefused(f"{wanted}: {error.strerror}", "name an existing path below a protected place") from error
    for place in places:
        same = os.stat(place.path).st_dev == device
        below = path == place.path or path.startswith(f"{place.path.rstrip('/')}/")
        if same and (below or place.kind is PlaceKind.FILE_SYSTEM):
            return path
    raise PathRefused(
        f"{wanted}: nothing protects it, so it could never fail closed",
        f"name it, or a directory above it, with --protect as well (protected: {', '.join(p.path for p in places)})",
    )


def is_mount_point(path: str) -> bool:
    """Whether something is mounted exactly there (bind mounts on the same file system included)."""
    spelled = os.fsencode(path)
    with open("/proc/self/mountinfo", "rb") as file:
        return any(_unescaped(line.split(b" ")[4]) == spelled for line in file)


def _unescaped(field: bytes) -> bytes:
    """A path of mountinfo, whose blanks, tabs, newlines and backslashes are octal escapes."""
    return field.decode("unicode_escape").encode("latin-1") if b"\\" in field else field


def bind(path: str) -> None:
    """Mount a directory onto itself, privately.  Raises PathRefused, or PrivilegeMissing."""
    target = os.fsencode(path)
    if LIBC.mount(target, target, None, ctypes.c_ulong(MS_BIND), None) != 0:
        error = failure("mount")
        if error.errno == errno.EPERM:
            raise PrivilegeMissing(
                f"{path}: the kernel lets only processes with CAP_SYS_ADMIN bind-mount it", NEEDS_ADMINISTRATION
            )
        raise PathRefused(f"{path}: cannot be bind-mounted ({error.strerror})", WAY_OUT)
    LIBC.mount(None, target, None, ctypes.c_ulong(MS_PRIVATE), None)


def unbind(path: str) -> None:
    """Remove such a mount; lazily, so that whoever works inside goes on.  A path that is none is left alone."""
    if is_mount_point(path):
        LIBC.umount2(os.fsencode(path), MNT_DETACH)
