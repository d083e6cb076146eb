"""Every message between the processes of a host, in one table.  The table is the whole communication graph.

Requests have even numbers, the answer to request N is N + 1 (a test says so).  A frame whose type is not listed for
that sender and receiver kills the sender.  `docs/messages.md` is generated from this table.
"""

import struct
from dataclasses import dataclass, fields
from typing import Final

from ringfence.model.limits import NAME_CHARACTERS_MAX
from ringfence.wire.attribution import EXAMINE_BODY, EXAMINED_BODY, RESULT_BODY
from ringfence.wire.conviction import RULE_MAP_BYTES


@dataclass(frozen=True, slots=True)
class Message:
    """One row: number, name, who sends it to whom, the fixed part of its body, how many descriptors it carries."""

    number: int
    name: str
    sender: str
    receiver: str
    layout: str
    """struct format of the fixed part; "variable" when another module of `wire` decodes the body."""

    descriptors: int
    meaning: str


SCAN: Final = 2
VERDICT: Final = 3
SPAWN: Final = 4
SPAWNED: Final = 5
KILL: Final = 6
ADOPT_GATE: Final = 8
USE_FINDINGS: Final = 10
READY: Final = 12
ARM: Final = 14
ARMED: Final = 15
USE_ZYGOTE: Final = 16
SET_MODE: Final = 18
COUNT: Final = 20
COUNTS: Final = 21
WATCH: Final = 22
BREAKER: Final = 24
RETIRE: Final = 26
FAILED: Final = 28
CONVICT: Final = 30
COUNT_SPOOL: Final = 32
SPOOL_COUNTS: Final = 33
SHADOW: Final = 34
SHADOW_COUNTS: Final = 35
END_SHADOW: Final = 36
SCANNER_ENDED: Final = 38
EXAMINE: Final = 54
EXAMINED: Final = 55
GUILT: Final = 56
RULES: Final = 58
RULES_ANSWER: Final = 59
STATUS: Final = 60
STATUS_ANSWER: Final = 61
LOAD: Final = 62
LOAD_ANSWER: Final = 63
MODE: Final = 64
MODE_ANSWER: Final = 65
STOP: Final = 66
FETCH: Final = 80
FETCHED: Final = 81
UPDATER_SOCKET: Final = 82
OFFER: Final = 84
UPDATE_REPORT: Final = 86
LOOK: Final = 88
LOOK_ANSWER: Final = 89
ACTIVATION: Final = 68
ACTIVATION_ANSWER: Final = 69
FAULT: Final = 92
DISCONNECT: Final = 94
REPLAY: Final = 96
REPLAYED: Final = 97

SCAN_BODY: Final = struct.Struct(">QQB7x")
"""job, size_bytes, purpose (1 synchronous, 2 ahead, 3 shadow)."""

VERDICT_BODY: Final = struct.Struct(">QBBBxI32s")
"""job, outcome, unknown reason, flags, rule index, SHA-256."""

SPAWN_BODY: Final = struct.Struct(">IiB3xQ")
"""slot, processor (-1: any), idle, gate id."""

NO_RULE: Final = 0xFFFF_FFFF
"""Rule index of a verdict that no rule caused."""

SPAWNED_BODY: Final = struct.Struct(">Ii")
"""slot, pid."""

KILL_BODY: Final = struct.Struct(">I")
"""slot."""

SCANNER_ENDED_BODY: Final = struct.Struct(">IiI")
"""slot, pid, wait status: of a scanner that nobody told to end."""

SHADOW_BODY: Final = struct.Struct(">QQ")
"""release number of the candidate; wall time in nanoseconds: what has not changed since is long known."""

SHADOW_PATH_BYTES: Final = 256
"""Of the path of the worst new block; a longer one is cut."""

SHADOW_COUNTS_BODY: Final = struct.Struct(f">Q15Q{SHADOW_PATH_BYTES}s")
"""release number of the candidate, counts in the order of `decide.shadow.ShadowCounts`, path of the worst new block."""

FAULT_BODY: Final = struct.Struct(">QBB2xiQQ")
"""release number, what happened (1 died, 2 burnt the time of a question, 3 killed by somebody else, 4 with this file it
has computed on several and answered nothing), 1 when the file is older than the release, the scanner's pid, device and
inode of the file (0: none was in hand)."""

