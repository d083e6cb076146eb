"""What two releases say about the same file, as counts."""

import pytest

from ringfence.decide.shadow import Comparison, Heard, ShadowCounts, Spoken, heard
from ringfence.model import limits
from ringfence.model.verdict import Outcome
from ringfence.wire.catalogue import SHADOW_COUNTERS

CLEAN, CONDEMNED, UNKNOWN, DIED, BURNT, STARVED = (Spoken(one, 1_000, 4) for one in Heard)
LOOK = (1, 2, 3)


def compared(active: Spoken, candidate: Spoken, *, vital: bool = False, old: bool = False) -> ShadowCounts:
    """The counts after one file."""
    comparison = Comparison()
    comparison.compared((1, 1), LOOK, active, candidate, vital=vital, old=old, replayed=False)
    return comparison.counts


def seen(counts: ShadowCounts) -> dict[str, int]:
    """The harm and the gain, without what every comparison counts."""
    names = "new_blocks vital_blocks known_blocks missed_blocks timeouts deaths".split()
    return {name: value for name in names if (value := getattr(counts, name))}


@pytest.mark.parametrize(
    ("active", "candidate", "expected"),
    [
        (CLEAN, CLEAN, {}),
        (CLEAN, CONDEMNED, {"new_blocks": 1}),
        (CONDEMNED, CONDEMNED, {}),
        (CONDEMNED, CLEAN, {"missed_blocks": 1}),
        (CLEAN, DIED, {"deaths": 1}),
        (CLEAN, BURNT, {"timeouts": 1}),
        (CONDEMNED, DIED, {"deaths": 1}),
        (CLEAN, UNKNOWN, {}),
        (CONDEMNED, UNKNOWN, {}),
    ],
)
def test_a_pair_of_verdicts(active: Spoken, candidate: Spoken, expected: dict[str, int]) -> None:
    counts = compared(active, candidate)
    assert seen(counts) == expected
    assert (counts.compared, counts.active_ns, counts.candidate_ns) == (1, 1_000, 1_000)


@pytest.mark.parametrize("active", [DIED, BURNT, UNKNOWN])
@pytest.mark.parametrize("candidate", [CONDEMNED, DIED, BURNT])
def test_a_file_that_hurts_the_active_release_too_blames_nobody(active: Spoken, candidate: Spoken) -> None:
    counts = compared(active, candidate, vital=True, old=True)
    assert seen(counts) == {}
    assert counts.compared == 0


@pytest.mark.parametrize(("active", "candidate"), [(STARVED, DIED), (CLEAN, STARVED)])
def test_a_busy_machine_blames_nobody_and_the_file_may_come_again(active: Spoken, candidate: Spoken) -> None:
    comparison = Comparison()
    comparison.compared((1, 1), LOOK, active, candidate, vital=True, old=True, replayed=False)
    assert (seen(comparison.counts), comparison.counts.starved, comparison.counts.compared) == ({}, 1, 0)
    assert not comparison.knows((1, 1), LOOK)


def test_vital_and_long_known_files_count_as_that_too() -> None:
    assert seen(compared(CLEAN, CONDEMNED, vital=True)) == {"new_blocks": 1, "vital_blocks": 1}
    assert seen(compared(CLEAN, CONDEMNED, old=True)) == {"new_blocks": 1, "known_blocks": 1}
    vouched = Spoken(Heard.CONDEMNED, 0, 4, vouched=True)
    assert seen(compared(CLEAN, vouched)) == {"new_blocks": 1, "known_blocks": 1}


def test_one_file_counts_once_in_each_version() -> None:
    comparison = Comparison()
    for look in (LOOK, LOOK, (9, 9, 9)):
        comparison.compared((1, 1), look, CLEAN, CONDEMNED, vital=False, old=False, replayed=False)
    assert comparison.counts.new_blocks == 2


def test_memory_is_bounded() -> None:
    comparison = Comparison()
    for inode in range(limits.SHADOW_FILES_MAX + 10):
        comparison.compared((1, inode), LOOK, CLEAN, CLEAN, vital=False, old=False, replayed=True)
    assert len(comparison.seen) == limits.SHADOW_FILES_MAX
    assert comparison.counts.compared == comparison.counts.replayed == limits.SHADOW_FILES_MAX


def test_the_worst_block_is_the_one_that_is_shown() -> None:
    comparison = Comparison()
    told = [
        comparison.compared((1, inode), LOOK, CLEAN, Spoken(Heard.CONDEMNED, 0, rule), vital=vital, old=old,
                            replayed=False)
        for inode, (rule, vital, old) in enumerate([(5, False, False), (6, False, True), (7, True, False),
                                                    (8, False, True)])
    ]
    assert told == [1, 2, 3, 0]
    assert comparison.counts.rule == 8, "rule 7, one more"


def test_an_outcome_is_heard_as_what_it_does_to_the_asker() -> None:
    assert heard(Outcome.MALICIOUS) is Heard.CONDEMNED
    assert heard(Outcome.SUSPICIOUS) is heard(Outcome.CLEAN) is Heard.CLEAN
    assert heard(Outcome.UNKNOWN) is Heard.UNKNOWN


def test_a_frame_has_every_count() -> None:
    numbered = ShadowCounts(**{name: number for number, name in enumerate(SHADOW_COUNTERS)})
    assert numbered.values() == tuple(range(len(SHADOW_COUNTERS)))
