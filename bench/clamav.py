"""Debian's ClamAV on access: daemon and client with settings, signatures and socket in a directory of the bench's own.

The machine's own ClamAV settings are neither read nor changed, and nothing is downloaded but the package itself.
"""

import os
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from bench.chance import seeded
from bench.materials import PROBE
from bench.subjects import Subject, SubjectFailedError, fresh_log

PACKAGE: Final = "clamav-daemon"
INSTALL_SECONDS_MAX: Final = 600
HASHES: Final = 20_000
BODIES: Final = 6_000
LOGICALS: Final = 1_000
PROBE_POLL_SECONDS: Final = 0.2
USER: Final = "clamav"

DAEMON_SETTINGS: Final = """\
LocalSocket {home}/socket/clamd
TemporaryDirectory {home}/temporary
DatabaseDirectory {home}/signatures
LogFile {home}/clamd.log
PidFile {home}/clamd.pid
User clamav
Foreground yes
MaxThreads 12
SelfCheck 0
OnAccessIncludePath {ground}
OnAccessPrevention yes
OnAccessExcludeUname clamav
OnAccessMaxFileSize 5M
"""
"""Debian's defaults, with the paths of the bench and prevention on.  The daemon's user must be excluded, or the two
would wait for each other."""


def available() -> bool:
    """Whether daemon and client are installed."""
    return shutil.which("clamd") is not None and shutil.which("clamonacc") is not None


def install() -> None:
    """Install Debian's package.  Raises `SubjectFailedError` with apt's last words.

    A run level of 1 in the environment keeps the package from starting the daemon by itself.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    said = ""
    for words in (["apt-get", "-q", "update"], ["apt-get", "-qy", "install", "--no-install-recommends", PACKAGE]):
        try:
            done = subprocess.run(
                words, env=environment, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SubjectFailedError(f"clamav: cannot run {' '.join(words)}: {error}") from error
        said = done.stderr.strip()[-300:]
    if not available():
        raise SubjectFailedError(f"clamav: cannot install {PACKAGE}: {said}")


def prepare(home: Path) -> int:
    """Make the daemon's directories and signatures below `home`, once.  Returns the number of signatures."""
    own = home / "clamav"
    for name in ("socket", "temporary", "signatures"):
        (own / name).mkdir(parents=True)
    count = write_signatures(own / "signatures")
    for path in (own, *own.rglob("*")):
        shutil.chown(path, USER)
    return count


def write_signatures(directory: Path) -> int:
    """Write a database of hashes, byte patterns and logical signatures, made from a seed.  Returns their number."""
    chance = seeded(20240719)
    hashes = [f"{chance.randbytes(16).hex()}:{chance.randrange(600, 900_000)}:Bench.Hash-{n}" for n in range(HASHES)]
    bodies = [f"Bench.Probe:0:0:{PROBE.hex()}"]
    for number in range(BODIES):
        target = chance.choices((0, 1, 3, 6, 7), (30, 45, 10, 5, 10))[0]
        bodies.append(f"Bench.Body-{number}:{target}:*:{_pattern(chance)}")
    logicals = []
    for number in range(LOGICALS):
        target = chance.choices((0, 1, 6), (20, 70, 10))[0]
        parts = ";".join(_pattern(chance) for _ in range(3))
        logicals.append(f"Bench.Logical-{number};Engine:81-255,Target:{target};(0&1)|2;{parts}")
    for ending, lines in (("hdb", hashes), ("ndb", bodies), ("ldb", logicals)):
        (directory / f"bench.{ending}").write_text("\n".join(lines) + "\n")
    return len(hashes) + len(bodies) + len(logicals)


def _pattern(chance: random.Random) -> str:
    """One byte pattern: plain, with open bytes, or with a gap."""
    head, rest = _bytes(chance, 8, 20), _bytes(chance, 6, 16)
    middle = chance.choice(("", "??", "??", "{2-8}"))
    return head + middle + rest


def _bytes(chance: random.Random, least: int, most: int) -> str:
    """Some bytes in hex."""
    return chance.randbytes(chance.randrange(least, most)).hex()


class Clamav(Subject):
    """clamd and clamonacc with prevention on, watching the ground."""

    name = "clamav"
    content = "generated"

    def start(self) -> None:
        """Start the daemon, then the client, and wait until the test file is refused."""
        own = self.place.home / "clamav"
        (own / "clamd.conf").write_text(DAEMON_SETTINGS.format(home=own, ground=self.place.ground))
        log = fresh_log(self.place.home, "clamav")
        settings, socket = str(own / "clamd.conf"), own / "socket" / "clamd"
        socket.unlink(missing_ok=True)
        begin = time.monotonic()
        self.spawn(["clamd", "--foreground", f"--config-file={settings}"], log)
        self.await_that(socket.is_socket, log)
        self.spawn(["clamonacc", "--foreground", "--fdpass", f"--config-file={settings}", f"--log={log}.client"], log)
        self.await_that(self.probe_refused, log, PROBE_POLL_SECONDS)
        self.ready_s = time.monotonic() - begin