FAULT_DIED: Final = 1
FAULT_BURNT: Final = 2
FAULT_KILLED: Final = 3
FAULT_MUTE: Final = 4

SHADOW_COUNTERS: Final = (
    "compared", "compared_old", "new_blocks", "vital_blocks", "known_blocks", "missed_blocks", "timeouts", "deaths",
    "starved", "replayed", "dropped", "active_ns", "candidate_ns", "exhausted", "rule",
)
"""Names of the counts in a SHADOW_COUNTS frame, in order."""

STEER_TELL: Final = 0
STEER_PIN: Final = 1
STEER_UNPIN: Final = 2
STEER_HOLD: Final = 3
STEER_LIFT: Final = 4

ACTIVATION_BODY: Final = struct.Struct(">BB6xQ32s240s")
"""what is wanted (a STEER number), 1 by force, version and SHA-256 of the release to pin (0: not named so), the
operator's reason."""

LOAD_BODY: Final = struct.Struct(">BB6x")
"""1 at once, without a shadow; 1 although it was refused."""

READY_BODY: Final = struct.Struct(f">Q32sQ{NAME_CHARACTERS_MAX}s")
"""release version, release SHA-256, release number, release name; all zero but from the zygote."""

READY_PLAINLY: Final = bytes(READY_BODY.size)
"""The body of everybody's READY but the zygote's."""

USE_ZYGOTE_BODY: Final = struct.Struct(f">QQB7x{RULE_MAP_BYTES}s")
"""wall time in nanoseconds at which the release became active on this host, release number, and its conviction: 1 when
the whole release only observes, bit map of the rules that do."""

CONVICT_BODY: Final = struct.Struct(f">QB7x{RULE_MAP_BYTES}s")
"""release number, and its conviction as in USE_ZYGOTE."""

MODE_BODY: Final = struct.Struct(">B3x")
"""a `Mode`."""

OFFER_BODY: Final = struct.Struct(">QQ32sB7x")
"""release version, version of the metadata that signed it, SHA-256, flags (1 unproven, 2 made by a patch)."""

UPDATE_REPORT_BODY: Final = struct.Struct(">B7xQ256s")
"""an `UpdateOutcome`, when the first of the believed documents expires (Unix seconds), why (UTF-8)."""

RULES_BODY: Final = struct.Struct(">H2x")
"""how many rules."""

COUNTS_BODY: Final = struct.Struct(">25Q")
"""counters in the order of `GATE_COUNTERS`."""

SPOOL_COUNTS_BODY: Final = struct.Struct(">2Q")
"""bytes and records of the spool that wait for the server."""

BREAKER_BODY: Final = struct.Struct(">BxxxIQ")
"""what tripped (1 rule, 2 release), rule index, release number."""

FLAG_VOUCHED: Final = 1
"""The package manager's digest of the content is known: never blocked."""

FLAG_DIGEST: Final = 2
"""The SHA-256 field is the digest of the whole file."""

FLAG_DEEP: Final = 4
"""Containers were opened and every byte was read: the verdict is good for every purpose."""

FLAG_PARTIAL: Final = 8
"""Only windows of a large file were read."""

FLAG_KNOWN: Final = 16
"""The digest was in the table of known clean ones; no rule was run."""

PURPOSE_SYNCHRONOUS: Final = 1
PURPOSE_AHEAD: Final = 2
PURPOSE_SHADOW: Final = 3
"""Nobody waits, nothing is taken from the table of known digests, and the courier hears nothing of it."""

@dataclass(slots=True)
class GateCounters:
    """What a gate counts.  The order of the fields is the order in a COUNTS frame; `docs/metrics.md` explains each."""

    questions: int = 0
    questions_exec: int = 0
    cache_hits: int = 0
    scans: int = 0
    scans_known_hash: int = 0
    denied: int = 0
    allowed_unknown: int = 0
    deadline_passed: int = 0
    queue_full: int = 0
    scanner_restarts: int = 0
    ignore_marks: int = 0
    hot_marks: int = 0
    stale_looks: int = 0
    empty_files: int = 0
    not_regular: int = 0
    own_questions: int = 0
    closed_after_write: int = 0
    ahead_scans: int = 0
    ahead_dropped: int = 0
    ahead_queued: int = 0
    spared_vital: int = 0
    pairs_quarantined: int = 0
    sightings_queued: int = 0
    sightings_dropped: int = 0
    overflows: int = 0

    def values(self) -> tuple[int, ...]:
        """In the order of the frame."""
        return tuple(int(getattr(self, name)) for name in GATE_COUNTERS)


