"""A server, a courier or a thief lies to the update client: each known attack in a test of its own.

The client is `host/update_look.py` on python-tuf; what lies is the fetcher in front of it.  After every attack that is
refused, the host still believes what it believed, and an honest server brings it up to date.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.content_repository import ContentRepository, small_release
from tests.support.key_ring import key
from tests.support.update_host import ONE, TWO, Change, Host, LyingFetcher, check_refused, kept, resigned
from tuf.api.exceptions import DownloadError
from tuf.api.metadata import Metadata, TargetFile

from ringfence.host.repository_judge import DirectoryFetcher
from ringfence.host.update_look import Look, expires_at_s, remembered
from ringfence.model import limits
from ringfence.model.errors import DiskFull, SignatureRefused
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.keys import sign_with, signer, verifying_key


def _documents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


def test_a_fresh_host_gets_the_release(host: Host, repository: ContentRepository) -> None:
    assert host.look(repository.current) == ONE
    assert expires_at_s(host.directory) == int((repository.now + timedelta(days=3)).timestamp())
    note = host.select(repository.current).note
    assert (note.name, note.version, note.signed_version, note.unproven) == ("synthetic", 1, 2, True)


def test_a_channel_that_nobody_published_gives_nothing(host: Host, repository: ContentRepository) -> None:
    look = Look(host.directory, DirectoryFetcher(repository.current), host.root)
    assert look.select("canary", wall_time()) is None


@pytest.mark.parametrize("held_back", ["timestamp", "snapshot", "content", "rollout"])
def test_rollback(host: Host, repository: ContentRepository, held_back: str) -> None:
    """Older metadata than the host has believed, whole or in part."""
    old = kept(repository)
    repository.add(TWO)
    repository.publish(TWO)
    assert host.look(repository.current) == TWO
    if held_back == "timestamp":
        check_refused(host, old, "must be >=")
        return
    older = {"snapshot": "1.snapshot.json", "content": "2.content.json", "rollout": "1.rollout.json"}[held_back]
    newer = {"snapshot": "2.snapshot.json", "content": "3.content.json", "rollout": "2.rollout.json"}[held_back]
    (host.directory / f"{held_back}.json").unlink()

    def change(url: str, data: bytes) -> bytes:
        return (old / "metadata" / older).read_bytes() if url.endswith(newer) else data

    # a snapshot's digest is in the timestamp, a role's version in the snapshot
    expected = "hash" if held_back == "snapshot" else "Expected"
    check_refused(host, LyingFetcher(repository.current, change), expected)
    assert host.look(repository.current) == TWO


def test_freeze(host: Host, repository: ContentRepository) -> None:
    """Somebody serves the same old metadata for ever: it expires, and the host knows days ahead when."""
    assert host.look(repository.current) == ONE
    old = kept(repository)
    repository.add(TWO)
    repository.publish(TWO)
    assert host.look(old) == ONE, "old but not expired: nobody can tell"
    assert expires_at_s(host.directory) < (wall_time() + timedelta(days=3, seconds=1)).timestamp()
    check_refused(host, old, "expired", days=4)


def test_mix_and_match(host: Host, repository: ContentRepository) -> None:
    """Documents of two publications that were never served together."""
    repository.add(TWO)
    first = kept(repository)
    repository.publish(TWO)

    def change(url: str, data: bytes) -> bytes:
        old = first / url
        return old.read_bytes() if "rollout" in url and old.is_file() else _other_rollout(url, data)

    def _other_rollout(url: str, data: bytes) -> bytes:
        return (first / "metadata/1.rollout.json").read_bytes() if url.endswith("2.rollout.json") else data

    check_refused(host, LyingFetcher(repository.current, change), "Expected rollout v2, got v1")


@pytest.mark.parametrize("where", ["timestamp.json", "1.snapshot.json", "2.root.json", ".release"])
def test_endless_data(host: Host, repository: ContentRepository, where: str) -> None:
    """A file that does not end is cut at its bound, whatever its name."""
    given = 0

    class Endless(DirectoryFetcher):
        def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
            nonlocal given
            if not url.endswith(where):
                yield from super().pieces(url, bytes_max)
                return
            while True:
                given += 65_536
                yield bytes(65_536)

    check_refused(host, Endless(repository.current), "endless data")
    assert given <= limits.METADATA_TARGETS_BYTES_MAX + 65_536


def test_slow_retrieval_ends_as_nothing_came(host: Host, repository: ContentRepository) -> None:
    """What the courier's answers do to time is measured in tests/host/test_updater.py; here the fetcher gives up."""

    class Slow(DirectoryFetcher):
        def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
            if url.endswith(".release"):
                yield b"x"
                raise DownloadError(f"{url}: not whole in time")
            yield from super().pieces(url, bytes_max)

    check_refused(host, Slow(repository.current), "not whole in time")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "another length or hash"),
        (lambda data: data + b"\0", "endless data"),
        (lambda data: data[:-1], "another length or hash"),
        (lambda _: b"", "another length or hash"),
        (lambda _: TWO, "hash"),
    ],
    ids=["wrong hash", "too long", "too short", "empty", "another release"],
)
def test_a_release_that_is_not_the_signed_one(
    host: Host, repository: ContentRepository, damage: Callable[[bytes], bytes], words: str
) -> None:
    def change(url: str, data: bytes) -> bytes:
        return damage(data) if url.endswith(".release") else data

    with pytest.raises(SignatureRefused, match=f"{words}|endless data"):
        host.look(LyingFetcher(repository.current, change))
    assert host.look(repository.current) == ONE


