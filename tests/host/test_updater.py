"""The real updater: its own process, uid and sandbox, with couriers that are honest, and with all the others."""

import os
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.forked import WORKED, in_child
from tests.support.content_repository import ContentRepository, small_release
from tests.support.machine import kernel_requires
from tests.support.update_host import ONE, TWO
from tests.support.update_runner import Courier, Place, answer, asked, honest, place_for_updates

from ringfence.decide.updates import Trouble
from ringfence.host import landlock, processes, sandbox
from ringfence.host.channel import Channel
from ringfence.host.update_runner import CHANNEL_NAME, METADATA_NAME
from ringfence.model import limits
from ringfence.model.update import UpdateOutcome
from ringfence.trust import roles
from ringfence.wire import catalogue
from ringfence.wire.update_frames import Fetched, encode_fetched


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    kernel_requires("root", "landlock", "seccomp")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> ContentRepository:
    made = ContentRepository(tmp_path_factory.mktemp("author"))
    made.add(ONE)
    made.publish(ONE)
    return made


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A content directory."""
    directory = tmp_path / "content"
    directory.mkdir(mode=0o711)
    return directory


@pytest.fixture
def place(content: Path, repository: ContentRepository) -> Iterator[Place]:
    """A host behind an honest courier."""
    with place_for_updates(content, repository.first_root, honest(repository.current)) as made:
        yield made


def test_a_verified_release_is_offered_sealed(place: Place) -> None:
    report = place.look()
    assert report is not None, place.told
    assert report.outcome is UpdateOutcome.OFFERED, report
    ((offer, data),) = place.offers
    assert data == ONE
    assert (offer.version, offer.signed_version, offer.unproven, offer.patched) == (1, 2, True, False)
    assert place.told == []


def test_what_was_offered_is_not_offered_again(place: Place) -> None:
    first, second = place.look(), place.look()
    assert first is not None
    assert second is not None
    assert (first.outcome, second.outcome) == (UpdateOutcome.OFFERED, UpdateOutcome.CURRENT)
    assert len(place.offers) == 1


def test_what_activation_knows_is_not_offered_and_what_could_not_be_kept_is(place: Place) -> None:
    place.full = True
    for _ in range(2):
        report = place.look()
        assert report is not None, place.told
        assert report.outcome is UpdateOutcome.OFFERED
    assert len(place.offers) == 2
    place.known = (("ab" * 32, 1), (place.offers[0][0].sha256, place.offers[0][0].signed_version))
    report = place.look()
    assert report is not None, place.told
    assert report.outcome is UpdateOutcome.CURRENT
    place.known = ((place.offers[0][0].sha256, place.offers[0][0].signed_version - 1),)
    report = place.look()
    assert report is not None, place.told
    assert report.outcome is UpdateOutcome.OFFERED, "it was signed again"


def test_what_was_put_off_is_offered_again_when_the_host_stands_otherwise(place: Place) -> None:
    place.look()
    place.look()
    assert len(place.offers) == 1
    place.standing += 1
    place.look()
    assert len(place.offers) == 2


def test_its_directory_is_its_own_and_nobody_elses(place: Place) -> None:
    place.look()
    metadata = place.directory / METADATA_NAME
    assert stat.S_IMODE(metadata.stat().st_mode) == 0o700
    assert {file.lstat().st_uid for file in (metadata, *metadata.rglob("*"))} == {processes.UID_UPDATER}
    names = {file.name for file in metadata.iterdir()}
    assert names == {"root.json", "root_history", *(f"{role}.json" for role in roles.RULES if role != "root"),
                     "memory.record"}


def test_a_host_that_holds_the_release_before_gets_a_patch(
    content: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repository = ContentRepository(tmp_path_factory.mktemp("author"))
    repository.add(ONE)
    repository.add(TWO)
    repository.publish(TWO)
    with place_for_updates(content, repository.first_root, honest(repository.current)) as place:
        place.hold(ONE)
        report = place.look()
        assert report is not None, place.told
        assert "by a patch" in report.detail
        ((offer, data),) = place.offers
        assert (offer.patched, data == TWO) == (True, True)


def test_a_channel_of_the_operators_is_followed(place: Place) -> None:
    (place.directory / CHANNEL_NAME).write_text("canary\n")
    report = place.look()
    assert report is not None, place.told
    assert (report.outcome, report.detail) == (UpdateOutcome.CURRENT, "the channel canary has no release")
    (place.directory / CHANNEL_NAME).write_text("../stable\n")
    report = place.look()
    assert report is not None, place.told
    assert report.outcome is UpdateOutcome.OFFERED, "what is no channel is the default"


def test_without_a_root_nothing_is_looked_for(place: Place) -> None:
    (place.directory / "trust-root.json").unlink()
    assert place.look() is None
    assert not (place.directory / METADATA_NAME).exists()


@pytest.mark.parametrize("root", [b"", b"{}", b"x" * 300_000])
def test_a_root_that_is_none_is_refused(content: Path, repository: ContentRepository, root: bytes) -> None:
    with place_for_updates(content, root, honest(repository.current)) as place:
        report = place.look()
        assert report is not None, place.told
        assert report.outcome is UpdateOutcome.REFUSED
        assert place.offers == []
        assert [trouble for trouble, _ in place.told] == [Trouble.REFUSED]


# --- couriers that are not honest -------------------------------------------------------------------------------


def _silent(channel: Channel) -> None:
    asked(channel)
    channel.receive()


def _gone(channel: Channel) -> None:
    asked(channel)
    channel.hang_up()


def _noise(channel: Channel) -> None:
    asked(channel)
    channel.socket.send(b"\xff" * 100)
    channel.receive()


def _wrong_type(channel: Channel) -> None:
    asked(channel)
    channel.send(catalogue.READY, catalogue.READY_PLAINLY)
    channel.receive()


def _future(channel: Channel) -> None:
    answer(channel, asked(channel).number + 1)
    channel.receive()


def _descriptor(channel: Channel) -> None:
    body = encode_fetched(Fetched(asked(channel).number, 200, last=True, data=b""))
    with Path(os.devnull).open("rb") as file:
        channel.send(catalogue.FETCHED, body, (file.fileno(),))
    channel.receive()


def _nothing_served(channel: Channel) -> None:
    while True:
        answer(channel, asked(channel).number, status=503)


def _no_network(channel: Channel) -> None:
    while True:
        answer(channel, asked(channel).number, status=0)


@pytest.mark.parametrize(
    "courier", [_gone, _noise, _wrong_type, _future, _descriptor, _nothing_served, _no_network],
    ids=lambda courier: courier.__name__.strip("_"),
)  # fmt: skip
def test_a_courier_that_brings_nothing_changes_nothing(
    content: Path, repository: ContentRepository, courier: Courier
) -> None:
    with place_for_updates(content, repository.first_root, courier) as place:
        report = place.look()
        assert report is not None, place.told
        assert report.outcome is UpdateOutcome.UNREACHABLE, report
        assert place.offers == []
        assert place.told == [], "an absent server is no accusation"


def test_endless_data_is_cut_off(content: Path, repository: ContentRepository) -> None:
    sent = 0

    def endless(channel: Channel) -> None:
        nonlocal sent
        number = asked(channel).number
        while True:
            answer(channel, number, bytes(limits.FETCH_PIECE_BYTES), last=False)
            sent += limits.FETCH_PIECE_BYTES

    with place_for_updates(content, repository.first_root, endless) as place:
        report = place.look()
    assert report is not None, place.told
    assert report.outcome is UpdateOutcome.REFUSED
    assert "endless data" in report.detail
    assert sent <= limits.METADATA_ROOT_BYTES_MAX + 20 * limits.FETCH_PIECE_BYTES


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An updater whose patience is short: the same code with other limits, in a package of its own."""
    site = tmp_path / "hasty.py"
    site.write_text(
        "import runpy, sys\n"
        "from ringfence.model import limits\n"
        "limits.FETCH_SILENCE_S = 1\nlimits.FETCH_WHOLE_S = 2\nlimits.FETCH_SECONDS_PER_MIB = 0\n"
        "runpy.run_module('ringfence.programs.updater', run_name='__main__')\n"
    )
    interpreter = tmp_path / "hasty-python"
    interpreter.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} -I {site} "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr("ringfence.host.update_runner.sys.executable", str(interpreter))


