"""OCSF findings: complete, bounded to the schema's numbers, and one ASCII line whatever a name holds."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from tests.unit.wire.record_examples import ALERT, RULE, alerts

from ringfence.model.records import Alert, AlertResponse, Severity
from ringfence.wire.ocsf import DISPOSITIONS, SEVERITIES, STATUSES, FindingContext, encode_finding

CONTEXT = FindingContext("ab-7", "ab" * 16, "web-1", 1_700_000_000_500, "open", "0.1.0")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "ocsf.md"


def finding(alert: Alert) -> dict[str, Any]:
    found = json.loads(encode_finding(alert, CONTEXT))
    assert isinstance(found, dict)
    return found


def test_the_required_attributes_of_a_detection_finding_are_there() -> None:
    found = finding(ALERT)
    assert (found["class_uid"], found["category_uid"], found["activity_id"]) == (2004, 2, 1)
    assert found["type_uid"] == 200401
    assert found["time"] == ALERT.at_unix_ms
    assert (found["severity_id"], found["severity"]) == (4, "High")
    assert found["metadata"]["version"] == "1.4.0"
    assert found["metadata"]["product"]["name"] == "Ringfence"
    assert found["metadata"]["profiles"] == ["host", "security_control"]
    assert found["finding_info"]["uid"] == "ab-7"
    assert found["finding_info"]["analytic"]["type_id"] == 1
    assert (found["action_id"], found["disposition_id"]) == (2, 2)
    assert found["device"] == {"uid": "ab" * 16, "hostname": "web-1", "type_id": 0}
    assert found["status_id"] == 1


def test_file_process_and_ancestors_are_evidence() -> None:
    seen, match = finding(ALERT)["evidences"]
    assert seen["file"]["path"] == "/srv/upload/a.sh"
    assert seen["file"]["name"] == "a.sh"
    assert seen["file"]["hashes"] == [{"algorithm_id": 3, "algorithm": "SHA-256", "value": "ab" * 32}]
    process = seen["actor"]["process"]
    assert (process["pid"], process["uid"], process["cmd_line"]) == (4242, "4242-99", "sh -c ./a.sh")
    assert process["parent_process"]["pid"] == 4000
    assert [ancestor["pid"] for ancestor in process["ancestry"]] == [4000]
    assert match["data"]["offset"] == 0
    assert match["data"]["excerpt_hex"] == "58354f21"


def test_techniques_are_split_and_named_once() -> None:
    plain = dataclasses.replace(RULE, identifier="B", technique="T1059")
    none = dataclasses.replace(RULE, identifier="C", technique="")
    found = finding(dataclasses.replace(ALERT, rules=(RULE, plain, RULE, none)))
    assert found["attacks"] == [
        {"technique": {"uid": "T1204"}, "sub_technique": {"uid": "T1204.002"}},
        {"technique": {"uid": "T1059"}},
    ]
    assert found["finding_info"]["attacks"] == found["attacks"]
    assert [one["name"] for one in found["finding_info"]["related_analytics"]] == ["B", "EICAR_Test_File", "C"]


def test_the_author_of_every_rule_stays_on_the_alert() -> None:
    (rule,) = finding(ALERT)["unmapped"]["rules"]
    assert (rule["author"], rule["licence"]) == ("Ringfence", "Apache-2.0")


def test_what_is_not_known_is_left_out() -> None:
    alert = dataclasses.replace(
        ALERT, process=None, ancestors=(), matches=(), file=dataclasses.replace(ALERT.file, sha256="")
    )
    (seen,) = finding(alert)["evidences"]
    assert "actor" not in seen
    assert "hashes" not in seen["file"]


def test_every_response_severity_and_state_has_its_number() -> None:
    assert set(DISPOSITIONS) == set(AlertResponse)
    assert set(SEVERITIES) == set(Severity)
    for state in STATUSES:
        assert json.loads(encode_finding(ALERT, dataclasses.replace(CONTEXT, state=state)))["status_id"] in (1, 3, 4)


@given(alert=alerts)
def test_a_finding_is_one_line_of_printable_ascii(alert: Alert) -> None:
    line = encode_finding(alert, CONTEXT)
    assert all(0x20 <= byte < 0x7F for byte in line.replace(b"\x7f", b""))
    assert json.loads(line)["finding_info"]["title"] == alert.rules[0].identifier


def test_the_page_names_every_attribute() -> None:
    page = PAGE.read_text()
    missing = [name for name in finding(ALERT) if f"`{name}`" not in page]
    assert not missing
    for _, action, _, disposition in DISPOSITIONS.values():
        assert action in page
        assert disposition in page
