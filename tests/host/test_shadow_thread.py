"""The gate's shadow: what it compares, and that nobody ever waits for it, whatever hangs."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.gate_world import FakeScanner, verdict

from ringfence.decide.gate import Question
from ringfence.decide.shadow import Heard
from ringfence.host import shadow_seat
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.shadow import Shadow, Trial
from ringfence.host.shadow_seat import Seat
from ringfence.model import limits
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.frames import HEADER

ME = os.getpid()


BORN: "list[FakeZygote]" = []
"""Everyone that this test has made."""


class FakeZygote(threading.Thread):
    """A zygote whose scanners say of each file what `answers` says of its content; a thread of its own."""

    def __init__(self, answers: object) -> None:
        super().__init__(daemon=True)
        self.ours, self.theirs = Channel.pair()
        self.answers = answers
        self.spawned = self.killed = 0
        self.scanners: list[tuple[threading.Thread, socket.socket]] = []
        BORN.append(self)
        self.start()

    def end(self) -> None:
        """No thread outlives its test: another test may fork."""
        for channel in (self.ours, self.theirs):
            with contextlib.suppress(OSError):
                channel.socket.shutdown(socket.SHUT_RDWR)
        self.join(5)
        for thread, end in self.scanners:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            end.close()
            assert not thread.is_alive()
        assert not self.is_alive()

    def run(self) -> None:
        try:
            while (received := self.ours.receive()) is not None:
                if received.frame.type == catalogue.KILL:
                    self.killed += 1
                    continue
                self.spawned += 1
                end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=received.descriptors[0])
                self.scanners.append((threading.Thread(target=self._scan, args=(end,), daemon=True), end))
                self.scanners[-1][0].start()
                self.ours.send(catalogue.SPAWNED, catalogue.SPAWNED_BODY.pack(0, ME))
        except ChannelClosed:
            self.ours.close()

    def _scan(self, end: socket.socket) -> None:
        with end, contextlib.suppress(OSError):
            while True:
                message, passed, _, _ = socket.recv_fds(end, 256, 4)
                if not message:
                    return
                job, size, purpose = catalogue.SCAN_BODY.unpack_from(message, HEADER.size)
                content = os.pread(passed[0], size, 0)
                os.close(passed[0])
                assert purpose == catalogue.PURPOSE_SHADOW
                answer = self.answers(content)  # type: ignore[operator]
                if answer is None:
                    continue  # it hangs
                if isinstance(answer, int) and not isinstance(answer, Outcome):
                    body = catalogue.SCANNER_ENDED_BODY.pack(0, ME, answer)
                    self.ours.send(catalogue.SCANNER_ENDED, body)
                    return
                reason = UnknownReason.ENGINE_TIMEOUT if answer is Outcome.UNKNOWN else UnknownReason.NONE
                end.send(verdict(job, answer, reason, rule=3))


def clean(_content: bytes) -> Outcome:
    return Outcome.CLEAN


def of_words(content: bytes) -> "Outcome | int | None":
    """What a content asks for."""
    words = {b"bad": Outcome.MALICIOUS, b"odd": Outcome.UNKNOWN, b"hang": None, b"crash": int(signal.SIGSEGV),
             b"kill": int(signal.SIGKILL)}
    for word, answer in words.items():
        if word in content:
            return answer
    return Outcome.CLEAN


class Stage:
    """A shadow with a trial, its turns taken by the test."""

    def __init__(self, answers: object = of_words, active: object = clean) -> None:
        self.candidate, self.active = FakeZygote(answers), FakeZygote(active)
        self.replayer, theirs = Channel.pair()
        self.shadow = Shadow(7, frozenset())
        self.shadow.begin(Trial(2, 0, self.candidate.theirs, self.active.theirs, theirs))

    def show(self, *paths: Path) -> dict[str, int]:
        """Offer the files and take turns until they are done with; the counts."""
        for path in paths:
            self.offer(path)
        for _ in range(10 * len(paths) + 5):
            self.shadow.turn()
            if not self.shadow._queue:
                break
        return self.counts()

    def offer(self, path: Path) -> None:
        seen = path.stat()
        question = Question((seen.st_dev, seen.st_ino), (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size),
                            executes=False, regular=True, own=False)
        descriptor = os.open(path, os.O_RDONLY)
        self.shadow.offer(descriptor, question)
        os.close(descriptor)

    def counts(self) -> dict[str, int]:
        report = self.shadow.report()
        assert report is not None
        return {name: value for name, value in zip(catalogue.SHADOW_COUNTERS, report[1], strict=True) if value}

    def close(self) -> None:
        self.shadow.end()
        self.shadow._take_over()
        self.replayer.close()
        for zygote in (self.candidate, self.active):
            zygote.join(5)


@pytest.fixture(autouse=True)
def _nobody_stays() -> Iterator[None]:
    yield
    while BORN:
        BORN.pop().end()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHADOW_LOOK_MS", 20)
    monkeypatch.setattr(limits, "SHADOW_SCAN_MS_MAX", 60)
    monkeypatch.setattr(limits, "SHADOW_END_MS", 100)
    monkeypatch.setattr(limits, "SHADOW_POLL_MS", 1)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    made.shadow.turn()
    yield made
    made.close()


def files(directory: Path, *contents: bytes) -> list[Path]:
    paths = []
    for number, content in enumerate(contents):
        paths.append(directory / f"file-{number}")
        paths[-1].write_bytes(content)
    return paths


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def harm(counts: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if not name.endswith("_ns")}


def test_what_two_releases_say_is_compared(stage: Stage, tmp_path: Path) -> None:
    counts = harm(stage.show(*files(tmp_path, b"good", b"bad 1", b"bad 2", b"odd")))
    assert counts == {"compared": 4, "new_blocks": 2, "rule": 4}
    report = stage.shadow.report()
    assert report is not None
    assert report[2] == str(tmp_path / "file-1").encode(), "the worst that came first"


def test_a_scanner_that_crashes_is_counted_and_replaced(stage: Stage, tmp_path: Path) -> None:
    counts = harm(stage.show(*files(tmp_path, b"crash", b"good")))
    assert counts == {"compared": 2, "deaths": 1}
    assert stage.candidate.spawned == 2


def test_one_that_is_killed_from_outside_blames_nobody(stage: Stage, tmp_path: Path) -> None:
    counts = harm(stage.show(*files(tmp_path, b"kill", b"good")))
    assert counts == {"compared": 1, "starved": 1}


def test_one_that_burns_its_time_is_killed_and_counted(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**12, limits.QUESTION_DEADLINE_MS * 1_000_000 + 1))
    monkeypatch.setattr(shadow_seat, "processor_ns", lambda _: next(clock))
    counts = harm(stage.show(*files(tmp_path, b"hang")))
    assert counts == {"compared": 1, "timeouts": 1}
    assert stage.candidate.killed == 1


def test_one_that_is_stopped_is_given_up_and_blames_nobody(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_seat, "processor_ns", lambda _: 5)
    counts = harm(stage.show(*files(tmp_path, b"hang", b"good")))
    assert counts == {"compared": 1, "starved": 1}
    assert stage.candidate.killed == 1


def test_a_full_queue_drops_and_counts(stage: Stage, tmp_path: Path) -> None:
    paths = files(tmp_path, *(b"file %d" % number for number in range(limits.SHADOW_QUEUE_FILES_MAX + 7)))
    before = open_descriptors()
    for path in paths:
        stage.offer(path)
    assert stage.counts()["dropped"] == 7
    assert open_descriptors() == before + limits.SHADOW_QUEUE_FILES_MAX
    stage.shadow.end()
    stage.shadow._take_over()
    assert open_descriptors() <= before, "nothing stays open"


def test_what_was_compared_is_not_taken_again(stage: Stage, tmp_path: Path) -> None:
    (path,) = files(tmp_path, b"bad")
    stage.show(path)
    stage.offer(path)
    assert not stage.shadow._queue
    assert harm(stage.show(path)) == {"compared": 1, "new_blocks": 1, "rule": 4}


def test_a_file_that_changes_meanwhile_says_nothing(tmp_path: Path) -> None:
    (path,) = files(tmp_path, b"bad")

    def while_it_is_written(content: bytes) -> Outcome:
        path.write_bytes(b"bad and more")
        return Outcome.MALICIOUS if b"bad" in content else Outcome.CLEAN

    stage = Stage(while_it_is_written)
    try:
        stage.shadow.turn()
        assert harm(stage.show(path)) == {}
    finally:
        stage.close()


def test_recent_files_are_opened_by_the_replayer_and_then_the_whole_place(stage: Stage, tmp_path: Path) -> None:
    recent, walked = files(tmp_path, b"bad recent", b"bad walked")
    stage.close()
    again = Stage()
    try:
        descriptor = os.open(recent, os.O_RDONLY)
        again.shadow.remember(descriptor)
        os.close(descriptor)
        again.shadow._take_over()
        fresh, theirs = Channel.pair()
        candidate, active = FakeZygote(of_words), FakeZygote(clean)
        again.shadow.begin(Trial(2, 0, candidate.theirs, active.theirs, theirs))
        asked: list[bytes] = []
        for _ in range(200):
            again.shadow.turn()
            received = fresh.receive(wait=False)
            if received is None:
                continue
            asked.append(received.frame.body)
            named = Path(os.fsdecode(received.frame.body)) if received.frame.body else walked
            if named not in (recent, walked) or asked.count(b"") > 1:
                fresh.send(catalogue.REPLAYED, b"")
                continue
            descriptor = os.open(named, os.O_RDONLY)
            fresh.send(catalogue.REPLAYED, b"", (descriptor,))
            os.close(descriptor)
            if again.counts().get("exhausted"):
                break
        assert os.fsencode(recent) in asked
        assert asked.index(os.fsencode(recent)) < asked.index(b"")
        counts = harm(again.counts())
        assert (counts["compared"], counts["replayed"], counts["new_blocks"], counts["exhausted"]) == (2, 2, 2, 1)
        fresh.close()
    finally:
        again.close()


def test_without_a_replayer_live_questions_do(stage: Stage, tmp_path: Path) -> None:
    stage.replayer.close()
    for _ in range(3):
        stage.shadow.turn()
    assert harm(stage.show(*files(tmp_path, b"bad"))) == {"compared": 1, "new_blocks": 1, "rule": 4}


def test_a_zygote_that_is_gone_is_waited_for_and_the_queue_is_let_go(stage: Stage, tmp_path: Path) -> None:
    stage.candidate.ours.socket.shutdown(socket.SHUT_RDWR)
    stage.candidate.join(5)
    for path in files(tmp_path, b"one", b"two"):
        stage.offer(path)
    for _ in range(5):
        stage.shadow.turn()
    assert not stage.shadow._queue
    assert harm(stage.counts()) == {}


def test_a_zygote_that_spawns_nobody_holds_up_only_this_thread(tmp_path: Path) -> None:
    """It is stopped, say: the gate's other threads only ever leave descriptors here."""
    ours, theirs = Channel.pair()
    active = FakeZygote(clean)
    replayer, replayer_end = Channel.pair()
    shadow = Shadow(7, frozenset())
    shadow.begin(Trial(2, 0, theirs, active.theirs, replayer_end))
    for _ in range(3):
        shadow.turn()
    shadow.end()
    shadow._take_over()
    assert shadow.report() is None
    received = ours.receive()
    assert received is not None
    assert received.frame.type == catalogue.SPAWN
    os.close(received.descriptors[0])
    with pytest.raises(ChannelClosed):
        ours.receive()
    ours.close()
    replayer.close()