def test_silence_ends_a_look(hasty: None, content: Path, repository: ContentRepository) -> None:
    with place_for_updates(content, repository.first_root, _silent) as place:
        report = place.look()
        assert report is not None, place.told
        assert (report.outcome, "nothing came for 1 s" in report.detail) == (UpdateOutcome.UNREACHABLE, True)


def test_slow_retrieval_ends_a_look(hasty: None, content: Path, repository: ContentRepository) -> None:
    """A byte now and then, for ever: never silent, never whole."""
    stop = threading.Event()

    def drip(channel: Channel) -> None:
        number = asked(channel).number
        while not stop.wait(0.2):
            answer(channel, number, b"x", last=False)

    with place_for_updates(content, repository.first_root, drip) as place:
        report = place.look()
        stop.set()
    assert report is not None, place.told
    assert (report.outcome, "not whole in time" in report.detail) == (UpdateOutcome.UNREACHABLE, True)


def test_leftovers_of_a_file_that_was_given_up_are_dropped(content: Path, repository: ContentRepository) -> None:
    """Every answer is followed by one more piece of itself."""
    serve = honest(repository.current)

    def stutter(channel: Channel) -> None:
        class Twice(Channel):
            def send(self, frame_type: int, body: bytes, descriptors: tuple[int, ...] = ()) -> None:
                super().send(frame_type, body, descriptors)
                super().send(frame_type, body, descriptors)

        serve(Twice(channel.socket))

    with place_for_updates(content, repository.first_root, stutter) as place:
        report = place.look()
    assert report is not None, place.told
    assert report.outcome in (UpdateOutcome.OFFERED, UpdateOutcome.REFUSED, UpdateOutcome.UNREACHABLE)
    assert all(data == ONE for _, data in place.offers)


