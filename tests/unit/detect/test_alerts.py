"""Sightings become alerts and skipped files: nothing is lost on the way, whatever did not come."""

import dataclasses
import doctest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.wire import detection_examples as examples
from tests.unit.wire.detection_examples import FINDINGS, SIGHTING
from tests.unit.wire.record_examples import RULE

from ringfence.detect import alerts
from ringfence.detect.alerts import UNKNOWN_RELEASE, event_of, record_of, status_of, text_of, visible
from ringfence.model.records import (
    Alert,
    AlertResponse,
    AlertSource,
    FileReference,
    ProcessReference,
    ReleaseReference,
    RuleAction,
    SkippedFile,
)
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire.detections import Findings, Sighting
from ringfence.wire.rule_table import RuleTable
from ringfence.wire.sensor_reports import SensorEvent, StatusReport
from ringfence.wire.uplink import decode_record, encode_record

OTHER = dataclasses.replace(RULE, identifier="Other", action=RuleAction.ALERT)
RELEASE = ReleaseReference("starter", 3, "cd" * 32)
TABLES = {5: RuleTable(RELEASE, (RULE, OTHER))}


def alert(sighting: Sighting, findings: Findings | None) -> Alert:
    record = record_of(sighting, findings, TABLES)
    assert isinstance(record, Alert)
    return record


def test_an_alert_says_everything_that_is_known() -> None:
    found = alert(SIGHTING, FINDINGS)
    assert found.file == FileReference("/srv/\\xff\n", 68, bytes(range(32)).hex(), 1000, 2049, 11)
    assert found.rules == (RULE, OTHER)
    assert found.release == RELEASE
    assert (found.source, found.response) == (AlertSource.EXEC, AlertResponse.BLOCKED)
    assert found.process == ProcessReference(42, 99, 1000, "sh", "/bin/sh", "sh -c ./a")
    assert [ancestor.pid for ancestor in found.ancestors] == [41]
    (match,) = found.matches
    assert (match.rule, match.pattern, match.excerpt_hex, match.member) == ("Other", "$a", "00ff", "in.zip")


def test_an_alert_without_findings_names_its_worst_rule() -> None:
    found = alert(SIGHTING, None)
    assert found.rules == (RULE,)
    assert found.matches == ()
    assert found.file.sha256 == ""


def test_findings_of_another_job_gate_or_release_do_not_count() -> None:
    for other in (
        dataclasses.replace(FINDINGS, job=8),
        dataclasses.replace(FINDINGS, gate_id=6),
        dataclasses.replace(FINDINGS, release_index=4),
    ):
        assert alert(SIGHTING, other) == alert(SIGHTING, None)


def test_the_gates_worst_rule_stands_first_where_the_scanner_did_not_name_it() -> None:
    findings = dataclasses.replace(FINDINGS, rules=(1,) * 16)
    assert alert(SIGHTING, findings).rules == (RULE, *(OTHER,) * 15)


def test_a_rule_or_release_that_no_table_names_still_makes_an_alert() -> None:
    found = alert(dataclasses.replace(SIGHTING, top_rule=77), None)
    assert found.rules[0].identifier == "rule_77"
    assert found.rules[0].action is RuleAction.BLOCK
    record = record_of(SIGHTING, FINDINGS, {})
    assert isinstance(record, Alert)
    assert record.release == UNKNOWN_RELEASE
    assert [rule.identifier for rule in record.rules] == ["rule_0", "rule_1"]


def test_no_verdict_is_a_skipped_file_with_its_reason() -> None:
    sighting = dataclasses.replace(
        SIGHTING,
        outcome=Outcome.UNKNOWN,
        reason=UnknownReason.DEADLINE_PASSED,
        response=None,
        top_rule=None,
        will_rescan=True,
    )
    record = record_of(sighting, None, TABLES)
    assert record == SkippedFile(1_700_000_000_000, "/srv/\\xff\n", 68, "deadline_passed", will_rescan=True)


def test_text_never_holds_a_lone_surrogate() -> None:
    assert text_of(b"\xed\xa0\x80 \xc3\xa9") == "\\xed\\xa0\\x80 é"


def test_what_hides_or_turns_text_becomes_visible() -> None:
    assert visible("a\x1b[2J\u202eb\u200b\x85\n") == "a\\x1b[2J\\u202eb\\u200b\\x85\\n"
    assert visible("naïve 中") == "naïve 中"


@given(
    sighting=examples.sightings(),
    findings=st.none() | examples.findings,
    known=st.booleans(),
    join=st.booleans(),
    number=st.integers(1, 99),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_sighting_becomes_a_record_that_the_uplink_takes(
    sighting: Sighting, findings: Findings | None, *, known: bool, join: bool, number: int
) -> None:
    tables = {sighting.release_index: TABLES[5]} if known else {}
    if findings is not None and join:
        findings = dataclasses.replace(
            findings, gate_id=sighting.gate_id, job=sighting.job, release_index=sighting.release_index
        )
    record = record_of(sighting, findings, tables)
    assert decode_record(encode_record(number, record)) == (number, record)


@given(report=examples.status_reports, event=examples.events)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_status_and_event_becomes_a_record_that_the_uplink_takes(
    report: StatusReport, event: SensorEvent
) -> None:
    for record in (status_of(report, TABLES), event_of(event)):
        assert decode_record(encode_record(1, record)) == (1, record)


def test_the_examples_of_the_docstring_hold() -> None:
    assert doctest.testmod(alerts).failed == 0
