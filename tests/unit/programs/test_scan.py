"""`programs/scan.py`: the exit status and the words for a person."""

import pytest

from ringfence.model.errors import UsageRefused
from ringfence.model.limits import DEMAND_WORKERS_MAX
from ringfence.model.verdict import UnknownReason
from ringfence.programs.scan import REASONS, Tally, _reason, _worker_count


@pytest.mark.parametrize(
    ("malicious", "suspicious", "not_scanned", "status"),
    [(0, 0, 0, 0), (1, 0, 0, 1), (0, 1, 0, 1), (1, 0, 5, 1), (0, 0, 1, 2)],
)
def test_found_wins_over_not_scanned_over_clean(malicious: int, suspicious: int, not_scanned: int, status: int) -> None:
    tally = Tally(malicious=malicious, suspicious=suspicious, not_scanned=not_scanned)
    assert tally.exit_status() == status
    assert tally.exit_status(cut_short=True) == (status or 2)


def test_a_reason_that_no_worker_should_name_has_a_word_too() -> None:
    assert _reason(UnknownReason.QUEUE_FULL) == "queue_full"
    assert {_reason(reason) for reason in REASONS} == set(REASONS.values())


def test_workers_are_bounded() -> None:
    assert 1 <= _worker_count(0) <= DEMAND_WORKERS_MAX
    assert _worker_count(3) == 3
    with pytest.raises(UsageRefused):
        _worker_count(DEMAND_WORKERS_MAX + 1)