def test_a_gate_that_begins_anew_keeps_what_it_knows_of_the_same_candidate(stage: Stage, tmp_path: Path) -> None:
    (path,) = files(tmp_path, b"bad")
    stage.show(path)
    for release, expected in ((2, {"compared": 1, "new_blocks": 1, "rule": 4}), (3, {})):
        candidate, active = FakeZygote(of_words), FakeZygote(clean)
        replayer, theirs = Channel.pair()
        stage.shadow.begin(Trial(release, 0, candidate.theirs, active.theirs, theirs))
        stage.shadow._take_over()
        assert harm(stage.counts()) == expected
        replayer.close()


def test_paths_are_remembered_each_at_first_and_a_sample_of_them_later(tmp_path: Path) -> None:
    shadow = Shadow(7, frozenset())
    for path in files(tmp_path, *(b"%d" % number for number in range(limits.SHADOW_RECENT_FILES_MAX))):
        assert shadow.every_mask == 0
        descriptor = os.open(path, os.O_RDONLY)
        shadow.remember(descriptor)
        os.close(descriptor)
    assert shadow.every_mask == limits.SHADOW_RECENT_EVERY_FILES - 1
    assert len(shadow._recent) == limits.SHADOW_RECENT_FILES_MAX
    shadow.remember(-1)


def test_a_scanner_that_babbles_has_died(tmp_path: Path) -> None:
    scanner = FakeScanner()
    ours, theirs = Channel.pair()
    seat = Seat(theirs, 7, 0)
    seat._link = scanner.link
    (path,) = files(tmp_path, b"x")
    scanner.end.send(b"nonsense")
    with path.open("rb") as file:
        assert seat.ask(file.fileno(), 1, lambda: False).heard is Heard.DIED
    received = ours.receive()
    assert received is not None
    assert received.frame.type == catalogue.KILL
    scanner.end.close()
    ours.close()
    seat.close()
