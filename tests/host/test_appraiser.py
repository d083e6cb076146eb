"""Rules timed one by one in the scanner's sandbox: the dear one is told, the cheap ones are not."""

from dataclasses import dataclass

import pytest
from tests.support.fresh_process import in_fresh_process
from tests.support.live_sensor import RULE, release_of
from tests.support.machine import kernel_requires

from ringfence.detect.byte_source import HeldBytes
from ringfence.detect.rule_removal import rule_map
from ringfence.host.appraiser import appraise
from ringfence.host.examiner import Input
from ringfence.host.rule_ledger import RuleLedger
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.wire.attribution import APPRAISE
from ringfence.wire.release import decode_release

CHEAP = 'rule cheap { strings: $a = "CHEAP-WORD" condition: $a }\n'
HELPED = 'private rule helper { strings: $a = "HELP" condition: $a }\nrule user { condition: helper }\n'
DEAR = 'import "math" rule dear {{ condition: for all i in (0..{turns}) : (math.entropy(0, filesize) >= 0) }}\n'
NAMES = ("cheap", "dear", "live_test", "user")


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "landlock", "seccomp")


@dataclass(frozen=True)
class Appraised:
    """What came of it; samples and times in the order of `NAMES`."""

    found: Attribution
    samples: tuple[int, ...]
    mean_ns: tuple[int, ...]
    dearest: str


def run(turns: int) -> Appraised:
    """An appraisal in a process like the zygote."""
    return in_fresh_process(appraised, turns)


def appraised(turns: int) -> Appraised:
    release = decode_release(release_of(CHEAP + HELPED + RULE + DEAR.format(turns=turns), *NAMES))
    ledger = RuleLedger(len(NAMES))
    indexes = {RuleName("live", name): place for place, name in enumerate(NAMES)}
    what = Input(HeldBytes(b"some HELP and no more"), APPRAISE)
    found = appraise(release, rule_map(release), indexes, ledger, what)
    rows = [ledger.row(place) for place in range(len(NAMES))]
    dearest = NAMES[ledger.top(1)[0].rule] if ledger.top(1) else ""
    return Appraised(found, tuple(row.samples for row in rows), tuple(row.mean_ns for row in rows), dearest)


def test_every_rule_is_timed_alone_with_what_it_needs() -> None:
    done = run(2_000)
    assert done.found.finding is Finding.APPRAISED
    assert done.samples == (1,) * len(NAMES)
    assert min(done.mean_ns) > 0
    assert done.dearest == "dear"


def test_a_rule_over_its_budget_is_told_after_a_second_look() -> None:
    done = run(1_000_000)
    assert done.found == Attribution(Finding.RULES, FaultKind.SLOW, (RuleName("live", "dear"),), 2)
    assert done.samples[NAMES.index("dear")] == 2


def test_a_rule_that_does_not_come_back_is_examined_as_a_fault() -> None:
    found = run(1 << 60).found
    assert (found.finding, found.rules) == (Finding.RULES, (RuleName("live", "dear"),))
    assert found.kind in (FaultKind.HUNG, FaultKind.SLOW)
