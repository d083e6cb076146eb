"""What the warden tells others: its parent (`ringfence up` or the service manager's log) and the courier.

Nothing here waits: a reader that does not read misses words, never time.
"""

import os
import time

from ringfence.decide.activation_messages import Report, ReportKind
from ringfence.decide.warden_messages import Kind, Note, NoteKind
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.child import reported
from ringfence.host.children import Child, Children
from ringfence.model import limits
from ringfence.model.errors import RingfenceError
from ringfence.model.fault import FaultKind, Finding
from ringfence.model.limits import FAILURE_BYTES_MAX
from ringfence.model.records import HostEventKind
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue
from ringfence.wire.attribution import Examined
from ringfence.wire.detections import SENSOR_EVENT
from ringfence.wire.sensor_reports import SensorEvent, encode_sensor_event

EVENT_KINDS = {
    NoteKind.PROTECTED: HostEventKind.STARTED,
    NoteKind.GATE_REPLACED: HostEventKind.GATE_REPLACED,
    NoteKind.DEGRADED: HostEventKind.MODE_CHANGED,
    NoteKind.RELEASE_ACTIVATED: HostEventKind.RELEASE_ACTIVATED,
    NoteKind.RELEASE_CONVICTED: HostEventKind.BREAKER_RELEASE,
    NoteKind.RULE_CONVICTED: HostEventKind.BREAKER_RULE,
    NoteKind.MODE_CHANGED: HostEventKind.MODE_CHANGED,
    NoteKind.STOPPED: HostEventKind.STOPPED,
}

_ACTIVATION_KINDS = {
    ReportKind.TRYING: HostEventKind.RELEASE_TRIED,
    ReportKind.SHADOWING: HostEventKind.RELEASE_TRIED,
    ReportKind.WITHDRAWN: HostEventKind.RELEASE_TRIED,
    ReportKind.DECLINED: HostEventKind.RELEASE_TRIED,
    ReportKind.REFUSED: HostEventKind.RELEASE_REFUSED,
    ReportKind.DIED: HostEventKind.RELEASE_REFUSED,
    ReportKind.LOST: HostEventKind.RELEASE_REFUSED,
    ReportKind.NOT_KEPT: HostEventKind.RELEASE_REFUSED,
}
"""The others are about what runs: RELEASE_ACTIVATED."""

_UNEXPLAINED = (
    "content-refused\nthe process that compiled the release was killed or was not ready in time ({how})\n"
    "give the host another release; it goes on with the one before"
)
"""The refusal of a release whose zygote left no words."""


_DID = {
    FaultKind.HUNG: "hung",
    FaultKind.DIED: "died",
    FaultKind.GREW: "grew",
    FaultKind.SLOW: "took more than its budget",
    None: "was lost",
}


