"""A release's whole way with real processes: keys, build, sign, publish, server, courier, updater, the host's store.

People have passphrases, the server its own keys, the host nothing but the first root; every step is a command.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.control.server_process import RunningServer, running_server
from tests.support.ceremony import PEOPLE, SERVERS, Ceremony
from tests.support.live_sensor import DEADLINE_AND_GRACE_MS, LiveSensor, Opened
from tests.support.machine import kernel_requires
from tests.unit.author.content_fixtures import HEAD, META, RULES, write_content

from ringfence.host.enrolment import enrol_once

HASTE = 400
"""How much faster a trial is than on a real host."""

PATIENCE_S = 120.0


@dataclass
class Journey:
    """Everybody who takes part."""

    ceremony: Ceremony
    server: RunningServer
    host: LiveSensor
    content: int = 1

    def run(self, *words: str, status: int = 0) -> str:
        """Run `ringfence …` where the people sit; its output, both streams."""
        run = subprocess.run(
            [sys.executable, "-m", "ringfence.programs.cli", *words],
            cwd=self.ceremony.path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env=dict(os.environ),
        )  # fmt: skip
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout + run.stderr

    def release(self, version: int, rules: str = RULES) -> Path:
        """Build a release."""
        directory = self.ceremony.path / f"content-{version}"
        write_content(directory, head=HEAD.replace("version: 3", f"version: {version}"), rules=rules)
        path = self.ceremony.path / f"{version}.release"
        self.run("content", "build", str(directory), "-o", str(path))
        return path

    def publish(self, release: Path) -> str:
        """Sign by two and publish; the release's digest."""
        self.content += 1
        words = ("--passphrase-file", "words", "--yes")
        self.run("content", "sign", str(release), "--directory", "trust", "--key", "lise.key", "--unproven", *words)
        self.run("keys", "sign", f"trust/{self.content}.content.json", "--key", "rosa.key", *words)
        self.run("content", "publish", "trust", "--state", str(self.server.state), "--unproven")
        return hashlib.sha256(release.read_bytes()).hexdigest()

    def update(self, status: int = 0) -> str:
        """`ringfence host update`."""
        return self.run("host", "update", "--state", str(self.host.state.directory), status=status)

    def wait_until_runs(self, digest: str) -> None:
        """Until a release runs; meanwhile the machine is used, because a trial compares what it is asked."""

        def holds() -> bool:
            self.host.open_together([self.host.fresh() for _ in range(8)])
            return self.host.runs() == digest

        self.host.wait_until(holds, PATIENCE_S)

    def is_good(self, digest: str) -> bool:
        """Whether a release has survived its soak."""
        self.host.open(self.host.fresh())
        return self.host.activation().find(digest) is not None

    def kept(self) -> set[str]:
        """The releases in the host's store."""
        return {file.name.removesuffix(".release") for file in self.host.state.releases.glob("*.release")}


@pytest.fixture
def journey(tmp_path: Path) -> Iterator[Journey]:
    kernel_requires("root", "fanotify-permission", "mount", "landlock", "seccomp", "loopback")
    ceremony = Ceremony(tmp_path)
    ceremony.create(*PEOPLE)
    ceremony.create(*SERVERS, online=True)
    ceremony.init()
    for document in ("1.root.json", "1.targets.json"):
        ceremony.sign(document, "ada", "mary")
    ceremony.sign("1.content.json", "lise", "rosa")
    with running_server(tmp_path / "state") as server:
        keys = tmp_path / "state/server/keys"
        keys.mkdir(mode=0o700)
        for name in SERVERS:
            (tmp_path / f"{name}.key").rename(keys / f"{name}.key")
        host = LiveSensor(haste=HASTE)
        try:
            ca = tmp_path / "state/server/ca.pem"
            enrol_once(host.state.identity, server.address, ca, tmp_path / "state/server/enrolment.token")
            yield Journey(ceremony, server, host)
        finally:
            host.close()


