"""Alerts in the words of the Open Cybersecurity Schema Framework, version 1.4.0: Detection Finding, class 2004.

One JSON object on one line, ASCII only: what a file's name holds can never steer a terminal or a log reader.  The
mapping, field by field, is in `docs/ocsf.md`; a test holds the page and this module together.
"""

import json
from dataclasses import dataclass
from typing import Final

from ringfence.model.records import Alert, AlertResponse, FileReference, ProcessReference, RuleReference, Severity

OCSF_VERSION: Final = "1.4.0"
CLASS_UID: Final = 2004
CATEGORY_UID: Final = 2
ACTIVITY_CREATE: Final = 1

SEVERITIES: Final = {
    Severity.INFORMATIONAL: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
"""Severity -> `severity_id` and `severity`."""

DISPOSITIONS: Final = {
    AlertResponse.BLOCKED: (2, "Denied", 2, "Blocked"),
    AlertResponse.OBSERVED: (3, "Observed", 15, "Detected"),
    AlertResponse.SPARED_VITAL: (1, "Allowed", 1, "Allowed"),
    AlertResponse.SPARED_BREAKER: (1, "Allowed", 1, "Allowed"),
    AlertResponse.FOUND_AT_REST: (3, "Observed", 15, "Detected"),
}
"""Response -> `action_id`, `action`, `disposition_id`, `disposition`."""

STATUSES: Final = {"open": (1, "New"), "false_positive": (3, "Suppressed"), "resolved": (4, "Resolved")}
"""Where an alert stands in the triage -> `status_id` and `status`."""

_SHA256_ALGORITHM: Final = 3
_REGULAR_FILE: Final = 1
_RULE_ANALYTIC: Final = 1
_DEVICE_UNKNOWN: Final = 0

OcsfValue = int | str | bool | list["OcsfValue"] | dict[str, "OcsfValue"]
OcsfObject = dict[str, OcsfValue]


@dataclass(frozen=True, slots=True)
class FindingContext:
    """What the server adds to a host's alert.  `state` is a key of `STATUSES`."""

    uid: str
    host_id: str
    host_name: str
    received_at_unix_ms: int
    state: str
    product_version: str


def encode_finding(alert: Alert, context: FindingContext) -> bytes:
    """One line, without its end."""
    return json.dumps(detection_finding(alert, context), allow_nan=False, separators=(",", ":")).encode("ascii")


def detection_finding(alert: Alert, context: FindingContext) -> OcsfObject:
    """The finding as an object."""
    worst = alert.rules[0]
    severity_id, severity = SEVERITIES[worst.severity]
    action_id, action, disposition_id, disposition = DISPOSITIONS[alert.response]
    status_id, status = STATUSES[context.state]
    finding: OcsfObject = {
        "activity_id": ACTIVITY_CREATE,
        "activity_name": "Create",
        "category_uid": CATEGORY_UID,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + ACTIVITY_CREATE,
        "type_name": "Detection Finding: Create",
        "time": alert.at_unix_ms,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_detail": alert.response.value,
        "is_alert": True,
        "action_id": action_id,
        "action": action,
        "disposition_id": disposition_id,
        "disposition": disposition,
        "message": f"{worst.identifier}: {alert.file.path}",
        "metadata": _metadata(context),
        "finding_info": _finding_info(alert, context),
        "device": {"uid": context.host_id, "hostname": context.host_name, "type_id": _DEVICE_UNKNOWN},
        "evidences": _evidences(alert),
        "unmapped": {
            "source": alert.source.value,
            "release": {
                "name": alert.release.name,
                "version": alert.release.version,
                "sha256": alert.release.sha256,
            },
            "rules": [_rule(rule) for rule in alert.rules],
        },
    }
    if attacks := _attacks(alert):
        finding["attacks"] = attacks
    return finding


def _metadata(context: FindingContext) -> OcsfObject:
    return {
        "version": OCSF_VERSION,
        "profiles": ["host", "security_control"],
        "uid": context.uid,
        "logged_time": context.received_at_unix_ms,
        "product": {"name": "Ringfence", "vendor_name": "Ringfence", "version": context.product_version},
    }


def _finding_info(alert: Alert, context: FindingContext) -> OcsfObject:
    worst, *others = alert.rules
    info: OcsfObject = {
        "uid": context.uid,
        "title": worst.identifier,
        "desc": worst.description,
        "created_time": alert.at_unix_ms,
        "analytic": _analytic(worst),
        "types": [worst.pack],
    }
    if others:
        info["related_analytics"] = [_analytic(rule) for rule in others]
    if worst.reference:
        info["src_url"] = worst.reference
    if attacks := _attacks(alert):
        info["attacks"] = attacks
    return info


def _analytic(rule: RuleReference) -> OcsfObject:
    return {
        "type_id": _RULE_ANALYTIC,
        "type": "Rule",
        "name": rule.identifier,
        "uid": rule.identifier,
        "category": rule.pack,
        "desc": rule.description,
    }


def _rule(rule: RuleReference) -> OcsfObject:
    """What the schema has no place for, and a licence demands: who wrote the rule."""
    return {
        "identifier": rule.identifier,
        "author": rule.author,
        "licence": rule.licence,
        "reference": rule.reference,
        "action": rule.action.value,
        "severity": rule.severity.value,
    }


def _attacks(alert: Alert) -> list[OcsfValue]:
    """One entry for each technique, in the order of the rules."""
    return [_attack(technique) for technique in dict.fromkeys(rule.technique for rule in alert.rules) if technique]


def _attack(technique: str) -> OcsfObject:
    parent, _, child = technique.partition(".")
    attack: OcsfObject = {"technique": {"uid": parent}}
    if child:
        attack["sub_technique"] = {"uid": technique}
    return attack


def _evidences(alert: Alert) -> list[OcsfValue]:
    """The file with its process, then each matched pattern."""
    seen: OcsfObject = {"file": _file(alert.file)}
    if alert.process is not None:
        process = _process(alert.process)
        if alert.ancestors:
            process["parent_process"] = _process(alert.ancestors[0])
            process["ancestry"] = [_ancestor(ancestor) for ancestor in alert.ancestors]
        seen["actor"] = {"process": process, "user": {"uid": str(alert.process.uid)}}
    matches: list[OcsfValue] = [
        {
            "name": match.pattern,
            "data": {
                "rule": match.rule,
                "pattern": match.pattern,
                "offset": match.offset_bytes,
                "length": match.length_bytes,
                "excerpt_hex": match.excerpt_hex,
                "member": match.member,
            },
        }
        for match in alert.matches
    ]
    return [seen, *matches]


def _file(file: FileReference) -> OcsfObject:
    found: OcsfObject = {
        "type_id": _REGULAR_FILE,
        "type": "Regular File",
        "name": file.path.rpartition("/")[2] or file.path,
        "path": file.path,
        "parent_folder": file.path.rpartition("/")[0] or "/",
        "size": file.size_bytes,
        "uid": f"{file.device}:{file.inode}",
        "owner": {"uid": str(file.owner_uid)},
    }
    if file.sha256:
        found["hashes"] = [{"algorithm_id": _SHA256_ALGORITHM, "algorithm": "SHA-256", "value": file.sha256}]
    return found


def _process(process: ProcessReference) -> OcsfObject:
    found = _ancestor(process)
    found["user"] = {"uid": str(process.uid)}
    if process.executable:
        found["file"] = {
            "type_id": _REGULAR_FILE,
            "name": process.executable.rpartition("/")[2] or process.executable,
            "path": process.executable,
        }
    return found


def _ancestor(process: ProcessReference) -> OcsfObject:
    """What names a process: the pid is used again, pid and start time are not."""
    found: OcsfObject = {"pid": process.pid, "uid": f"{process.pid}-{process.start_ticks}", "name": process.name}
    if process.executable:
        found["path"] = process.executable
    if process.command_line:
        found["cmd_line"] = process.command_line
    return found
