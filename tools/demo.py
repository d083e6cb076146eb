"""A scripted tour of Ringfence that narrates what it does and checks what it says.

    make demo

Needs root.  Everything happens below `build/demo/`: a protected directory, a state directory, and at the end a picture
of the console.  Each step says what should happen and then whether it did; the exit status is 1 if any did not.
"""

import errno
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from ringfence.model.limits import (
    BREAKER_OLD_FILES_MAX,
    QUESTION_DEADLINE_MS,
    QUESTION_GRACE_MS,
    SYNC_SCAN_BYTES_MAX,
)

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = ROOT / "build" / "demo"
PLACE: Final = HOME / "place"
STATE: Final = HOME / "state"
PICTURE: Final = HOME / "console.png"
RINGFENCE: Final = (sys.executable, "-I", "-m", "ringfence.programs.cli")

EICAR: Final = "".join(("X5O!P%@AP[4\\P", "ZX54(P^)7CC)7", "}$EICAR-STAND", "ARD-ANTIVIRUS", "-TEST-FILE!$H", "+H*"))
TEST_STRING: Final = "-".join(("RINGFENCE", "TEST", "STRING", "5f1c6c0e4b7d"))
"""Put together here, so that this script is no finding itself."""

CHROMIUM_WORDS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")

PATIENCE_S: Final = 60.0
"""For what takes as long as the machine takes: a start, a replacement, an alert's way to the console."""

WAIT_MAX_S: Final = (QUESTION_DEADLINE_MS + QUESTION_GRACE_MS) / 1000
"""The deadline and one second: no read may take longer, whatever is killed or stopped."""

TOLD_BY_ROWS: Final = ("Matches_Everything",)
TOLD_BY_THE_PAGE: Final = ("EICAR_Test_File", "The breaker set a release to observe")
"""What the console must show at the end; it comes by itself, as the host reports it."""

OLD_FILES: Final = 60
UNREAD_FILES: Final = 20
BIG_FILES: Final = 6
"""Each takes a scanner some tenths of a second; should one be done before it is killed, the next is taken."""

PICTURE_SIZE: Final = (1280, 1330)
PICTURE_BYTES_MIN: Final = 40_000
"""An empty page of the browser has a tenth of these bytes."""


class DemoFailedError(Exception):
    """Something that the tour cannot go on without did not happen."""


@dataclass
class Tour:
    """The narrator: counts what held and what did not."""

    failed: list[str] = field(default_factory=list)
    held: int = 0

    def say(self, text: str) -> None:
        """Tell what comes next."""
        print(f"\n{text}", flush=True)

    def check(self, claim: str, *, holds: bool) -> None:
        """Print a claim with whether it holds."""
        print(f"  {'ok  ' if holds else 'FAIL'} {claim}", flush=True)
        if holds:
            self.held += 1
        else:
            self.failed.append(claim)


@dataclass(frozen=True)
class Sensor:
    """A running `ringfence up`."""

    process: subprocess.Popen[str]
    console: str
    user: str
    password: str

    def status(self) -> dict[str, Any]:
        """`ringfence host status --json`."""
        answer: dict[str, Any] = json.loads(run("host", "status", "--state", str(STATE), "--json"))
        return answer

    def counters(self) -> dict[str, int]:
        """The gate's counters by name."""
        found: dict[str, int] = self.status()["counters"]
        return found

    def mode(self) -> str:
        """What the sensor does now: "observe" or "enforce"."""
        return str(self.status()["mode"])

    def pids(self, role: str, *states: str) -> list[int]:
        """Processes of one role in one of `states`, or in any."""
        processes = self.status()["processes"]
        return [one["pid"] for one in processes if one["role"] == role and (not states or one["state"] in states)]


