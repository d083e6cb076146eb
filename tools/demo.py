"""A scripted tour of Ringfence that narrates what it does and checks what it says.

    make demo

Needs root.  Everything happens below `build/demo/`: a protected directory, a state directory, and at the end a picture
of the console.  Each step says what should happen and then whether it did; the exit status is 1 if any did not.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from ringfence.model.limits import BREAKER_OLD_FILES_MAX, QUESTION_DEADLINE_MS, QUESTION_GRACE_MS

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
OLD_FILES: Final = 60
UNREAD_FILES: Final = 100


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
    tour.say("A script that carries a test string. The kernel asks before it runs it.")
    tour.check("it does not run", holds=run_program(script("bad.sh", f"echo {TEST_STRING}")) is None)


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
    tour.say(f"kill -9 of every scanner, while {UNREAD_FILES} files are read that nobody has read before.")
    files = [PLACE / "archive" / f"{number}.txt" for number in range(UNREAD_FILES)]
    slowest = 0.0
    for number, file in enumerate(files):
        if number in (20, 50, 80):
            for pid in up.pids("scanner"):
                kill(pid, signal.SIGKILL)
        looked = read(file)
        slowest = max(slowest, looked.seconds)
        if not looked.allowed:
            tour.check(f"{file.name} can be read", holds=False)
    tour.check(f"every file could be read; the slowest took {slowest:.2f} s", holds=slowest < WAIT_MAX_S + 1)
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
        f"the file could be read after {looked.seconds:.2f} s", holds=looked.allowed and looked.seconds < WAIT_MAX_S + 1
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
    denied = sum(not read(PLACE / "old" / f"{number}.txt").allowed for number in range(OLD_FILES))
    tour.check(
        f"{denied} of {OLD_FILES} reads were refused before the breaker tripped", holds=denied <= BREAKER_OLD_FILES_MAX
    )
    tour.check("then the machine goes on: everything can be read", holds=read(PLACE / "letter.txt").allowed)
    tour.check("programs run", holds=run_program(PLACE / "hello.sh") == "hello\n")
    tour.check("the sensor lives, and says so", holds=bool(up.pids("gate", "armed")))


def console(tour: Tour, up: Sensor) -> None:
    """What a person sees of it all."""
    tour.say(f"All of it is on the console, {up.console}")
    told = within(PATIENCE_S, lambda: "EICAR_Test_File" in run("alerts", "--state", str(STATE), "--json"))
    tour.check("the alerts have arrived", holds=told)
    photograph(up)
    tour.check(f"a picture of the page is at {PICTURE.relative_to(ROOT)}", holds=PICTURE.stat().st_size > 0)


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
    (PLACE / "unread.txt").write_text("Who answers now?\n")
    (PLACE / "old").mkdir()
    for number in range(OLD_FILES):
        (PLACE / "old" / f"{number}.txt").write_text(f"an old file, number {number}\n")


@contextmanager
def sensor() -> Iterator[Sensor]:
    """`ringfence up` over the place, ready; ended and waited for at the end, whatever happens."""
    print("ringfence up: starting", flush=True)
    words = ("up", "--state", str(STATE), "--protect", str(PLACE), "--listen", "127.0.0.1:0", "--mode", "enforce")
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


def photograph(up: Sensor) -> None:
    """Log in with Debian's Chromium and save the overview as a picture."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only this stop needs a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM_WORDS))
        page = browser.new_page(viewport={"width": 1280, "height": 900}, ignore_https_errors=True)
        page.goto(up.console)
        page.fill("input[name=name]", up.user)
        page.fill("input[name=password]", up.password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{up.console.rstrip('/')}/")
        page.screenshot(path=PICTURE, full_page=True)
        browser.close()


if __name__ == "__main__":
    raise SystemExit(main())
