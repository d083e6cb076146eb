"""The ledger's numbers: shared by fork, bounded, and told dearest first."""

import os

from ringfence.host.rule_ledger import RuleLedger


def test_children_count_in_the_same_rows() -> None:
    ledger = RuleLedger(3)
    pid = os.fork()
    if pid == 0:
        ledger.matched([1, 1, 2])
        ledger.sampled(2, 500)
        os._exit(0)
    os.waitpid(pid, 0)
    ledger.sampled(2, 1_500)
    assert (ledger.row(1).matches, ledger.row(2).matches) == (2, 1)
    assert (ledger.row(2).mean_ns, ledger.row(2).worst_ns, ledger.row(2).samples) == (1_000, 1_500, 2)


def test_the_dearest_come_first_and_the_untouched_not_at_all() -> None:
    ledger = RuleLedger(5)
    ledger.sampled(3, 10)
    ledger.sampled(0, 90)
    ledger.matched([4])
    ledger.faulted(1)
    assert [one.rule for one in ledger.top(9)] == [0, 3, 4, 1]
    assert [one.rule for one in ledger.top(2)] == [0, 3]
    assert ledger.row(2).mean_ns == 0


def test_a_rule_that_is_not_there_counts_nowhere() -> None:
    ledger = RuleLedger(1)
    ledger.matched([1, -1, 1 << 31])
    ledger.sampled(0, (1 << 64) + 5)
    assert ledger.row(0).matches == 0
    assert ledger.row(0).worst_ns == (1 << 64) - 1
    assert RuleLedger(0).top(5) == ()