def main() -> int:
    """The whole tour; returns the exit status."""
    if os.geteuid() != 0:
        sys.stderr.write("demo: only root may answer the kernel's questions\n  way out: run it with sudo\n")
        return 77
    tour = Tour()
    prepare()
    try:
        with sensor() as up:
            for stop in (
                clean_file,
                eicar_read,
                eicar_run,
                bad_archive,
                scanner_killed,
                gate_stopped,
                bad_release,
                console,
            ):
                stop(tour, up)
            tour.say("Ctrl-C. The sensor goes, and leaves nothing behind.")
            up.process.send_signal(signal.SIGINT)
            tour.check("it ends with status 0", holds=up.process.wait(PATIENCE_S) == 0)
        tour.check("the directory is open again: nobody asks any more", holds=read(PLACE / "eicar.com").allowed)
        tour.check("and what was not run is refused by nobody", holds=not refused_to_run(PLACE / "eicar.com"))
    except (DemoFailedError, subprocess.SubprocessError) as error:
        tour.check(f"the tour went to its end: {error}", holds=False)
    print(f"\n{tour.held} claims held, {len(tour.failed)} did not.", flush=True)
    return 1 if tour.failed else 0


# --- the stops of the tour --------------------------------------------------------------------------------------


def clean_file(tour: Tour, _: Sensor) -> None:
    """A file that matches nothing."""
    tour.say("A clean file is read and run as if nobody watched.")
    (PLACE / "letter.txt").write_text("Nothing to see here.\n")
    tour.check("it can be read", holds=read(PLACE / "letter.txt").allowed)
    tour.check("a clean program can be run", holds=run_program(script("hello.sh", "echo hello")) == "hello\n")


def eicar_read(tour: Tour, _: Sensor) -> None:
    """The test virus that every scanner knows."""
    tour.say("EICAR, the test virus that every scanner knows. Writing it is possible, reading it is not.")
    (PLACE / "eicar.com").write_text(EICAR)
    tour.check("the read is refused", holds=not read(PLACE / "eicar.com").allowed)
    tour.check("and refused again, from the cache", holds=not read(PLACE / "eicar.com").allowed)


def eicar_run(tour: Tour, _: Sensor) -> None:
    """The same question at exec."""
    tour.say("EICAR made executable, and a script that carries a test string. The kernel asks before it runs them.")
    (PLACE / "eicar.com").chmod(0o755)
    tour.check("EICAR is not run", holds=refused_to_run(PLACE / "eicar.com"))
    tour.check("nor is the script", holds=refused_to_run(script("bad.sh", f"echo {TEST_STRING}")))


def bad_archive(tour: Tour, _: Sensor) -> None:
    """Archives are opened when nobody waits."""
    tour.say("EICAR in a zip in a zip. Archives are opened after they are written, while nobody waits.")
    inner, outer = HOME / "inner.zip", PLACE / "outer.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b/readme.com", EICAR)
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "inner.zip")
    tour.check("soon the archive cannot be read", holds=within(PATIENCE_S, lambda: not read(outer).allowed))


def scanner_killed(tour: Tour, up: Sensor) -> None:
    """The process that reads content may die at any moment."""
    tour.say("kill -9 of a scanner in the middle of a scan: while it has a big file in its hand that somebody reads.")
    before = up.counters()
    killed, looked = 0, Look(allowed=False, seconds=0)
    unanswered = 0
    for number in range(BIG_FILES):
        killed, looked = kill_while_it_scans(up, PLACE / "big" / f"{number}.bin")
        unanswered = up.counters()["allowed_unknown"] - before["allowed_unknown"]
        if unanswered:
            break  # the file went on without a verdict: the scan had not finished
    tour.check(f"scanner {killed} died before it had a verdict", holds=killed > 0 and unanswered > 0)
    tour.check(
        f"the file could be read all the same, after {looked.seconds:.2f} s",
        holds=looked.allowed and looked.seconds <= WAIT_MAX_S,
    )
    replaced = within(
        PATIENCE_S,
        lambda: killed not in up.pids("scanner") and up.counters()["scanner_restarts"] > before["scanner_restarts"],
    )
    tour.check("another scanner is in its place", holds=replaced)
    tour.say(f"kill -9 of all of them, again and again, while {UNREAD_FILES} files are read for the first time.")
    looks = []
    for number in range(UNREAD_FILES):
        if number % 5 == 0:
            for pid in up.pids("scanner"):
                kill(pid, signal.SIGKILL)
        looks.append(read(PLACE / "archive" / f"{number}.txt"))
    slowest = max(look.seconds for look in looks)
    tour.check("every file could be read", holds=all(look.allowed for look in looks))
    tour.check(f"the slowest took {slowest:.2f} s", holds=slowest <= WAIT_MAX_S)
    (PLACE / "eicar-2.com").write_text(EICAR)
    tour.check("new scanners are there: EICAR is refused", holds=within(PATIENCE_S, refuses(PLACE / "eicar-2.com")))


