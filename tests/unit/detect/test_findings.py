"""`detect/findings.py`: unknown never becomes clean, and bounds hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.findings import CLEAN, RuleMatch, ScanFindings, join, member_label, not_scanned
from ringfence.model.limits import FINDING_MATCHES_MAX, FINDING_RULES_MAX, MEMBER_PATH_BYTES_MAX
from ringfence.model.verdict import Outcome, UnknownReason

MALICIOUS = ScanFindings((7,), (RuleMatch(7, "$a", 0, 3, b"abc", ""),), Outcome.MALICIOUS, UnknownReason.NONE)
SUSPICIOUS = ScanFindings((3,), (), Outcome.SUSPICIOUS, UnknownReason.NONE)
TIMED_OUT = not_scanned(UnknownReason.ENGINE_TIMEOUT)


def test_clean_and_unknown_joined_are_unknown() -> None:
    """One part that was not looked at spoils the verdict."""
    found = join([CLEAN, TIMED_OUT, CLEAN], lambda rule: rule)
    assert (found.outcome, found.reason, found.complete) == (Outcome.UNKNOWN, UnknownReason.ENGINE_TIMEOUT, False)


def test_a_match_speaks_louder_than_a_gap_and_the_gap_stays_visible() -> None:
    """Malicious and incomplete: outcome malicious, reason none, missing named."""
    found = join([TIMED_OUT, MALICIOUS, SUSPICIOUS], lambda rule: rule)
    assert found.outcome is Outcome.MALICIOUS
    assert found.reason is UnknownReason.NONE
    assert found.missing is UnknownReason.ENGINE_TIMEOUT
    assert found.rules == (3, 7)


def test_no_parts_are_clean_and_one_part_is_itself() -> None:
    """The ends of the range."""
    assert join([], lambda rule: rule) is CLEAN
    assert join([CLEAN, CLEAN], lambda rule: rule) is CLEAN
    assert join([TIMED_OUT], lambda rule: rule) is TIMED_OUT


def test_not_scanned_needs_a_reason() -> None:
    """`NONE` would make unknown look clean."""
    with pytest.raises(ValueError, match="reason"):
        not_scanned(UnknownReason.NONE)


def test_joined_findings_are_bounded_and_worst_first() -> None:
    """Many members with many rules: the worst ones stay."""
    parts = [
        ScanFindings(
            (rule,),
            tuple(RuleMatch(rule, "$a", n, 1, b"x", "") for n in range(8)),
            Outcome.SUSPICIOUS,
            UnknownReason.NONE,
        )
        for rule in range(40)
    ]
    found = join(parts, lambda rule: -rule)
    assert found.rules == tuple(range(39, 39 - FINDING_RULES_MAX, -1))
    assert len(found.matches) == FINDING_MATCHES_MAX
    assert found.matches[0].rule == 39


@given(st.text(max_size=600))
def test_member_labels_are_bounded_utf8(path: str) -> None:
    """Any name, lone surrogates too, becomes bounded valid UTF-8."""
    assert len(member_label(path).encode("utf-8")) <= MEMBER_PATH_BYTES_MAX


def test_member_label_keeps_both_ends() -> None:
    """The end says what it is, the start where it is."""
    label = member_label("start" + "x" * 1000 + "end.sh")
    assert label.startswith("start")
    assert label.endswith("end.sh")
    assert member_label("a\udcffb") == "a\\udcffb"