def test_a_release_reaches_the_hosts_store_and_is_tried(journey: Journey) -> None:
    state = str(journey.host.state.directory)
    said = journey.update(status=66)
    assert "trusts no root" in said
    first = journey.publish(journey.release(3))
    trusted = json.loads(journey.run("host", "trust", "trust/1.root.json", "--state", state, "--json"))
    assert [one["owner"] for one in trusted["keys"]] == ["ada", "grace", "mary"]
    assert "a new release is being tried" in journey.update()
    assert first in journey.kept()
    journey.wait_until_runs(first)
    assert "nothing new: tried 3" in journey.update()

    other = RULES + f'rule Two {{ {META} strings: $a = "two hundred" condition: $a }}\n'
    second = journey.publish(journey.release(4, other))
    assert "tried 4" in journey.update()
    journey.host.wait_until(lambda: journey.is_good(first), PATIENCE_S)  # one trial at a time: put off until then
    assert "tried 4 by a patch" in journey.update()
    assert second in journey.kept()
    journey.wait_until_runs(second)

    _a_lie_is_refused_and_an_absent_server_is_not(journey, second)


def test_a_bad_release_that_all_keys_have_signed_is_survived(journey: Journey) -> None:
    """Signed on purpose by everybody who may, unproven, on a host that allows that, and enforces."""
    state = str(journey.host.state.directory)
    good = journey.publish(journey.release(3))
    journey.run("host", "trust", "trust/1.root.json", "--state", state)
    journey.update()
    journey.wait_until_runs(good)
    journey.host.wait_until(lambda: journey.is_good(good), PATIENCE_S)

    bad = journey.publish(journey.release(4, RULES + f"rule Everything {{ {META} condition: filesize >= 0 }}\n"))
    met: list[Opened] = []

    def is_refused() -> bool:
        met.extend(journey.host.open_together([journey.host.fresh() for _ in range(8)]))
        return bool(journey.host.refusal(bad))

    journey.update()
    journey.host.wait_until(is_refused, PATIENCE_S)
    assert not any(one.refused for one in met)
    assert max(one.waited_ms for one in met) <= DEADLINE_AND_GRACE_MS
    assert journey.host.runs() == good
    assert "refused" in journey.run("host", "why", "--state", state)
    assert "nothing new" in journey.update(), "it is never tried again"
    assert journey.host.runs() == good


def _a_lie_is_refused_and_an_absent_server_is_not(journey: Journey, runs: str) -> None:
    """The server's disk is altered; then the server is gone.  The host protects all the while."""
    journey.publish(journey.release(5))
    served = journey.server.state / "server/repository/current"
    for file in (*served.glob("targets/releases/*"), *served.glob("targets/patches/*")):
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "another length or hash than was signed" in journey.update(status=81)
    assert journey.host.runs() == runs
    journey.server.kill()
    assert "nobody answered" in journey.update()
    assert journey.host.runs() == runs
    assert journey.host.open(journey.host.fresh()).refused is False


def test_another_root_is_not_taken_by_accident(journey: Journey) -> None:
    state = str(journey.host.state.directory)
    journey.run("host", "trust", "trust/1.root.json", "--state", state)
    other = Ceremony(journey.ceremony.path / "other")
    for name in (*PEOPLE, *SERVERS):
        other.create(name, online=True)
    other.init()
    said = journey.run("host", "trust", "other/trust/1.root.json", "--state", state, status=81)
    assert "2 of 2 signatures are missing" in said
    for name in ("ada", "grace"):
        other.run("sign", "trust/1.root.json", "--key", f"{name}.key", "--yes")
    assert "holds another root" in journey.run("host", "trust", "other/trust/1.root.json", "--state", state, status=66)
    journey.run("host", "trust", "other/trust/1.root.json", "--state", state, "--replace")
    assert "is no name of a channel" in journey.run(
        "host", "trust", "other/trust/1.root.json", "--state", state, "--channel", "../x", status=2
    )