def test_a_killed_updater_is_a_look_that_failed(content: Path, repository: ContentRepository) -> None:
    begun = threading.Event()

    def wait(channel: Channel) -> None:
        asked(channel)
        begun.set()
        channel.receive()

    with place_for_updates(content, repository.first_root, wait) as place:
        assert place.runner is not None
        ended: list[object] = []
        place.runner.look(ended.append)
        assert begun.wait(60)
        running = place.runner._running
        assert running is not None
        running.process.kill()
        running.process.wait()
        place.runner.turn()
        assert ended == [None]


# --- the sandbox ------------------------------------------------------------------------------------------------


def test_the_updater_writes_its_directory_and_reaches_nothing_else(tmp_path: Path) -> None:
    mine = tmp_path / "metadata"
    mine.mkdir()
    os.chown(mine, processes.UID_UPDATER, processes.UID_UPDATER)

    def enter() -> None:
        os.chdir(mine)
        sandbox.enter(processes.updater("."))

    def write_and_replace() -> None:
        Path("x").write_bytes(b"x")
        Path("x").replace("timestamp.json")
        Path("root.json").symlink_to("timestamp.json")
        Path("root_history").mkdir()

    found = in_child(
        enter,
        {
            "its directory": write_and_replace,
            "a memory file": lambda: os.close(os.memfd_create("x")),
            "the directory above": lambda: list(Path("..").iterdir()),
            "a file above": lambda: Path("../x").write_bytes(b"x"),
            "the password file": lambda: Path("/etc/passwd").read_bytes(),
            "TCP": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
            "a unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
            "a fork": os.fork,
            "a program": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - must fail
            "a signal to the parent": lambda: os.kill(os.getppid(), 0),
            "root": lambda: os.setresuid(0, 0, 0),
        },
    )
    assert {name for name, what in found.items() if what == WORKED} == {"its directory", "a memory file"}, found
    assert landlock.abi() >= 1


def test_a_release_of_another_repository_is_not_taken(content: Path, tmp_path: Path) -> None:
    """The root is all that a host believes: a whole and honest repository of somebody else is nothing to it."""
    mine = ContentRepository(tmp_path / "mine")
    other = ContentRepository(tmp_path / "other")
    other.change(roles.ROOT, added=("Hedy",), removed=("Ada",), by=("Ada", "Hedy", "Grace"))
    other.renew(roles.TARGETS, "Hedy", "Grace")
    release = small_release(4)
    other.add(release)
    other.publish(release)
    (other.current / "metadata/2.root.json").unlink()
    with place_for_updates(content, mine.first_root, honest(other.current)) as place:
        report = place.look()
    assert report is not None, place.told
    assert report.outcome is UpdateOutcome.REFUSED
    assert place.offers == []
