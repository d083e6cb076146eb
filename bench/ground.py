"""The ground: a file system of the bench's own, made for each run of a subject and taken away after it.

Protection is only ever switched on for this mount, so that a subject that hangs can hang nothing else.  Unmounting is
lazy and always happens.  The bench itself touches the mount only while nothing protects it; meanwhile everything goes
through children that can be given up.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

COMMAND_SECONDS_MAX: Final = 60
IMAGE_BYTES: Final = 3 << 30
"""Size of the sparse image; a run writes about a quarter of it."""

HOME_BYTES: Final = IMAGE_BYTES + (2 << 30)
"""The image, archives, state and logs."""

MEMORY_SPARE_BYTES: Final = 3 << 30
MAKERS: Final = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-m0", "-Elazy_itable_init=0,lazy_journal_init=0,nodiscard"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "tmpfs": (),
}


def make_home() -> Path:
    """A new directory for the bench's own things: a file system in memory if there is plenty of it, else on disk.

    World-readable, because ClamAV's daemon drops root before it reads its settings' directory.
    """
    home = Path(tempfile.mkdtemp(prefix="ringfence-bench-"))
    if memory_available() > HOME_BYTES + MEMORY_SPARE_BYTES:
        _run("mount", "-t", "tmpfs", "-o", f"size={HOME_BYTES}", "ringfence-bench", str(home))
    home.chmod(0o755)
    return home


def memory_available() -> int:
    """Bytes of memory that the kernel would give away without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def remove_home(home: Path) -> None:
    """Remove the bench's directory with everything in it."""
    _unmount(home)
    shutil.rmtree(home, ignore_errors=True)


class Ground:
    """One fresh file system, mounted below `home` between `__enter__` and `__exit__`."""

    def __init__(self, home: Path, kind: str) -> None:
        self.image = home / "ground.image"
        self.path = home / "ground"
        self.kind = kind

    def __enter__(self) -> Self:
        self.path.mkdir(exist_ok=True)
        if self.kind == "tmpfs":
            _run("mount", "-t", "tmpfs", "-o", f"size={IMAGE_BYTES}", "ringfence-bench", str(self.path))
        else:
            with self.image.open("wb") as image:
                image.truncate(IMAGE_BYTES)
            _run(*MAKERS[self.kind], str(self.image))
            _run("mount", "-o", "loop", str(self.image), str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Unmount, lazily where it is busy, and remove the image.  May be called twice."""
        _unmount(self.path)
        self.image.unlink(missing_ok=True)

    def settle(self) -> None:
        """Write out what is dirty, so that no run pays for another's writes."""
        _run("sync", "-f", str(self.path))


def _unmount(path: Path) -> None:
    """Unmount what is mounted there, lazily where it is busy."""
    if path.is_mount():
        tried = subprocess.run(["umount", str(path)], check=False, capture_output=True, timeout=COMMAND_SECONDS_MAX)
        if tried.returncode:
            _run("umount", "-l", str(path))


def _run(*words: str) -> None:
    """Run a system command, bounded."""
    subprocess.run(words, check=True, timeout=COMMAND_SECONDS_MAX)
