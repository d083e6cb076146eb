"""The works: what each prepares on the unprotected ground, and what is timed while a subject protects it.

Works that need each other's state form a step; steps that can share one start of a subject form a session.  A step's
`prepare` runs before the subject starts.  Its `perform` runs while it protects: there the bench itself touches nothing
on the ground, only children that can be given up do.
"""

import json
import subprocess
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.materials import Materials, lay_programs, lay_small_files, lay_sources

STEP_SECONDS_MAX: Final = 180
"""A timed command that takes longer is given up, and its subject is killed."""

FREED_SECONDS_MAX: Final = 30
"""Time for a given-up command to go on after its subject was killed."""

COPY_SECONDS_MAX: Final = 60
DATABASE_BYTES: Final = 4 << 20


class StepStuckError(Exception):
    """A timed command took longer than its limit.  The subject has been killed."""


class StepFailedError(Exception):
    """A timed command ended with an error: on the protected side, the subject refused what is harmless."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much each work does: numbers of files, programs and rounds."""

    read: int
    unpack: int
    unpack_read: int
    execute: int
    compile: int
    new: int
    database: int
    latency: int

    def divided(self, by: int) -> "Sizes":
        """A smaller run of the same shape."""
        numbers = (self.read, self.unpack, self.unpack_read, self.execute, self.compile, self.new, self.database)
        return Sizes(*(max(5, number // by) for number in (*numbers, self.latency)))

    def of(self, work: str) -> int:
        """The number that belongs to a work."""
        return {
            "read_first": self.read,
            "read_again": self.read,
            "exec_first": self.execute,
            "exec_again": self.execute,
            "compile": self.compile,
            "database": self.database,
            "new_files": self.new,
            "unpack": self.unpack,
            "unpack_then_read": self.unpack_read,
            "unpack_then_read_known": self.unpack_read,
        }.get(work, self.latency)


FULL: Final = Sizes(10_000, 10_000, 10_000, 500, 100, 2_000, 10_000, 2_000)
SMALLER: Final = Sizes(1_000, 10_000, 1_000, 500, 50, 2_000, 200, 300)
"""For a subject that would take minutes with the full numbers.  Ratios are per file all the same."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One timed work on one side.  The percentiles are 0 where single operations were not timed."""

    seconds: float
    count: int
    refused: int
    p50_us: float
    p99_us: float


@dataclass(slots=True)
class Scene:
    """One side of a pair: where, with what, how much, and how to wait for the subject or end it."""

    home: Path
    ground: Path
    materials: Materials
    sizes: Sizes
    wanted: Collection[str]
    quiet: Callable[[], float]
    give_up: Callable[[], None]
    done: dict[str, Measured]

    def wants(self, *works: str) -> bool:
        """Whether any of `works` was asked for."""
        return any(work in self.wanted for work in works)

    def time_command(
        self, work: str, words: list[str], *, paths: list[str] | None = None, at: Path | None = None
    ) -> None:
        """Run a command to its end and keep its time, measured from outside unless it reports its own."""
        text = "".join(f"{path}\n" for path in paths or []).encode()
        begin = time.monotonic()
        output, status = self.bounded(words, text, at)
        seconds = time.monotonic() - begin
        if status:
            raise StepFailedError(f"{work}: {words[0]} ended with status {status}")
        report = json.loads(output.splitlines()[-1]) if output.startswith(b"{") else {}
        by_itself = bool(report) and words[0] != "sh"  # a shell's time holds more than its last command's report
        self.done[work] = Measured(
            float(report["seconds"]) if by_itself else seconds,
            int(report.get("count", self.sizes.of(work))),
            int(report.get("refused", 0)),
            float(report.get("p50_us", 0)),
            float(report.get("p99_us", 0)),
        )

    def bounded(self, words: list[str], text: bytes = b"", at: Path | None = None) -> tuple[bytes, int]:
        """Run a command under the limit.  Raises `StepStuckError` after killing the subject that holds it up."""
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=at,
            start_new_session=True,
        )
        try:
            return process.communicate(text, timeout=STEP_SECONDS_MAX)[0], process.returncode
        except subprocess.TimeoutExpired as stuck:
            self.give_up()
            raise StepStuckError(f"{words[0]} took longer than {STEP_SECONDS_MAX} s") from stuck
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that a command is gone, and closed its pipes."""
    if process.poll() is None:
        process.terminate()
        try:
            process.communicate(timeout=FREED_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()


class Step:
    """Works that share their preparation."""

    works: tuple[str, ...] = ()

    def prepare(self, scene: Scene) -> None:
        """Lay out what the works need; nothing protects yet."""

    def perform(self, scene: Scene) -> None:
        """Time the works; the subject protects."""


class Reading(Step):
    """Read every file of a tree that lay there before, then all of them again."""

    works = ("read_first", "read_again")

    def __init__(self) -> None:
        self.paths: list[str] = []

    def prepare(self, scene: Scene) -> None:
        """Unpack the tree."""
        tree = scene.ground / "tree"
        tree.mkdir()
        _unpack(scene.materials.archives["tree", scene.sizes.read], tree)
        self.paths = sorted(str(path) for path in tree.rglob("*") if path.is_file())

    def perform(self, scene: Scene) -> None:
        """Read twice, with a rest between."""
        for work in self.works:
            scene.time_command(work, [scene.materials.program("read_files"), "0"], paths=self.paths)
            scene.quiet()


class Executing(Step):
    """Run programs of which no two are equal, then all of them again."""

    works = ("exec_first", "exec_again")

    def __init__(self) -> None:
        self.paths: list[str] = []

    def prepare(self, scene: Scene) -> None:
        """Lay the programs."""
        self.paths = lay_programs(scene.materials.home, scene.ground / "programs", scene.sizes.execute)

    def perform(self, scene: Scene) -> None:
        """Run them twice."""
        for work in self.works:
            scene.time_command(work, [scene.materials.program("spawn_programs")], paths=self.paths)
            scene.quiet()


class Compiling(Step):
    """Compile C files one after the other, with sources, objects and temporary files on the ground."""

    works = ("compile",)

    def prepare(self, scene: Scene) -> None:
        """Lay the sources."""
        lay_sources(scene.ground / "sources", scene.sizes.compile)
        (scene.ground / "sources" / "temporary").mkdir()

    def perform(self, scene: Scene) -> None:
        """One compiler for each file."""
        text = 'export TMPDIR=$PWD/temporary; for unit in *.c; do gcc -O1 -c "$unit" || exit 1; done'
        scene.time_command("compile", ["sh", "-c", text], at=scene.ground / "sources")


class Database(Step):
    """Open a file again and again while its writer holds it open and writes."""

    works = ("database",)

    def prepare(self, scene: Scene) -> None:
        """Lay the file: pages of words and numbers."""
        page = b"".join(b"row %06d value %012d name-%04d;" % (row, row * 7919, row % 977) for row in range(90))
        content = (page.ljust(4096, b"\0") * (DATABASE_BYTES // 4096))[:DATABASE_BYTES]
        (scene.ground / "database.file").write_bytes(content)

    def perform(self, scene: Scene) -> None:
        """All rounds in one process."""
        words = [scene.materials.program("database_file"), str(scene.ground / "database.file")]
        scene.time_command("database", [*words, str(scene.sizes.database)])
        scene.quiet()


class NewFiles(Step):
    """Write new files of 4 KiB to 1 MiB."""

    works = ("new_files",)

    def prepare(self, scene: Scene) -> None:
        """An empty directory."""
        (scene.ground / "new").mkdir()

    def perform(self, scene: Scene) -> None:
        """One process writes them all."""
        words = [scene.materials.program("write_files"), str(scene.ground / "new"), str(scene.sizes.new), "3"]
        scene.time_command("new_files", words)


class Unpacking(Step):
    """Unpack an archive of small files whose contents were never seen before."""

    works = ("unpack",)

    def prepare(self, scene: Scene) -> None:
        """An empty directory."""
        (scene.ground / "unpacked").mkdir()

    def perform(self, scene: Scene) -> None:
        """Debian's tar."""
        archive = scene.materials.archives["fresh", scene.sizes.unpack]
        scene.time_command("unpack", ["tar", "-xf", str(archive), "-C", str(scene.ground / "unpacked")])
        scene.quiet()


class UnpackThenRead(Step):
    """Unpack and at once read everything; then the same again into an emptied place: new files, known contents."""

    works = ("unpack_then_read", "unpack_then_read_known")

    def prepare(self, scene: Scene) -> None:
        """The archive's list of files, and an empty directory."""
        target, archive = scene.ground / "fresh", scene.materials.archives["fresh", scene.sizes.unpack_read]
        target.mkdir()
        listed = subprocess.run(["tar", "-tf", str(archive)], capture_output=True, check=True, timeout=COPY_SECONDS_MAX)
        paths = "".join(f"{target}/{name}\n" for name in listed.stdout.decode().splitlines())
        (scene.home / "fresh.list").write_text(paths)

    def perform(self, scene: Scene) -> None:
        """Twice, with the first tree removed and a rest between."""
        archive, target = scene.materials.archives["fresh", scene.sizes.unpack_read], scene.ground / "fresh"
        reader = f"{scene.materials.program('read_files')} 0 < {scene.home / 'fresh.list'}"
        for work in self.works if scene.wants("unpack_then_read_known") else self.works[:1]:
            scene.time_command(work, ["sh", "-c", f"tar -xf {archive} -C {target} && {reader}"])
            scene.quiet()
            if work == "unpack_then_read":
                scene.bounded(["sh", "-c", f"rm -rf {target}/*"])
                scene.quiet()


class Latency(Step):
    """Single opens of 4 KiB files: never seen, then seen, then copies whose contents are known."""

    works = ("small_first", "small_again", "small_known")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.copies: list[str] = []

    def prepare(self, scene: Scene) -> None:
        """The files and their copies."""
        self.paths = lay_small_files(scene.ground / "small", scene.sizes.latency)
        self.copies = lay_small_files(scene.ground / "copies", scene.sizes.latency)

    def perform(self, scene: Scene) -> None:
        """Three passes."""
        for work, paths in zip(self.works, (self.paths, self.paths, self.copies), strict=True):
            scene.time_command(work, [scene.materials.program("read_files"), "4096"], paths=paths)
            scene.quiet()


SESSIONS: Final[dict[str, tuple[type[Step], ...]]] = {
    "latency": (Latency,),
    "everyday": (Reading, Executing, Compiling, Database, Unpacking, NewFiles),
    "fresh": (UnpackThenRead,),
}
"""Steps that share one start of a subject, in this order.  What leaves most work behind comes last, for the subject
is ended after it."""

WORKS: Final = tuple(work for steps in SESSIONS.values() for step in steps for work in step.works)
RATIO_WORKS: Final = (
    "unpack",
    "read_first",
    "read_again",
    "exec_first",
    "exec_again",
    "compile",
    "new_files",
    "database",
    "unpack_then_read",
    "unpack_then_read_known",
)
"""Works in the table's order; the others only yield figures."""


def steps_of(session: str, wanted: Collection[str]) -> list[Step]:
    """Fresh steps of a session that hold at least one wanted work."""
    return [step() for step in SESSIONS[session] if any(work in wanted for work in step.works)]


def _unpack(archive: Path, target: Path) -> None:
    """Unpack while nothing protects."""
    subprocess.run(["tar", "-xf", str(archive), "-C", str(target)], check=True, timeout=COPY_SECONDS_MAX)