def gate_stopped(tour: Tour, up: Sensor) -> None:
    """The worst fault: the process that the kernel waits for stands still."""
    tour.say(f"kill -STOP of the gate. The kernel now waits for nobody; the watchdog has {WAIT_MAX_S:.0f} s to notice.")
    before = up.pids("gate", "armed")
    for pid in before:
        kill(pid, signal.SIGSTOP)
    looked = read(PLACE / "unread.txt")
    tour.check(
        f"the file could be read after {looked.seconds:.2f} s", holds=looked.allowed and looked.seconds <= WAIT_MAX_S
    )
    replaced = within(PATIENCE_S, lambda: bool(up.pids("gate", "armed")) and up.pids("gate", "armed") != before)
    tour.check("another gate has taken over", holds=replaced)
    (PLACE / "eicar-3.com").write_text(EICAR)
    tour.check("and it refuses EICAR", holds=within(PATIENCE_S, refuses(PLACE / "eicar-3.com")))


def bad_release(tour: Tour, up: Sensor) -> None:
    """The story of 2024-07-19, on one host."""
    tour.say(f"A bad release: its one rule matches everything. {OLD_FILES} files are older than it.")
    release = build_bad_release()
    run("host", "load", str(release), "--state", str(STATE))
    tour.check("this host tries it in the shadow and refuses it", holds=within(PATIENCE_S, lambda: "blocked-" in why()))
    tour.check("meanwhile everything could be read", holds=read(PLACE / "letter.txt").allowed)
    tour.say("Loaded by force, at once, without the shadow: now it runs.")
    run("host", "load", str(release), "--at-once", "--force", "--state", str(STATE))
    allowed = [read(PLACE / "old" / f"{number}.txt").allowed for number in range(OLD_FILES)]
    denied = allowed.count(False)
    tour.check(
        f"{denied} of {OLD_FILES} reads were refused: some, and no more than {BREAKER_OLD_FILES_MAX}",
        holds=0 < denied <= BREAKER_OLD_FILES_MAX,
    )
    tour.check("then the breaker tripped: not one was refused after that", holds=all(allowed[denied:]))
    tour.check("the release before runs again", holds=within(PATIENCE_S, lambda: '"breaker"' in why()))
    tour.check("and the host enforces", holds=within(PATIENCE_S, lambda: up.mode() == "enforce"))
    tour.check("then the machine goes on: everything can be read", holds=read(PLACE / "letter.txt").allowed)
    tour.check("programs run", holds=run_program(PLACE / "hello.sh") == "hello\n")
    tour.check("the sensor lives, and says so", holds=bool(up.pids("gate", "armed")))