def test_unsigned(host: Host, repository: ContentRepository) -> None:
    def change(url: str, data: bytes) -> bytes:
        if not url.endswith("timestamp.json"):
            return data
        table = json.loads(data)
        table["signatures"] = []
        return json.dumps(table).encode()

    check_refused(host, LyingFetcher(repository.current, change), "not signed by enough keys")


def _one_signature_short(role: str, stolen: str) -> Callable[[Path], Change]:
    def made(served: Path) -> Change:
        def change(url: str, data: bytes) -> bytes:
            if not url.endswith(f".{role}.json") or url.endswith(".root.json"):
                return data
            return resigned(served / url, lambda _: None, stolen)

        return change

    return made


@pytest.mark.parametrize(("role", "stolen"), [("content", "Lise"), ("targets", "Ada")])
def test_threshold_one_stolen_key_is_not_two(
    host: Host, repository: ContentRepository, role: str, stolen: str
) -> None:
    check_refused(
        host, LyingFetcher(repository.current, _one_signature_short(role, stolen)(repository.current)),
        "not signed by enough keys",
    )  # fmt: skip


def test_threshold_one_key_twice_in_the_list(host: Host, repository: ContentRepository) -> None:
    """The same signature under the same identifier, twice."""

    def change(url: str, data: bytes) -> bytes:
        if not url.endswith(".content.json"):
            return data
        table = json.loads(data)
        table["signatures"] = [table["signatures"][0], table["signatures"][0]]
        return json.dumps(table).encode()

    check_refused(host, LyingFetcher(repository.current, change), "")


def test_threshold_one_key_under_two_identifiers(host: Host, repository: ContentRepository) -> None:
    """Root's people were tricked into signing a root that lists one timestamp key twice under two names."""
    twin = verifying_key(key("timestamp server"))
    again = type(twin)("ab" * 32, twin.keytype, twin.scheme, twin.keyval)

    def double(document: Metadata[Any]) -> None:
        document.signed.version = 2
        document.signed.keys[again.keyid] = again
        document.signed.roles["timestamp"].keyids.append(again.keyid)
        document.signed.roles["timestamp"].threshold = 2

    root = resigned(repository.current / "metadata/1.root.json", double, "Ada", "Grace")
    stamp = Metadata[Any].from_bytes((repository.current / "metadata/timestamp.json").read_bytes())
    first = sign_with(signer(key("timestamp server"), ""), stamp.signed_bytes, "")
    stamp.signatures[again.keyid] = type(first)(again.keyid, first.signature)
    served = kept(repository)
    (served / "metadata/2.root.json").write_bytes(root)
    (served / "metadata/timestamp.json").write_bytes(stamp.to_bytes())
    check_refused(host, served, "counts one key twice")


