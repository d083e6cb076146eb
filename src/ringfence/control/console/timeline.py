"""Words about one alert: why it was blocked or spared, and what people did with it, in one line of time.  Pure."""

from dataclasses import dataclass
from typing import Final

from ringfence.control.views import AlertDetail
from ringfence.model.records import Alert, AlertResponse, RuleAction

_REASONS: Final = {
    AlertResponse.BLOCKED: "The host enforces and the rule's action is block, so the kernel was told to refuse.",
    AlertResponse.SPARED_VITAL: (
        "The file is vital to the machine or vouched for by the package manager. Content never blocks such a file, "
        "because a bad detection must not stop the machine."
    ),
    AlertResponse.SPARED_BREAKER: (
        "The breaker had set this rule or its release to observe after a burst of blocks, so the request went on."
    ),
    AlertResponse.FOUND_AT_REST: (
        "Nobody was waiting for the file when it was scanned. The next open is answered from the cached verdict."
    ),
}


def response_reason(alert: Alert) -> str:
    """Why the host did what it did."""
    if alert.response is not AlertResponse.OBSERVED:
        return _REASONS[alert.response]
    if all(rule.action is RuleAction.ALERT for rule in alert.rules):
        return "No rule that matched has the action block, so the request went on and only this alert was raised."
    return "The host was in observe mode, so the request went on and only this alert was raised."


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a person did with an alert.  `note` is what they wrote, "" for nothing."""

    at_unix_ms: int
    who: str
    deed: str
    note: str


_DEEDS: Final = {
    "user:alert:assigned": "assigned it",
    "user:alert:noted": "wrote a note",
    "user:alert:resolved": "resolved it",
    "user:alert:false_positive": "marked it as a false positive",
    "user:alert:reopened": "reopened it",
}


def timeline_of(detail: AlertDetail) -> tuple[Step, ...]:
    """The audit log of this alert with the notes in their places, newest first."""
    notes = {f"note {note.note_id}": note.text for note in detail.notes}
    steps = []
    for entry in detail.history:
        deed = _DEEDS.get(entry.action, entry.action)
        if entry.action == "user:alert:assigned":
            deed = f"assigned it {entry.detail}"
        steps.append(Step(entry.at_unix_ms, entry.actor.partition(":")[2], deed, notes.get(entry.detail, "")))
    return tuple(steps)
