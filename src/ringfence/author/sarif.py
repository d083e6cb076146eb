"""Findings as SARIF 2.1.0, which code hosts and editors show beside the lines.

One run of one tool.  Files are relative to the content directory (`CONTENT`), whose own place the reader knows.  A
waived finding stays in the log as a suppressed result, with the waiver's reason.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from ringfence.author.finding import Finding, in_order

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
BASE: Final = "CONTENT"


def sarif_log(
    findings: Iterable[Finding],
    *,
    tool: str,
    version: str,
    codes: Mapping[str, str],
    reasons: Mapping[str, str],
) -> dict[str, Any]:
    """The log of one run of `tool`.  `codes`: what each code means; `reasons`: why, by digest of a waiver."""
    ordered = in_order(findings)
    used = sorted({finding.code for finding in ordered})
    place_of_code = {code: place for place, code in enumerate(used)}
    driver = {
        "name": tool,
        "semanticVersion": version,
        "rules": [{"id": code, "shortDescription": {"text": codes.get(code, code)}} for code in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "The content directory."}}},
        "results": [_result(finding, place_of_code[finding.code], reasons) for finding in ordered],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, place_of_code: int, reasons: Mapping[str, str]) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(finding.file), "uriBaseId": BASE},
            "region": {"startLine": finding.line, "startColumn": finding.column},
        }
    }
    if finding.rule:
        location["logicalLocations"] = [{"name": finding.rule, "kind": "rule"}]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": place_of_code,
        "level": finding.level.value,
        "message": {"text": finding.text},
        "locations": [location],
    }
    if finding.waived_by:
        reason = reasons.get(finding.waived_by, "")
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return result
