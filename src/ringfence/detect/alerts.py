r"""What a sighting means: frames of the gate, the scanners and the warden become records for people.

1. A sighting with a verdict is an alert.  It needs no findings: then it names the worst rule alone, without matches.
2. A sighting without a verdict is a skipped file, with the reason.
3. Findings count only when they are of the same job and release; rules are named by the table of that release.  A rule
   that no table names still makes an alert, under its number.
4. This is the one place where bytes of the kernel become text: UTF-8, and `\xff` for what is not.  Control characters
   stay what they are; whoever shows text makes them visible (`visible`).

>>> text_of(b"/tmp/\xff\n")
'/tmp/\\xff\n'
>>> visible(text_of(b"/tmp/a\x1b[2J"))
'/tmp/a\\x1b[2J'
"""

import re
from collections.abc import Mapping
from typing import Final

from ringfence.model.limits import FINDING_RULES_MAX, JSON_INTEGER_MAX
from ringfence.model.records import (
    Alert,
    AlertResponse,
    Counter,
    FileReference,
    HostEvent,
    HostStatus,
    PatternMatch,
    ProcessReference,
    ProcessStatus,
    ReleaseReference,
    RuleAction,
    RuleReference,
    Severity,
    SkippedFile,
)
from ringfence.model.verdict import Outcome
from ringfence.wire.detections import Findings, FoundPattern, SeenFile, SeenProcess, Sighting
from ringfence.wire.rule_table import RuleTable
from ringfence.wire.sensor_reports import SensorEvent, StatusReport

UNKNOWN_RELEASE: Final = ReleaseReference("unknown", 0, "")
"""The release of an alert whose rule table is not here."""

_INTEGER_MAX: Final = 2**63 - 1
_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")

Tables = Mapping[int, RuleTable]
"""Release index -> rule table."""


def text_of(data: bytes) -> str:
    r"""Bytes of the kernel as text: UTF-8, with `\xff` for each byte that is not."""
    return data.decode("utf-8", "backslashreplace")


def visible(text: str) -> str:
    """`text` for a terminal: control characters and marks that hide or turn text are escaped."""
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def record_of(sighting: Sighting, findings: Findings | None, tables: Tables) -> Alert | SkippedFile:
    """The record of one sighting.  `findings` are those of its job, if any came."""
    if sighting.outcome is Outcome.UNKNOWN or sighting.top_rule is None or sighting.response is None:
        return SkippedFile(
            at_unix_ms=_moment(sighting.at_unix_ms),
            path=text_of(sighting.file.path),
            size_bytes=min(sighting.file.size_bytes, _INTEGER_MAX),
            reason=sighting.reason.name.lower(),
            will_rescan=sighting.will_rescan,
        )
    return _alert_of(sighting, sighting.top_rule, sighting.response, findings, tables)


def status_of(report: StatusReport, tables: Tables) -> HostStatus:
    """The record of one status report."""
    release = None if report.release is None else _release_of(report.release.index, tables)
    return HostStatus(
        at_unix_ms=_moment(report.at_unix_ms),
        mode=report.mode.name.lower(),
        release=release,
        marks=tuple(text_of(mark) for mark in report.marks),
        processes=tuple(
            ProcessStatus(
                role=text_of(process.role),
                pid=process.pid,
                uid=process.uid,
                state=text_of(process.state),
                memory_pss_bytes=min(process.memory_pss_bytes, _INTEGER_MAX),
                restarts=process.restarts,
            )
            for process in report.processes
        ),
        counters=tuple(Counter(text_of(counter.name), min(counter.value, _INTEGER_MAX)) for counter in report.counters),
    )


def event_of(event: SensorEvent) -> HostEvent:
    """The record of one event."""
    return HostEvent(_moment(event.at_unix_ms), event.kind, text_of(event.subject), text_of(event.detail))


def _alert_of(
    sighting: Sighting, top_rule: int, response: AlertResponse, findings: Findings | None, tables: Tables
) -> Alert:
    if findings is not None and not _belongs(findings, sighting):
        findings = None
    action = RuleAction.BLOCK if sighting.outcome is Outcome.MALICIOUS else RuleAction.ALERT
    table = tables.get(sighting.release_index)
    processes = tuple(_process_of(process) for process in sighting.processes)
    return Alert(
        at_unix_ms=_moment(sighting.at_unix_ms),
        source=sighting.source,
        response=response,
        file=_file_of(sighting.file, None if findings is None else findings.sha256),
        rules=tuple(_rule_of(index, table, action) for index in _rule_indexes(top_rule, findings)),
        matches=() if findings is None else tuple(_match_of(match, table, action) for match in findings.matches),
        process=processes[0] if processes else None,
        ancestors=processes[1:],
        release=_release_of(sighting.release_index, tables),
    )


def _belongs(findings: Findings, sighting: Sighting) -> bool:
    """Whether the findings are of the scan that the sighting names, with the content that it names."""
    ours = (sighting.gate_id, sighting.job, sighting.release_index)
    return (findings.gate_id, findings.job, findings.release_index) == ours


def _rule_indexes(top_rule: int, findings: Findings | None) -> tuple[int, ...]:
    """Worst first.  The gate's word for the worst counts, also where the scanner did not name it."""
    found = () if findings is None else findings.rules
    return found if top_rule in found else (top_rule, *found)[:FINDING_RULES_MAX]


def _rule_of(index: int, table: RuleTable | None, action: RuleAction) -> RuleReference:
    if table is not None and index < len(table.rules):
        return table.rules[index]
    return RuleReference(
        identifier=f"rule_{index}",
        pack="unknown",
        author="",
        description="The sensor did not say which rule has this number.",
        severity=Severity.HIGH if action is RuleAction.BLOCK else Severity.MEDIUM,
        action=action,
        technique="",
        reference="",
        licence="",
    )


def _release_of(index: int, tables: Tables) -> ReleaseReference:
    table = tables.get(index)
    return UNKNOWN_RELEASE if table is None else table.release


def _file_of(file: SeenFile, sha256: bytes | None) -> FileReference:
    return FileReference(
        path=text_of(file.path),
        size_bytes=min(file.size_bytes, _INTEGER_MAX),
        sha256="" if sha256 is None else sha256.hex(),
        owner_uid=file.owner_uid,
        device=file.device,
        inode=file.inode,
    )


def _process_of(process: SeenProcess) -> ProcessReference:
    return ProcessReference(
        pid=process.pid,
        start_ticks=min(process.start_ticks, _INTEGER_MAX),
        uid=process.uid,
        name=text_of(process.name),
        executable=text_of(process.executable),
        command_line=text_of(process.command_line),
    )


def _match_of(match: FoundPattern, table: RuleTable | None, action: RuleAction) -> PatternMatch:
    return PatternMatch(
        rule=_rule_of(match.rule, table, action).identifier,
        pattern=text_of(match.pattern),
        offset_bytes=min(match.offset_bytes, _INTEGER_MAX),
        length_bytes=match.length_bytes,
        excerpt_hex=match.excerpt.hex(),
        member=text_of(match.member),
    )


def _moment(at_unix_ms: int) -> int:
    return min(at_unix_ms, JSON_INTEGER_MAX)
