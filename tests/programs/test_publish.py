"""From a release file to what a server serves, by the commands: signed, judged, published, refused."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.content_repository import ContentRepository, small_release
from tests.support.key_ring import key

from ringfence.control.state import open_state
from ringfence.trust import roles
from ringfence.wire.key_document import encode_key


@dataclass
class Desk:
    """An author's directory, and a server's state directory on the same machine."""

    path: Path
    repository: ContentRepository
    state: Path

    def run(self, *words: str, status: int = 0) -> str:
        """Run `ringfence …`; its output, both streams."""
        run = subprocess.run(
            [sys.executable, "-m", "ringfence.programs.cli", *words],
            cwd=self.path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=dict(os.environ),
        )  # fmt: skip
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout + run.stderr

    def release(self, version: int) -> str:
        """A release file."""
        file = self.path / f"{version}.release"
        file.write_bytes(small_release(version))
        return file.name

    def sign(self, *words: str, status: int = 0) -> str:
        """`content sign` with Lise's key."""
        return self.run("content", "sign", *words, "--directory", "author/trust", "--key", "lise.key", "--yes",
                        status=status)

    def publish(self, *words: str, status: int = 0) -> str:
        """`content publish`."""
        return self.run("content", "publish", "author/trust", "--state", str(self.state), *words, status=status)

    def served(self) -> dict[str, object]:
        """The rollout that is served, and in which generation."""
        current = self.state / "server/repository/current"
        (file,) = sorted(current.glob("targets/rollouts/*.stable.json"), key=lambda one: one.stat().st_mtime_ns)[-1:]
        rollout: dict[str, object] = json.loads(file.read_bytes())
        return {**rollout, "generation": int(current.resolve().name)}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    repository = ContentRepository(tmp_path / "author")
    for owner in ("Lise", "Emmy"):
        file = tmp_path / f"{owner.lower()}.key"
        file.write_bytes(encode_key(key(owner)))
        file.chmod(0o600)
    state = tmp_path / "state"
    server = open_state(state)
    server.online_keys.mkdir(mode=0o700)
    for role in roles.ONLINE:
        file = server.online_keys / f"{role}.key"
        file.write_bytes(encode_key(key(f"{role} server")))
        file.chmod(0o600)
    return Desk(tmp_path, repository, state)


def test_a_release_goes_from_its_author_to_the_server(desk: Desk) -> None:
    said = desk.sign(desk.release(1), "--unproven")
    assert "WITHOUT PROOF" in said
    assert "+ release synthetic version 1" in said
    assert "waits for signatures" in desk.publish("--unproven", status=81)
    desk.run("keys", "sign", "author/trust/2.content.json", "--key", "emmy.key", "--yes")
    assert "stable gets synthetic version 1" in desk.publish("--unproven")
    digest = hashlib.sha256(small_release(1)).hexdigest()
    assert desk.served()["releases"] == [{"sha256": digest, "version": 1}]


def _signed(desk: Desk, version: int) -> None:
    number = desk.repository.trust.versions(roles.CONTENT)[-1] + 1
    desk.sign(desk.release(version), "--unproven")
    desk.run("keys", "sign", f"author/trust/{number}.content.json", "--key", "emmy.key", "--yes")


def test_an_unproven_release_needs_the_word_at_both_ends(desk: Desk) -> None:
    assert "nobody has proven this release" in desk.sign(desk.release(1), status=65)
    assert desk.repository.trust.versions(roles.CONTENT) == [1], "a refusal leaves nothing behind"
    _signed(desk, 1)
    assert "nobody has proven it" in desk.publish(status=65)
    assert not (desk.state / "server/repository/current").exists()
    assert "WITHOUT PROOF" in desk.publish("--unproven")


def test_versions_only_rise_and_patches_come_with_them(desk: Desk) -> None:
    _signed(desk, 1)
    _signed(desk, 3)
    said = desk.sign(desk.release(2), "--unproven", status=65)
    assert "version 2 comes after version 3, which is signed" in said
    number = desk.repository.trust.versions(roles.CONTENT)[-1]
    targets = desk.repository.trust.load(roles.CONTENT, number).signed.targets
    assert sorted(path.partition("/")[0] for path in targets) == ["patches", "releases", "releases"]
    again = desk.sign(desk.release(3), "--unproven")
    assert "+ release synthetic version 3" in again, "the same bytes may be signed again"


def test_a_channel_gets_the_release_that_is_named(desk: Desk) -> None:
    _signed(desk, 1)
    _signed(desk, 2)
    desk.publish("--unproven")
    assert desk.served()["generation"] == 1
    facts = json.loads(desk.publish("--unproven", "--release", "synthetic:1", "--json").splitlines()[0])
    assert (facts["version"], facts["generation"]) == (1, 2)
    digest = hashlib.sha256(small_release(2)).hexdigest()
    desk.publish("--unproven", "--release", digest[:12])
    assert desk.served()["releases"] == [{"sha256": digest, "version": 2}]
    for which in ("synthetic:7", "ffffffffffff", "nothing:1"):
        assert "say one of: synthetic:1, synthetic:2" in desk.publish("--unproven", "--release", which, status=2)
    assert "is no name of a channel" in desk.publish("--channel", "../x", status=2)


def test_changed_keys_are_published_without_a_release(desk: Desk) -> None:
    _signed(desk, 1)
    desk.publish("--unproven")
    desk.repository.renew(roles.ROOT, "Ada", "Grace")
    assert "published root 2 and content 2" in desk.publish("--only-keys")
    assert (desk.state / "server/repository/current/metadata/2.root.json").is_file()


def test_a_release_that_asks_for_more_than_the_fleet_supplies_is_refused(desk: Desk) -> None:
    _signed(desk, 1)
    contracts = desk.path / "contracts"
    contracts.mkdir()
    assert "holds no contract" in desk.publish("--unproven", "--contracts", "contracts", status=66)
    (contracts / "old.json").write_bytes(b"{}")
    assert "old.json" in desk.publish("--unproven", "--contracts", "contracts", status=65)


def test_what_is_served_can_be_read_and_the_keys_cannot(desk: Desk) -> None:
    _signed(desk, 1)
    desk.publish("--unproven")
    current = desk.state / "server/repository/current"
    assert {stat.S_IMODE(file.stat().st_mode) for file in current.rglob("*") if file.is_file()} == {0o644}
    (desk.state / "server/keys/rollout.key").chmod(0o644)
    words = ("--unproven", "--release", "synthetic:1", "--channel", "canary")
    assert "others may read this secret" in desk.publish(*words, status=82)


def test_a_damaged_release_is_not_signed(desk: Desk) -> None:
    (desk.path / "broken.release").write_bytes(small_release(1)[:-8])
    assert "release" in desk.sign("broken.release", "--unproven", status=65)
    assert desk.repository.trust.versions(roles.CONTENT) == [1]
