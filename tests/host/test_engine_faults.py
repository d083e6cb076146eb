"""Which failed scans count against a release."""

import pytest

from ringfence.decide.activation_messages import Cause
from ringfence.host.engine_faults import EngineFaults
from ringfence.model.limits import RELEASE_FAULT_FILES_FREE as FREE
from ringfence.model.limits import SCANNERS_ENDED_PROCESSES_MAX
from ringfence.wire.catalogue import FAULT_BURNT, FAULT_DIED, FAULT_KILLED, FAULT_MUTE

PID = 77


def begun() -> EngineFaults:
    faults = EngineFaults()
    faults.begin("a")
    return faults


def failed(faults: EngineFaults, *inodes: int, what: int = FAULT_DIED, older: bool = True) -> list[Cause | None]:
    """What failing on these files counts as, one after the other."""
    return [faults.failed(what, PID, (1, inode), is_older=older) for inode in inodes]


def test_each_long_known_file_past_the_first_few_is_a_death() -> None:
    assert failed(begun(), *range(1, FREE + 3)) == [None] * FREE + [Cause.CRASHED] * 2
    assert failed(begun(), *range(1, FREE + 2), what=FAULT_BURNT)[-1] is Cause.HUNG


def test_one_file_counts_once() -> None:
    assert failed(begun(), *[5] * 50) == [None] * 50


def test_files_that_came_in_since_count_never() -> None:
    assert failed(begun(), *range(1, 100), older=False) == [None] * 99


def test_a_scanner_that_dies_at_its_birth_counts_each_time() -> None:
    faults = begun()
    told = [faults.failed(FAULT_DIED, pid, (0, 0), is_older=True) for pid in range(FREE + 2)]
    assert told == [None] * FREE + [Cause.CRASHED] * 2


def test_who_was_killed_from_outside_counts_never() -> None:
    assert failed(begun(), *range(1, 100), what=FAULT_KILLED) == [None] * 99


@pytest.mark.parametrize("older", [False, True])
def test_a_release_that_is_mute_is_so_on_whatever_file(*, older: bool) -> None:
    assert begun().failed(FAULT_MUTE, PID, (1, 2), is_older=older) is Cause.MUTE


def test_who_was_killed_for_its_memory_has_grown() -> None:
    faults = begun()
    told = []
    for inode in range(1, FREE + 3):
        faults.grown(PID)
        told.append(faults.failed(FAULT_KILLED, PID, (1, inode), is_older=True))
    assert told == [None] * FREE + [Cause.GREW] * 2
    assert faults.failed(FAULT_KILLED, PID, (1, 99), is_older=True) is None, "that was another scanner"


def test_a_file_that_has_hurt_another_release_is_to_blame_itself() -> None:
    """Otherwise a handful of old files that hurt the engine would take one release after the other from the host."""
    faults = begun()
    files = range(1, FREE + 4)
    assert failed(faults, *files)[-1] is Cause.CRASHED
    faults.begin("b")
    assert failed(faults, *files) == [None] * len(files)
    assert failed(faults, *range(100, 101 + FREE))[-1] is Cause.CRASHED


def test_the_same_release_again_is_no_other() -> None:
    faults = begun()
    failed(faults, *range(1, FREE + 1))
    faults.begin("a")
    assert failed(faults, 50) == [Cause.CRASHED]


def test_memory_is_bounded() -> None:
    faults = begun()
    for pid in range(10 * SCANNERS_ENDED_PROCESSES_MAX):
        faults.grown(pid)
    assert len(faults._grown) == SCANNERS_ENDED_PROCESSES_MAX