GATE_COUNTERS: Final = tuple(one.name for one in fields(GateCounters))
"""Names of the counters in a COUNTS frame, in order."""

MESSAGES: Final = (
    Message(SCAN, "scan", "gate", "scanner", SCAN_BODY.format, 1, "Scan the file behind the descriptor."),
    Message(VERDICT, "verdict", "scanner", "gate", VERDICT_BODY.format, 0, "What the scan decided."),
    Message(SPAWN, "spawn", "gate", "zygote", SPAWN_BODY.format, 1, "Fork a scanner on this socket."),
    Message(SPAWNED, "spawned", "zygote", "gate", SPAWNED_BODY.format, 0, "The scanner lives; pid 0: it failed."),
    Message(KILL, "kill", "gate", "zygote", KILL_BODY.format, 0, "Kill the scanner of this slot."),
    Message(ADOPT_GATE, "adopt_gate", "warden", "zygote", "", 1, "Serve the gate on this socket."),
    Message(USE_FINDINGS, "use_findings", "warden", "zygote", "", 1, "Scanners send findings on this socket."),
    Message(READY, "ready", "any process", "warden", READY_BODY.format, 0, "Sandboxed, proven and ready."),
    Message(ARM, "arm", "warden", "gate", "", 0, "Mark the protected places and answer the kernel."),
    Message(ARMED, "armed", "gate", "warden", "", 0, "The kernel's questions are being answered."),
    Message(USE_ZYGOTE, "use_zygote", "warden", "gate", USE_ZYGOTE_BODY.format, 2, "Take scanners from this zygote."),
    Message(SET_MODE, "set_mode", "warden", "gate", MODE_BODY.format, 0, "Observe or enforce."),
    Message(COUNT, "count", "warden", "gate", "", 0, "Send the counters."),
    Message(COUNTS, "counts", "gate", "warden", COUNTS_BODY.format, 0, "The counters."),
    Message(WATCH, "watch", "warden", "watchdog and standby gate", "", 2, "Watch this pidfd and this beat."),
    Message(BREAKER, "breaker", "gate", "warden", BREAKER_BODY.format, 0, "The breaker has tripped."),
    Message(RETIRE, "retire", "warden", "gate", "", 0, "Remove the marks, answer what is left, and end."),
    Message(FAILED, "failed", "any process", "warden", "variable", 0, "Cannot start: code and text for the operator."),
    Message(CONVICT, "convict", "warden", "gate", CONVICT_BODY.format, 0, "What the breaker has tripped stays so."),
    Message(COUNT_SPOOL, "count_spool", "warden", "courier", "", 0, "Say what waits in the spool."),
    Message(SPOOL_COUNTS, "spool_counts", "courier", "warden", SPOOL_COUNTS_BODY.format, 0, "What waits in the spool."),
    Message(SHADOW, "shadow", "warden", "gate", SHADOW_BODY.format, 3, "Compare a candidate with the active release."),
    Message(SHADOW_COUNTS, "shadow_counts", "gate", "warden", SHADOW_COUNTS_BODY.format, 0, "What was seen so far."),
    Message(END_SHADOW, "end_shadow", "warden", "gate", "", 0, "Stop comparing."),
    Message(
        SCANNER_ENDED, "scanner_ended", "zygote", "gate", SCANNER_ENDED_BODY.format, 0, "How it ended by itself."
    ),
    Message(40, "sighting", "gate", "courier", "variable", 0, "A detection or a skipped file (wire/detections.py)."),
    Message(41, "sighting_ack", "courier", "gate", ">QQ", 0, "Sightings up to that one are on disk."),
    Message(42, "findings", "scanner", "courier", "variable", 0, "Which rules and patterns matched."),
    Message(44, "status_report", "warden", "courier", "variable", 0, "The host's status."),
    Message(46, "sensor_event", "warden", "courier", "variable", 0, "Something happened to the sensor."),
    Message(48, "gate_socket", "warden", "courier", "variable", 1, "Serve the gate on this socket."),
    Message(50, "rule_table", "warden", "courier", "variable", 1, "Names and authors of the rules, by index."),
    Message(EXAMINE, "examine", "gate", "zygote", EXAMINE_BODY.format, 1, "Find the rule that hurt a scanner."),
    Message(EXAMINED, "examined", "zygote", "gate", EXAMINED_BODY.format, 0, "That is done; ask for the next."),
    Message(GUILT, "guilt", "zygote", "warden", RESULT_BODY.format, 0, "What was found out (wire/attribution.py)."),
    Message(
        RULES, "rules", "operator and warden", "warden and zygote", RULES_BODY.format, 0, "Tell what the rules cost."
    ),
    Message(
        RULES_ANSWER,
        "rules_answer",
        "warden and zygote",
        "operator and warden",
        "variable",
        0,
        "The dearest rules (wire/rule_costs.py).",
    ),
    Message(STATUS, "status", "operator", "warden", "", 0, "Tell the host's status."),
    Message(STATUS_ANSWER, "status_answer", "warden", "operator", "variable", 0, "The host's status."),
    Message(LOAD, "load", "operator", "warden", LOAD_BODY.format, 1, "Use the release in this sealed memory file."),
    Message(LOAD_ANSWER, "load_answer", "warden", "operator", "variable", 0, "Taken, or why not."),
    Message(MODE, "mode", "operator", "warden", MODE_BODY.format, 0, "Observe or enforce."),
    Message(MODE_ANSWER, "mode_answer", "warden", "operator", "variable", 0, "Done, or why not."),
    Message(FETCH, "fetch", "updater", "courier", "variable", 0, "Bring a file of the signed repository."),
    Message(FETCHED, "fetched", "courier", "updater", "variable", 0, "One piece of it; nothing here is believed."),
    Message(UPDATER_SOCKET, "updater_socket", "warden", "courier", "", 1, "Fetch for the updater on this socket."),
    Message(OFFER, "offer", "updater", "warden", OFFER_BODY.format, 1, "A verified release in a sealed memory file."),
    Message(UPDATE_REPORT, "update_report", "updater", "warden", UPDATE_REPORT_BODY.format, 0, "How the look ended."),
    Message(LOOK, "look", "operator", "warden", "", 0, "Look for an update now."),
    Message(LOOK_ANSWER, "look_answer", "warden", "operator", "variable", 0, "How that look ended."),
    Message(STOP, "stop", "operator", "warden", "", 0, "End the sensor with the host unblocked."),
    Message(ACTIVATION, "activation", "operator", "warden", ACTIVATION_BODY.format, 0, "Tell, pin, unpin, hold, lift."),
    Message(ACTIVATION_ANSWER, "activation_answer", "warden", "operator", "variable", 0, "The record, or why not."),
    Message(
        70, "demand_start", "scan command", "scan worker", "", 1, "Load the release in this file (wire/demand.py)."
    ),
    Message(71, "demand_ready", "scan worker", "scan command", "variable", 0, "Loaded and sandboxed."),
    Message(72, "demand_scan", "scan command", "scan worker", ">QQ", 1, "Scan the file behind the descriptor in full."),
    Message(
        73,
        "demand_result",
        "scan worker",
        "scan command",
        "variable",
        0,
        "What was found in it, with the rules' texts.",
    ),
    Message(74, "demand_failed", "scan worker", "scan command", "variable", 0, "Cannot start: code, text and way out."),
    Message(FAULT, "fault", "gate", "warden", FAULT_BODY.format, 0, "A scanner of the active release failed."),
    Message(DISCONNECT, "disconnect", "warden", "gate", "", 0, "No release is to run: have no scanners."),
    Message(REPLAY, "replay", "gate", "replayer", "variable", 0, "Open the file of this path."),
    Message(REPLAYED, "replayed", "replayer", "gate", "", 1, "It is open; without a descriptor: it is not."),
)