def test_fast_forward_and_the_recovery_from_it(host: Host, repository: ContentRepository) -> None:
    """A thief of the online keys runs the versions up; new keys begin a new count, and the host follows."""
    served = kept(repository)
    fast = 2_000_000_000

    def run_up(document: Metadata[Any]) -> None:
        document.signed.version = fast

    stamp = resigned(served / "metadata/timestamp.json", run_up, "timestamp server")
    (served / "metadata/timestamp.json").write_bytes(stamp)
    assert host.look(served) == ONE
    repository.add(TWO)
    repository.publish(TWO)
    check_refused(host, repository.current, f"must be >= {fast}")
    repository.change(roles.TIMESTAMP, added=("new timestamp",), removed=("timestamp server",))
    repository.use_key(roles.TIMESTAMP, "new timestamp")
    repository.publish()
    assert host.look(repository.current) == TWO


def test_a_revoked_key_signs_nothing_any_more(host: Host, repository: ContentRepository) -> None:
    assert host.look(repository.current) == ONE
    old_key_signs = kept(repository)
    repository.change(roles.TIMESTAMP, added=("new timestamp",), removed=("timestamp server",))
    repository.use_key(roles.TIMESTAMP, "new timestamp")
    repository.publish()
    assert host.look(repository.current) == ONE
    check_refused(host, old_key_signs, "not signed by enough keys")


def test_a_revoked_content_key_vouches_for_nothing(host: Host, repository: ContentRepository) -> None:
    """Lise's key is stolen together with Emmy's consent; after the revocation two are missing one."""
    repository.change(roles.CONTENT, added=("Hedy",), removed=("Lise",))
    repository.add(TWO, owners=("Emmy", "Rosa"))
    repository.publish(TWO)

    def change(url: str, data: bytes) -> bytes:
        if not url.endswith(".content.json"):
            return data
        return resigned(repository.current / url, lambda _: None, "Lise", "Emmy")

    check_refused(host, LyingFetcher(repository.current, change), "not signed by enough keys")
    assert host.look(repository.current) == TWO


def test_a_foreign_rollout_key_signs_a_release(host: Host, repository: ContentRepository) -> None:
    """The online key is stolen: it can select, but a release of its own is found by nobody."""
    evil = small_release(9, name="evil")
    digest = hashlib.sha256(evil).hexdigest()
    served = kept(repository)
    content = Metadata[Any].from_bytes((served / "metadata/2.content.json").read_bytes())
    (note,) = [one.custom for path, one in content.signed.targets.items() if path.startswith("releases/")]
    rollout = json.dumps(
        {"channel": "stable", "format": 1, "releases": [{"sha256": digest, "version": 9}]}, separators=(",", ":")
    ).encode()
    path = roles.release_path(digest)

    def take_over(document: Metadata[Any]) -> None:
        own = TargetFile.from_data(path, evil, ["sha256"])
        own.unrecognized_fields["custom"] = {**note, "version": 9}
        selects = TargetFile.from_data("rollouts/stable.json", rollout, ["sha256"])
        document.signed.targets = {path: own, "rollouts/stable.json": selects}

    files = {
        f"targets/releases/{digest}.{digest}.release": evil,
        f"targets/rollouts/{hashlib.sha256(rollout).hexdigest()}.stable.json": rollout,
        "metadata/1.rollout.json": resigned(served / "metadata/1.rollout.json", take_over, "rollout server"),
    }
    for name, data in files.items():
        (served / name).write_bytes(data)
    check_refused(host, served, "content does not vouch for")


