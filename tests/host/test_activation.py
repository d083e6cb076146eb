"""Releases on a real host: tried before they are believed, convicted by what they do, and left for the one before.

The activation machine's time passes faster here (`HASTE`); what it demands is what it demands of everybody.
"""

import contextlib
import hashlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_sensor import (
    BAD,
    DEADLINE_AND_GRACE_MS,
    PATIENCE_S,
    RULE,
    LiveSensor,
    children_of,
    release_of,
)
from tests.support.machine import kernel_requires

from ringfence.host import operator_socket
from ringfence.model import limits
from ringfence.model.activation import Stage
from ringfence.model.errors import ContentRefused, DiskFull
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue

HASTE = 25
"""One look of the warden then counts as much as a look may count."""

BASE = release_of(RULE, "live_test")
OTHER_RULE = 'rule other { strings: $a = "another-thing" condition: $a }'
OTHER = release_of(OTHER_RULE, "other", version=2)
EVERYTHING = release_of("rule everything { condition: filesize >= 0 }", "everything", version=3)
SLOW_RULE = """
rule slow { strings: $a = "MAKE-IT-" $b = "SLOW" condition: $a and $b and for all i in (0..1 << 60) : (i >= 0) }
"""
SLOW = release_of(RULE + SLOW_RULE, "live_test", "slow", version=4)
OLD = {f"old-{number}": b"as old as the hills %d" % number for number in range(3 * limits.BREAKER_OLD_FILES_MAX)}
SLUGGISH = {f"sluggish-{number}": b"MAKE-IT-" + b"SLOW %d" % number for number in range(12)}


@contextlib.contextmanager
def sensor(**options: object) -> Iterator[LiveSensor]:
    """A protected host whose baseline is `BASE`."""
    kernel_requires("root", "fanotify-permission", "mount")
    live = LiveSensor(release=BASE, haste=HASTE, **options)  # type: ignore[arg-type]
    try:
        live.wait_protected()
        yield live
    finally:
        live.close()


def digest_of(release: bytes) -> str:
    return hashlib.sha256(release).hexdigest()


def wait_for_stage(live: LiveSensor, release: bytes, stage: Stage) -> None:
    live.wait_until(lambda: live.stage_of(digest_of(release)) == stage)


def wait_for_good(live: LiveSensor, release: bytes) -> None:
    live.wait_until(lambda: live.activation().find(digest_of(release)) is not None, 3 * PATIENCE_S)


def test_a_release_that_blocks_everything_is_refused_in_the_shadow_and_never_blocks() -> None:
    with sensor(files=OLD) as live:
        bad = live.load(EVERYTHING)

        def is_refused() -> bool:
            assert not live.open(live.fresh()).refused
            return live.refusal(bad) != ""

        live.wait_until(is_refused)
        assert live.refusal(bad).startswith("blocked")
        assert live.runs() == digest_of(BASE)
        assert not any(live.open(live.tree / name).refused for name in OLD)
        with pytest.raises(ContentRefused, match="refused"):
            live.load(EVERYTHING)
        assert live.open(live.fresh(BAD)).refused


def test_a_good_release_goes_all_the_way_and_is_there_after_a_new_start() -> None:
    with sensor(files=OLD) as live:
        good = live.load(OTHER)
        thing = live.fresh(b"another-thing ")
        assert not live.open(thing).refused, "nobody listens to it yet"
        wait_for_stage(live, OTHER, Stage.SOAKING)
        live.wait_until(lambda: live.open(thing).refused)
        wait_for_good(live, OTHER)
        assert live.runs() == good
        live.start_again()
        live.wait_until(lambda: live.runs() == good)
        assert live.open(live.fresh(b"another-thing ")).refused
        assert [path.name for path in live.state.releases.iterdir()] == [f"{good}.release"]


def test_one_that_condemns_what_was_here_while_it_soaks_makes_way_for_the_one_before() -> None:
    with sensor(files=OLD) as live:
        bad = live.load(EVERYTHING, at_once=True)
        assert live.runs() == bad
        met = [live.open(live.tree / name).refused for name in OLD]
        assert sum(met) <= limits.BREAKER_OLD_FILES_MAX
        live.wait_until(lambda: live.refusal(bad) == "breaker")
        live.wait_until(lambda: live.runs() == digest_of(BASE))
        assert live.status().mode is Mode.ENFORCE
        assert not any(live.open(live.tree / name).refused for name in OLD)
        live.wait_until(lambda: live.open(live.fresh(BAD)).refused)


def test_one_that_is_bad_on_old_files_after_it_was_good_makes_way_too() -> None:
    with sensor(files=OLD | SLUGGISH) as live:
        bad = live.load(SLOW, at_once=True)
        wait_for_good(live, SLOW)
        paths = [live.tree / name for name in SLUGGISH]

        def is_refused() -> bool:
            met = live.open_together([paths.pop(0), paths[0]])
            assert not any(one.refused for one in met)
            assert max(one.waited_ms for one in met) <= DEADLINE_AND_GRACE_MS
            return live.refusal(bad) == "hung"

        live.wait_until(is_refused)
        live.wait_until(lambda: live.runs() == digest_of(BASE))
        live.wait_protected()
        assert live.open(live.fresh(BAD)).refused