def _log_descriptor() -> int:
    """Standard error, opened anew so that only our writes do not wait; -1 where that is impossible."""
    try:
        return os.open("/proc/self/fd/2", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1


class Notes:
    """Turns notes into events for the courier and frames for the parent."""

    def __init__(self, parent: Channel, children: Children) -> None:
        self._parent = parent
        self._children = children
        self._stderr = _log_descriptor()
        self.last_refusal = ""
        self.status_wanted = True

    def take(self, note: Note) -> None:
        """One note of the machine."""
        self.status_wanted = True
        if note.kind in (NoteKind.PROCESS_DIED, NoteKind.TRIAL_READY):
            return  # told by `died`, which knows how; and by the report of the trial
        if note.kind is NoteKind.PROTECTED:
            self._say_parent(catalogue.READY, catalogue.READY_PLAINLY)
        subject = f"rule {note.number}" if note.kind is NoteKind.RULE_CONVICTED else note.kind
        self.event(EVENT_KINDS[note.kind], subject, self._detail(note))

    def _detail(self, note: Note) -> str:
        """One sentence for a person."""
        match note.kind:
            case NoteKind.PROTECTED:
                return "the kernel's questions are being answered"
            case NoteKind.GATE_REPLACED:
                return "the standby gate has taken over"
            case NoteKind.DEGRADED:
                return "the gate died again and again: the host observes only"
            case NoteKind.RELEASE_CONVICTED:
                return (
                    f"release {self._digest(note.number)} condemned vital files, or too many that were here before it: "
                    "it only observes, until `ringfence host load` brings another one or "
                    "`ringfence host mode enforce` is said"
                )
            case NoteKind.RULE_CONVICTED:
                return "it condemned too much: it only observes now"
            case NoteKind.MODE_CHANGED:
                return f"mode {Mode(note.number).name.lower()}"
            case NoteKind.RELEASE_ACTIVATED:
                return f"release {self._digest(note.number)} is active"
            case _:
                return ""

    def died(self, child: Child, status: int) -> None:
        """A child is gone: `status` as `Popen.returncode`."""
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if child.kind is Kind.ZYGOTE:
            self.last_refusal = child.failure or _UNEXPLAINED.format(how=how)
        words = child.failure.replace("\n", ": ")
        self.event(HostEventKind.PROCESS_DIED, child.kind, f"pid {child.pid}, {how}{': ' + words if words else ''}")

    def examined(self, release: str, found: Examined) -> None:
        """A fault of a scanner was examined."""
        attribution = found.attribution
        path = found.path.decode("utf-8", "backslashreplace")
        what = f"{path} ({found.size_bytes} bytes, SHA-256 {found.sha256.hex()[:16]}), release {release[:16]}"
        how = _DID[attribution.kind]
        trials = f"{attribution.trials} trials"
        match attribution.finding:
            case Finding.RULES:
                for rule in attribution.rules:
                    detail = f"{how} on {what}: it is left out on this host; found in {trials}"
                    self.event(HostEventKind.RULE_DISABLED, f"rule {rule}", detail)
                return
            case Finding.TOO_MANY:
                names = ", ".join(map(str, attribution.rules))
                said = f"{names} and more rules {how} on {what}: that is no matter of single rules"
            case Finding.NOT_REPRODUCED:
                said = f"a scanner was lost on {what}; it did not happen again in {trials}: not reproducible"
            case Finding.NO_RULE:
                said = f"a scanner {how} on {what} without any rule as well"
            case _:
                said = f"a scanner was lost on {what}; no rule was found guilty in {trials}"
        self.event(HostEventKind.FAULT_EXAMINED, attribution.finding.name.lower(), said)

    def activation(self, report: Report) -> None:
        """What the activation machine reports."""
        self.status_wanted = True
        subject = "no release" if report.release is None else f"release {report.release.label}"
        words = [str(report.kind), *([] if report.reason is None else [str(report.reason)]), report.text]
        detail = ": ".join(word for word in words if word)
        self.event(_ACTIVATION_KINDS.get(report.kind, HostEventKind.RELEASE_ACTIVATED), subject, detail)

    def reduced(self) -> None:
        """Nothing runs: that is no failure to start, and whoever waits for us need not wait longer."""
        self._say_parent(catalogue.READY, catalogue.READY_PLAINLY)

    def refusal(self) -> RingfenceError:
        """Why the zygote that died last has refused its release."""
        return reported(self.last_refusal.encode())

    def failed(self, failure: str) -> None:
        """The sensor cannot start."""
        self._say_parent(catalogue.FAILED, failure.encode("utf-8", "backslashreplace")[:FAILURE_BYTES_MAX])

    def event(self, kind: HostEventKind, subject: str, detail: str) -> None:
        """Something happened to the sensor."""
        event = SensorEvent(
            at_unix_ms=time.time_ns() // 1_000_000,
            kind=kind,
            subject=subject.encode()[: limits.EVENT_SUBJECT_BYTES_MAX],
            detail=detail.encode()[: limits.EVENT_DETAIL_BYTES_MAX],
        )
        self._log(f"ringfence: {kind} {subject}: {detail}\n")
        for courier in self._children.of(Kind.COURIER):
            self._children.tell(courier, SENSOR_EVENT, encode_sensor_event(event))

    def _log(self, line: str) -> None:
        """To standard error, without ever waiting for whoever reads it."""
        if self._stderr >= 0:
            try:
                os.write(self._stderr, line.encode("utf-8", "backslashreplace"))
            except OSError:
                pass

    def _digest(self, number: int) -> str:
        content = self._children.contents.get(number)
        return content.sha256[:16] if content else "?"

    def _say_parent(self, frame_type: int, body: bytes) -> None:
        try:
            self._parent.try_send(frame_type, body)
        except (ChannelClosed, OSError):
            pass