def test_a_rollout_key_cannot_say_another_version(host: Host, repository: ContentRepository) -> None:
    served = kept(repository)
    digest = hashlib.sha256(ONE).hexdigest()
    rollout = json.dumps(
        {"channel": "stable", "format": 1, "releases": [{"sha256": digest, "version": 77}]}, separators=(",", ":")
    ).encode()

    def lie(document: Metadata[Any]) -> None:
        document.signed.targets = {
            "rollouts/stable.json": TargetFile.from_data("rollouts/stable.json", rollout, ["sha256"])
        }

    (served / f"targets/rollouts/{hashlib.sha256(rollout).hexdigest()}.stable.json").write_bytes(rollout)
    (served / "metadata/1.rollout.json").write_bytes(
        resigned(served / "metadata/1.rollout.json", lie, "rollout server")
    )
    check_refused(host, served, "say different things")


@pytest.mark.parametrize("role", roles.RULES)
def test_expired(host: Host, repository: ContentRepository, role: str) -> None:
    """Each role alone is past its end; nothing new is believed, and who knows it is told."""
    served = kept(repository)
    folder = served / "metadata"
    signers = {
        roles.ROOT: ("Ada", "Grace"), roles.TARGETS: ("Ada", "Grace"), roles.CONTENT: ("Lise", "Emmy"),
        roles.ROLLOUT: ("rollout server",), roles.SNAPSHOT: ("snapshot server",),
        roles.TIMESTAMP: ("timestamp server",),
    }  # fmt: skip
    versions = {roles.ROOT: 1, roles.TARGETS: 1, roles.CONTENT: 2, roles.ROLLOUT: 1, roles.SNAPSHOT: 1}

    def end(document: Metadata[Any]) -> None:
        document.signed.expires = wall_time() - timedelta(days=1)

    if role == roles.ROOT:
        def end(document: Metadata[Any]) -> None:
            document.signed.version = 2
            document.signed.expires = wall_time() - timedelta(days=1)

        (folder / "2.root.json").write_bytes(resigned(folder / "1.root.json", end, *signers[role]))
        check_refused(host, served, "expired")
        return
    name = f"{versions[role]}.{role}.json" if role in versions else "timestamp.json"
    (folder / name).write_bytes(resigned(folder / name, end, *signers[role]))
    if role == roles.SNAPSHOT:
        data = (folder / name).read_bytes()

        def follow(document: Metadata[Any]) -> None:
            meta = document.signed.snapshot_meta
            meta.length, meta.hashes = len(data), {"sha256": hashlib.sha256(data).hexdigest()}

        stamp = resigned(folder / "timestamp.json", follow, *signers[roles.TIMESTAMP])
        (folder / "timestamp.json").write_bytes(stamp)
    check_refused(host, served, "expired")


def test_a_chain_of_roots_reaches_fresh_and_month_old_and_current_hosts(
    tmp_path: Path, repository: ContentRepository, host: Host
) -> None:
    """R40: every role is rotated, one after the other; all three hosts follow."""
    (tmp_path / "current").mkdir()
    current = Host(tmp_path / "current", repository.first_root)
    assert host.look(repository.current) == ONE  # and then it is off for a month
    repository.change(roles.ROOT, added=("Hedy",), removed=("Ada",), by=("Ada", "Hedy", "Grace"))
    repository.renew(roles.TARGETS, "Hedy", "Grace")
    repository.publish()
    assert current.look(repository.current) == ONE
    for role in roles.ONLINE:
        repository.change(role, added=(f"new {role}",), removed=(f"{role} server",), by=("Hedy", "Grace"))
        repository.use_key(role, f"new {role}")
        repository.publish()
        assert current.look(repository.current) == ONE
    repository.change(roles.CONTENT, added=("Dorothy",), removed=("Lise",), by=("Hedy", "Grace"))
    repository.add(TWO, owners=("Dorothy", "Rosa"))
    repository.publish(TWO)
    (tmp_path / "fresh").mkdir()
    fresh = Host(tmp_path / "fresh", repository.first_root)
    assert [one.look(repository.current) for one in (fresh, host, current)] == [TWO, TWO, TWO]