def test_files_that_came_in_later_take_no_release_from_a_host() -> None:
    """Who may write files could else choose what the host runs."""
    with sensor() as live:
        slow = live.load(SLOW, at_once=True)
        paths = [live.fresh(b"MAKE-IT-" + b"SLOW ") for _ in range(8)]
        met = live.open_together(paths)
        assert max(one.waited_ms for one in met) <= DEADLINE_AND_GRACE_MS
        live.wait_until(lambda: live.counter("deadline_passed") > 0)
        live.wait_protected()
        assert (live.runs(), live.refusal(slow)) == (slow, "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_who_kills_or_stops_processes_of_a_release_convicts_nobody(number: int) -> None:
    with sensor(files=OLD) as live:
        soaking = live.load(OTHER, at_once=True)
        for _ in range(4):
            for pid in live.pids("scanner"):
                live.signal(pid, number)
            met = live.open_together([live.fresh() for _ in range(3)])
            assert max(one.waited_ms for one in met) <= DEADLINE_AND_GRACE_MS
            live.wait_protected()
        zygotes = live.pids("zygote")
        for pid in zygotes:
            live.signal(pid, number)
        live.wait_until(lambda: not set(live.pids("zygote")) & set(zygotes), 2 * PATIENCE_S)
        live.wait_protected()
        assert live.refusal(soaking) == ""
        assert live.runs() == soaking
        candidate = live.activation().candidate
        assert candidate is None or candidate.attempts == 1


def test_nothing_of_the_shadow_holds_up_a_question() -> None:
    with sensor(files=OLD) as live:
        (active,) = live.pids("zygote")
        live.load(OTHER)
        wait_for_stage(live, OTHER, Stage.SHADOW)
        (candidate,) = set(live.pids("zygote")) - {active}
        live.wait_until(lambda: children_of(candidate) != [] and live.pids("replayer") != [])
        stopped = [candidate, *children_of(candidate), *live.pids("replayer")]
        for pid in stopped:
            live.signal(pid, signal.SIGSTOP)
        for _ in range(5):
            met = live.open_together([live.fresh() for _ in range(20)])
            assert not any(one.refused for one in met)
            assert max(one.waited_ms for one in met) < limits.QUESTION_DEADLINE_MS
        assert live.open(live.fresh(BAD)).refused
        assert live.refusal(digest_of(OTHER)) == ""


def test_a_warden_that_is_killed_between_two_stages_goes_on_where_it_was() -> None:
    with sensor(files=OLD) as live:
        good = live.load(OTHER)
        for stage in (Stage.SHADOW, Stage.SOAKING):
            wait_for_stage(live, OTHER, stage)
            live.start_again(kill=True)
            kept = live.activation().candidate
            assert kept is not None
            assert (kept.release.sha256, kept.attempts) == (good, 1)
        wait_for_good(live, OTHER)
        assert live.runs() == good


def test_a_damaged_file_costs_its_release_and_nothing_else() -> None:
    with sensor(files=OLD) as live:
        good = live.load(OTHER, at_once=True)
        wait_for_good(live, OTHER)
        file = live.state.releases / f"{good}.release"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        live.start_again()
        live.wait_until(lambda: live.runs() == digest_of(BASE))
        assert live.refusal(good) == "", "its file was lost; it did nothing"
        assert live.open(live.fresh(BAD)).refused
        assert (live.state.releases / f"{good}.damaged").exists()
        live.load(OTHER)


def test_a_damaged_record_means_the_baseline() -> None:
    with sensor(files=OLD) as live:
        live.load(OTHER, at_once=True)
        live.sensor.stop()  # type: ignore[union-attr]
        live.state.activation_record.write_bytes(b"ringfence-activation 1\nnonsense\n")
        live.start_again()
        live.wait_until(lambda: live.runs() == digest_of(BASE))
        assert live.open(live.fresh(BAD)).refused


def test_a_full_disk_loses_nothing() -> None:
    with sensor(state_bytes=4_000_000) as live:
        filler = live.state.directory / "content" / "filler"
        descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            while os.write(descriptor, bytes(4096)):
                pass
        os.close(descriptor)
        with pytest.raises(DiskFull):
            live.load(OTHER, at_once=True)
        assert live.runs() == digest_of(BASE)
        assert live.open(live.fresh(BAD)).refused
        filler.unlink()
        good = live.load(OTHER, at_once=True)
        assert live.runs() == good


def test_the_mode_survives_a_new_warden_and_a_new_start() -> None:
    with sensor() as live:
        operator_socket.ask(str(live.state.socket), catalogue.MODE, catalogue.MODE_BODY.pack(Mode.OBSERVE))
        live.start_again(kill=True)
        assert live.status().mode is Mode.OBSERVE
        assert not live.open(live.fresh(BAD)).refused
        live.start_again()
        assert live.status().mode is Mode.OBSERVE


def test_nothing_is_left_behind_by_many_trials(tmp_path: Path) -> None:
    with sensor(files=OLD) as live:
        for version in range(2, 8):
            source = f'rule other_{version} {{ strings: $a = "another-thing" condition: $a }}'
            live.load(release_of(source, f"other_{version}", version=version))
            wait_for_stage(live, release_of(source, f"other_{version}", version=version), Stage.SHADOW)
        live.wait_until(lambda: len(live.pids("zygote")) == 2 and len(live.pids("replayer")) == 1)
        assert len(list(live.state.releases.iterdir())) == 1
        select.select([], [], [], 0)
