"""SARIF: what a reader of the format must find."""

import json
from dataclasses import replace
from typing import Any

from ringfence.author.finding import Finding, Level
from ringfence.author.sarif import sarif_log

ONE = Finding("rules/a b.yar", 3, 9, "yara/slow-pattern", Level.ERROR, "One", "is slow")
WAIVED = replace(ONE, line=1, code="yara/short", rule="", waived_by="ab" * 32)


def run_of(*findings: Finding) -> dict[str, Any]:
    """The one run in the log of `findings`, as it is read back."""
    codes = {"yara/slow-pattern": "A pattern without a fixed part."}
    made = sarif_log(findings, tool="ringfence", version="1.2.3", codes=codes, reasons={"ab" * 32: "accepted"})
    again = json.loads(json.dumps(made))
    assert again["version"] == "2.1.0"
    (run,) = again["runs"]
    return dict(run)


def test_results_point_to_their_rules_and_places() -> None:
    run = run_of(ONE, WAIVED)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["yara/short", "yara/slow-pattern"]
    assert rules[1]["shortDescription"]["text"] == "A pattern without a fixed part."
    first, second = run["results"]
    for result in (first, second):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    place = second["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "rules/a%20b.yar", "uriBaseId": "CONTENT"}
    assert place["region"] == {"startLine": 3, "startColumn": 9}
    assert second["locations"][0]["logicalLocations"] == [{"name": "One", "kind": "rule"}]
    assert "logicalLocations" not in first["locations"][0]


def test_a_waived_finding_is_suppressed_with_its_reason() -> None:
    run = run_of(ONE, WAIVED)
    waived, open_one = run["results"]
    assert waived["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "accepted"}]
    assert "suppressions" not in open_one


def test_nothing_found_is_a_log_without_results() -> None:
    assert run_of()["results"] == []