@pytest.mark.parametrize(
    "signers", [("Ada", "Grace"), ("Hedy", "Mary"), ("Hedy",), ()], ids=["old only", "new only", "one", "none"]
)
def test_a_root_without_both_generations_is_refused(
    host: Host, repository: ContentRepository, signers: tuple[str, ...]
) -> None:
    served = kept(repository)

    def rotate(document: Metadata[Any]) -> None:
        document.signed.version = 2
        for one in ("Ada", "Grace"):
            document.signed.revoke_key(key(one).keyid, "root")
        for one in ("Hedy", "Dorothy"):
            document.signed.add_key(verifying_key(key(one)), "root")

    root = resigned(served / "metadata/1.root.json", rotate, *signers)
    (served / "metadata/2.root.json").write_bytes(root)
    check_refused(host, served, "not signed by enough keys")


def test_a_root_that_leaves_out_a_version_is_refused(host: Host, repository: ContentRepository) -> None:
    served = kept(repository)

    def leap(document: Metadata[Any]) -> None:
        document.signed.version = 3

    (served / "metadata/2.root.json").write_bytes(
        resigned(served / "metadata/1.root.json", leap, "Ada", "Grace")
    )
    check_refused(host, served, "version")


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "removed", "noise"])
def test_damaged_local_metadata_opens_no_door(host: Host, repository: ContentRepository, damage: str) -> None:
    """R43: whatever happens to the host's files, older metadata stays refused and honest metadata heals them."""
    old = kept(repository)
    repository.add(TWO)
    repository.publish(TWO)
    assert host.look(repository.current) == TWO
    for file in host.directory.glob("*.json"):
        data = file.read_bytes()
        if damage == "removed":
            file.unlink()
            continue
        flipped = data[:40] + b"\xff" + data[41:]
        hurt = {"cut": data[: len(data) // 2], "emptied": b"", "flipped": flipped, "noise": b"{"}
        file.unlink()
        file.write_bytes(hurt[damage])
    check_refused(host, old, "older than what is known")
    assert host.look(repository.current) == TWO


def test_a_damaged_memory_costs_only_itself(host: Host, repository: ContentRepository) -> None:
    assert host.look(repository.current) == ONE
    (host.directory / "memory.record").write_bytes(b"{}")
    assert host.look(repository.current) == ONE
    assert remembered(host.directory).roles != ()


def test_a_clock_that_was_set_back_revives_nothing(host: Host, repository: ContentRepository) -> None:
    """The host looks on day 4, its clock then says day 0 again: what expired on day 3 stays expired."""
    frozen = kept(repository)
    repository.now += timedelta(days=2)
    repository.publish()
    assert host.look(repository.current, days=4) == ONE
    for file in host.directory.glob("*.json"):
        file.unlink()
    check_refused(host, frozen, "older than what is known")
    (host.directory / "timestamp.json").unlink(missing_ok=True)
    expired = LyingFetcher(
        repository.current,
        lambda url, data: resigned(
            repository.current / url,
            lambda document: setattr(document.signed, "expires", wall_time() + timedelta(days=3)),
            "timestamp server",
        )
        if url.endswith("timestamp.json")
        else data,
    )
    check_refused(host, expired, "this host has seen later days")


def test_a_full_disk_is_named_and_nothing_is_half_written(
    host: Host, repository: ContentRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert host.look(repository.current) == ONE
    before = _documents(host.directory)
    repository.add(TWO)
    repository.publish(TWO)
    real = os.replace

    def full(source: Any, target: Any, **how: Any) -> None:  # noqa: ANN401 - as the real one
        if str(target).startswith(str(host.directory)):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real(source, target, **how)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(DiskFull, match="cannot be written"):
            host.look(repository.current)
    assert {name: data for name, data in _documents(host.directory).items() if name in before} == before
    assert host.look(repository.current) == TWO