def console(tour: Tour, up: Sensor) -> None:
    """What a person sees of it all."""
    tour.say(f"All of it is on the console, {up.console}")
    told = within(PATIENCE_S, lambda: "EICAR_Test_File" in run("alerts", "--state", str(STATE), "--json"))
    tour.check("the alerts have arrived", holds=told)
    seen = photograph(up)
    tour.check(f"the browser shows {seen.rows} alerts", holds=seen.rows > 0)
    for words in (*TOLD_BY_ROWS, *TOLD_BY_THE_PAGE):
        tour.check(f"it says: {words}", holds=words in seen.text)
    width, height, size_bytes = picture_size()
    real = width == PICTURE_SIZE[0] and height >= PICTURE_SIZE[1] and size_bytes >= PICTURE_BYTES_MIN
    tour.check(
        f"a picture of the page is at {PICTURE.relative_to(ROOT)}: {width} x {height}, {size_bytes} bytes", holds=real
    )


# --- hands ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """What became of one read."""

    allowed: bool
    seconds: float


def prepare() -> None:
    """A place with files that nobody has asked about, and those that are older than the bad release."""
    shutil.rmtree(HOME, ignore_errors=True)
    (PLACE / "archive").mkdir(parents=True)
    for number in range(UNREAD_FILES):
        (PLACE / "archive" / f"{number}.txt").write_text(f"an unread file, number {number}\n" * 50)
    (PLACE / "big").mkdir()
    for number in range(BIG_FILES):
        (PLACE / "big" / f"{number}.bin").write_bytes(os.urandom(SYNC_SCAN_BYTES_MAX))
    (PLACE / "unread.txt").write_text("Who answers now?\n")
    (PLACE / "old").mkdir()
    for number in range(OLD_FILES):
        (PLACE / "old" / f"{number}.txt").write_text(f"an old file, number {number}\n")


