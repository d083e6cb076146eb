"""`programs/scan_worker.py`: what it says about a file that changed; the rest is proven in `tests/host`."""

from ringfence.decide.inspection import Inspection
from ringfence.detect.archives import Gap, GapReason
from ringfence.detect.findings import CLEAN, RuleMatch, ScanFindings, not_scanned
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import RuleEntry
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.programs.scan_worker import _result

ENTRY = RuleEntry("R", "p", "author", "text", Severity.HIGH, RuleAction.BLOCK, "", "", "Apache-2.0")
EVIL = ScanFindings((0,), (RuleMatch(0, "$a", 3, 4, b"evil", "m"),), Outcome.MALICIOUS, UnknownReason.NONE)


def test_clean_but_changed_is_unknown() -> None:
    result = _result(1, 10, (ENTRY,), Inspection(CLEAN, ()), "", changed=True)
    assert (result.outcome, result.missing) == (Outcome.UNKNOWN, UnknownReason.FILE_HOT)
    assert _result(1, 10, (ENTRY,), Inspection(CLEAN, ()), "", changed=False).outcome is Outcome.CLEAN


def test_malicious_and_changed_stays_malicious() -> None:
    result = _result(1, 10, (ENTRY,), Inspection(EVIL, ()), "", changed=True)
    assert (result.outcome, result.missing, result.changed) == (Outcome.MALICIOUS, UnknownReason.NONE, True)
    assert (result.rules[0].identifier, result.matches[0].excerpt_hex) == ("R", b"evil".hex())


def test_gaps_are_named_with_their_place() -> None:
    gaps = (Gap("", GapReason.MEMBERS), Gap("a!b", GapReason.ENCRYPTED))
    inspection = Inspection(not_scanned(UnknownReason.ARCHIVE_BOUND), gaps)
    assert _result(1, 1, (), inspection, "", changed=False).gaps == ("too many members", "a!b: encrypted")
