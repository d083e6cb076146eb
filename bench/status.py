"""What the bench takes from `ringfence host status --json`: questions, the gate's CPU time, the host's processes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

QUESTIONS: Final = "questions"
GATE: Final = "gate"


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """One look at a running host.  `questions` is what the gate has answered since its start."""

    questions: int
    gate_cpu_ns: int
    pids: tuple[int, ...]
    counters: dict[str, int]


def snapshot_of(text: bytes, cpu_ns: Callable[[list[int]], int]) -> HostSnapshot | None:
    """Decode the command's output; None when it is not what it should be."""
    try:
        status = json.loads(text)
        counters = _counters(status.get("counters", {}))
        members = [(str(entry["role"]), int(entry["pid"])) for entry in status["processes"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    gates = [pid for role, pid in members if role == GATE and pid > 0]
    questions = counters.get(QUESTIONS, 0)
    return HostSnapshot(questions, cpu_ns(gates), tuple(pid for _, pid in members if pid > 0), counters)


def _counters(entries: object) -> dict[str, int]:
    """Counters as a mapping, whether they come as an object or as a list of names and values."""
    if isinstance(entries, dict):
        return {str(name): int(value) for name, value in entries.items()}
    if isinstance(entries, list):
        return {str(entry["name"]): int(entry["value"]) for entry in entries}
    raise ValueError("counters are neither an object nor a list")


def cpu_us_per_question(before: HostSnapshot, after: HostSnapshot) -> float | None:
    """CPU time of the gate for one question between two looks, in µs; None without questions."""
    asked = after.questions - before.questions
    spent_ns = after.gate_cpu_ns - before.gate_cpu_ns  # negative when the gate was replaced in between
    return spent_ns / asked / 1e3 if asked > 0 and spent_ns >= 0 else None