@contextmanager
def sensor() -> Iterator[Sensor]:
    """`ringfence up` over the place, ready; ended and waited for at the end, whatever happens."""
    print("ringfence up: starting", flush=True)
    words = ("up", "--state", str(STATE), "--protect", str(PLACE), "--listen", "127.0.0.1:0", "--mode", "enforce",
             "--allow-unproven")  # the tour loads a release that it builds as it goes
    process = subprocess.Popen((*RINGFENCE, *words), stdout=subprocess.PIPE, text=True)
    try:
        yield announced(process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()


def announced(process: subprocess.Popen[str]) -> Sensor:
    """Read what `up` prints until its line `ready`; raises DemoFailedError."""
    output: IO[str] | None = process.stdout
    if output is None:
        raise DemoFailedError("ringfence up has no output")
    text = ""
    for line in output:
        text += line
        print(f"  {re.sub(r'password [^ ]+', 'password …', line.rstrip())}", flush=True)
        if line == "ready\n":
            break
    address = re.search(r"^console: (\S+)$", text, re.MULTILINE)
    login = re.search(r"user (\S+), password (\S+)", text)
    if not text.endswith("ready\n") or address is None or login is None:
        raise DemoFailedError("ringfence up did not become ready")
    return Sensor(process, address.group(1), login.group(1), login.group(2))


def run(*words: str) -> str:
    """Run a command of ringfence; returns what it prints; raises DemoFailedError."""
    finished = subprocess.run((*RINGFENCE, *words), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if finished.returncode != 0:
        raise DemoFailedError(f"ringfence {' '.join(words)}: {finished.stderr.strip()}")
    return finished.stdout


def why() -> str:
    """Why this host is on its release."""
    return run("host", "why", "--state", str(STATE), "--json")


def read(file: Path) -> Look:
    """Read a file in a process of its own, so that a wait without an end would be seen."""
    began = time.monotonic()
    finished = subprocess.run(("cat", file), capture_output=True, timeout=PATIENCE_S, check=False)
    return Look(finished.returncode == 0, time.monotonic() - began)


def refuses(file: Path) -> Any:  # noqa: ANN401 - a predicate for `within`
    """Whether reading is refused, as a function."""
    return lambda: not read(file).allowed


def script(name: str, body: str) -> Path:
    """A shell script in the place."""
    path = PLACE / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def run_program(path: Path) -> str | None:
    """What a program prints, None where it may not run."""
    try:
        finished = subprocess.run((path,), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except PermissionError:
        return None
    return finished.stdout if finished.returncode == 0 else None


def refused_to_run(path: Path) -> bool:
    """Whether the kernel refuses to run a program; that it cannot be run anyhow does not count."""
    try:
        subprocess.run((path,), capture_output=True, timeout=PATIENCE_S, check=False)
    except OSError as error:
        return error.errno == errno.EPERM
    return False


def kill_while_it_scans(up: Sensor, file: Path) -> tuple[int, Look]:
    """Read a file, and kill the scanner that has it in its hand.  Its pid, 0 when none was caught, and the read."""
    wanted = file.stat()
    scanners = up.pids("scanner")
    began = time.monotonic()
    reader = subprocess.Popen(("cat", file), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    caught = 0
    while not caught and reader.poll() is None:
        caught = next((pid for pid in scanners if holds_open(pid, wanted)), 0)
    if caught:
        kill(caught, signal.SIGKILL)
    status = reader.wait(PATIENCE_S)
    return caught, Look(status == 0, time.monotonic() - began)


def holds_open(pid: int, wanted: os.stat_result) -> bool:
    """Whether a process has a file open."""
    try:
        descriptors = list(os.scandir(f"/proc/{pid}/fd"))
        return any(os.path.samestat(one.stat(), wanted) for one in descriptors)
    except OSError:
        return False  # it closed one, or ended, while we looked


def kill(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def within(seconds: float, holds: Any) -> bool:  # noqa: ANN401 - a predicate
    """Whether `holds()` becomes true before the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


def build_bad_release() -> Path:
    """A release whose one rule matches every file that is not empty."""
    content = HOME / "bad-content"
    for folder in ("rules", "tests"):
        (content / folder).mkdir(parents=True)
    (content / "content.yaml").write_text("format: 1\nname: bad\nversion: 2\ndescription: bad on purpose\n")
    (content / "rules" / "bad.yar").write_text(
        "rule Matches_Everything { meta:\n"
        'author = "The demo"\ndescription = "Matches every file that is not empty"\nseverity = "critical"\n'
        'action = "block"\ntechnique = ""\nreference = ""\nlicence = "Apache-2.0"\n'
        "condition: filesize > 0 }\n"
    )
    (content / "tests" / "bad.yaml").write_text(
        "Matches_Everything:\n  matches:\n    - [anything]\n  ignores:\n    - []\n"
    )
    release = HOME / "bad.release"
    run("content", "build", str(content), "-o", str(release))
    return release


@dataclass(frozen=True)
class Seen:
    """What the browser showed."""

    rows: int
    text: str


def photograph(up: Sensor) -> Seen:
    """Log in with Debian's Chromium and save the overview as a picture, once it shows alerts."""
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - only this stop needs a browser

    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM_WORDS))
            width, height = PICTURE_SIZE
            page = browser.new_page(viewport={"width": width, "height": height}, ignore_https_errors=True)
            page.goto(up.console)
            page.fill("input[name=name]", up.user)
            page.fill("input[name=password]", up.password)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url(f"{up.console.rstrip('/')}/")
            for told in TOLD_BY_ROWS:
                page.locator("tr[data-alert]", has_text=told).first.wait_for()
            for told in TOLD_BY_THE_PAGE:
                page.get_by_role("main").get_by_text(told).first.wait_for()
            page.locator("[data-live][data-state=open]").wait_for()
            page.screenshot(path=PICTURE, full_page=True)
            seen = Seen(page.locator("tr[data-alert]").count(), page.get_by_role("main").inner_text())
            browser.close()
    except Error as error:
        raise DemoFailedError(f"the browser did not show the console: {error}") from error
    return seen


def picture_size() -> tuple[int, int, int]:
    """Width, height and bytes of the picture; zeros where it is no PNG."""
    data = PICTURE.read_bytes()
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return 0, 0, len(data)
    width, height = struct.unpack_from(">II", data, 16)
    return width, height, len(data)


if __name__ == "__main__":
    raise SystemExit(main())
