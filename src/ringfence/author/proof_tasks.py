"""What a prover asks of its workers and what they answer: canonical JSON, read strictly on both sides.

A worker runs hostile rules.  Its answer is bounded and every field is checked; an answer that does not fit its task
convicts the rules in hand, like a death.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from ringfence.author.sigma_recorded import Replayed, RuleTally
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import (
    DETECTION_RULES_MAX,
    FINDING_RULES_MAX,
    JSON_INTEGER_MAX,
    NAME_CHARACTERS_MAX,
    PROOF_BATCH_FILES_MAX,
    PROOF_FINDINGS_MAX,
    PROOF_RESULT_BYTES_MAX,
    PROOF_TEXT_CHARACTERS_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
    RULES_MAX,
)
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue, is_unwelcome

ANSWER: Final = "a worker's answer"
CODE: Final = re.compile(r"(?:[a-z]+/[a-z0-9]+(?:-[a-z0-9]+)*)?")


@unique
class TaskKind(StrEnum):
    """What a worker can do."""

    LOAD = "load"
    ALONE = "alone"
    WHOLE = "whole"
    AGREE = "agree"
    SCAN = "scan"
    EVENTS = "events"
    """Rules over events: those named alone, or all together where none is named."""

    RECORDED = "recorded"
    """Rules over events, all on recorded ones; `sizes` has the size of their lines."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work.  `rules`: those that it is about; for a scan, none means all.  `sizes`: of its files."""

    kind: TaskKind
    rules: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reason to refuse, as a worker found it.  `file` and `line` are the release's; "" and 0 where it knows none."""

    code: str
    rule: str
    text: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """The answer to LOAD."""

    compile_cpu_ms: int
    resident_bytes: int
    scanners: int
    self_tests: int
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class ProbeCost:
    """What a rule or the release took on its most expensive probe."""

    name: str
    """Of the rule, or of the probe where the whole release was tried."""

    probe: str
    cpu_us: int
    found: tuple[int, ...]
    """Rules that hit, by their place in the manifest; only where the whole release was tried."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The answer to ALONE, WHOLE and EVENTS."""

    costs: tuple[ProbeCost, ...]
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What hits one rule's own sample on the host's path, and whether the plain engine says the same."""

    rule: str
    found: tuple[int, ...]
    plain_differs: str
    """The first rule about which they differ, or ""."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """The answer to AGREE."""

    rules: tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class ScannedFiles:
    """The answer to SCAN."""

    cpu_us: int
    size_bytes: int
    slowest_file: int
    slowest_us: int
    hits: tuple[int, ...]
    """Pairs: place of the file in the task, place of the rule in the manifest."""

    incomplete: tuple[int, ...]
    """Files on which the engine failed or timed out."""

    unopened: int
    """Files of which a part could not be opened, as on a host."""

    crowded: bool
    """A file hit so many rules, or one so bad, that others may have gone unseen."""


Answer = Loaded | Tried | Agreed | ScannedFiles | Replayed

_TASK: Final = frozenset({"kind", "rules", "sizes"})
_TROUBLE: Final = frozenset({"code", "rule", "text", "file", "line"})
_LOADED: Final = frozenset("compile_cpu_ms resident_bytes scanners self_tests troubles".split())
_TRIED: Final = frozenset({"costs", "troubles"})
_COST: Final = frozenset({"name", "probe", "cpu_us", "found"})
_AGREED: Final = frozenset({"rules"})
_AGREEMENT: Final = frozenset({"rule", "found", "plain_differs"})
_SCANNED: Final = frozenset("cpu_us size_bytes slowest_file slowest_us hits incomplete unopened crowded".split())
_REPLAYED: Final = frozenset("events cost_us differing rules".split())
_TALLY: Final = frozenset("rule matches first_event cost_us".split())
_HITS_MAX: Final = 2 * PROOF_BATCH_FILES_MAX * FINDING_RULES_MAX


def encode_task(task: Task) -> bytes:
    """The bytes of `task`."""
    return canonical.encode({"kind": task.kind, "rules": list(task.rules), "sizes": list(task.sizes)})


def decode_task(data: bytes) -> Task:
    """Read a task.  Raises ContentRefused."""
    top = Fields(canonical.decode(data, file="a task", bytes_max=PROOF_RESULT_BYTES_MAX), _TASK, file="a task")
    rules = top.items("rules", RULES_MAX)
    return Task(
        top.choice("kind", TaskKind),
        tuple(str(rule) for rule in rules),
        _numbers(top, "sizes", PROOF_BATCH_FILES_MAX),
    )


def encode_answer(answer: Answer) -> bytes:
    """The bytes of an answer; texts are cut and cleaned, so that a hostile rule's text cannot spoil it."""
    match answer:
        case Loaded():
            names = _LOADED - {"troubles"}
            return canonical.encode(_row(answer, names) | {"troubles": _troubles(answer.troubles)})
        case Tried():
            costs: list[JsonValue] = [
                {"name": cost.name, "probe": cost.probe, "cpu_us": cost.cpu_us, "found": list(cost.found)}
                for cost in answer.costs
            ]
            return canonical.encode({"costs": costs, "troubles": _troubles(answer.troubles)})
        case Agreed():
            rows: list[JsonValue] = [
                {"rule": one.rule, "found": list(one.found), "plain_differs": one.plain_differs} for one in answer.rules
            ]
            return canonical.encode({"rules": rows})
        case ScannedFiles():
            lists = {"hits": list(answer.hits), "incomplete": list(answer.incomplete)}
            return canonical.encode(_row(answer, _SCANNED - lists.keys()) | lists)
        case Replayed():
            tallies: list[JsonValue] = [_row(one, _TALLY) for one in answer.rules]
            facts: dict[str, JsonValue] = {"events": answer.events, "cost_us": answer.cost_us, "rules": tallies}
            return canonical.encode(facts | {"differing": list(answer.differing)})


def decode_answer(kind: TaskKind, data: bytes) -> Answer:
    """Read the answer to a task of `kind`.  Raises ContentRefused for anything that is off."""
    value = canonical.decode(data, file=ANSWER, bytes_max=PROOF_RESULT_BYTES_MAX)
    match kind:
        case TaskKind.LOAD:
            return _loaded(Fields(value, _LOADED, file=ANSWER))
        case TaskKind.ALONE | TaskKind.WHOLE | TaskKind.EVENTS:
            top = Fields(value, _TRIED, file=ANSWER)
            return Tried(tuple(_cost(row) for row in top.rows("costs", RULES_MAX, _COST)), _read_troubles(top))
        case TaskKind.AGREE:
            return Agreed(
                tuple(
                    Agreement(
                        row.text("rule", RULE_IDENTIFIER_CHARACTERS_MAX),
                        _numbers(row, "found", FINDING_RULES_MAX),
                        row.text("plain_differs", RULE_IDENTIFIER_CHARACTERS_MAX),
                    )
                    for row in Fields(value, _AGREED, file=ANSWER).rows("rules", RULES_MAX, _AGREEMENT)
                )
            )
        case TaskKind.SCAN:
            return _scanned(Fields(value, _SCANNED, file=ANSWER))
        case TaskKind.RECORDED:
            return _replayed(Fields(value, _REPLAYED, file=ANSWER))


def cleaned(text: str, characters_max: int = PROOF_TEXT_CHARACTERS_MAX) -> str:
    """`text` as one bounded line: what a rule or a path can put into a message never reaches a terminal as it is."""
    line = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    if not is_unwelcome(line):
        return line
    shown = "".join(one if not is_unwelcome(one) else one.encode("unicode_escape").decode() for one in line)
    return shown if len(shown) <= characters_max else shown[: characters_max - 1] + "…"


def _row(value: object, names: frozenset[str]) -> dict[str, JsonValue]:
    return {name: getattr(value, name) for name in names}


def _troubles(troubles: Sequence[Trouble]) -> list[dict[str, JsonValue]]:
    return [
        {
            "code": one.code,
            "rule": cleaned(one.rule, RULE_IDENTIFIER_CHARACTERS_MAX),
            "text": cleaned(one.text),
            "file": cleaned(one.file),
            "line": one.line,
        }
        for one in troubles[:PROOF_FINDINGS_MAX]
    ]


def _read_troubles(top: Fields) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            row.word("code", CODE),
            row.text("rule", RULE_IDENTIFIER_CHARACTERS_MAX),
            row.text("text", PROOF_TEXT_CHARACTERS_MAX),
            row.text("file", PROOF_TEXT_CHARACTERS_MAX),
            _count(row, "line"),
        )
        for row in top.rows("troubles", PROOF_FINDINGS_MAX, _TROUBLE)
    )


def _loaded(top: Fields) -> Loaded:
    return Loaded(
        compile_cpu_ms=_count(top, "compile_cpu_ms"),
        resident_bytes=_count(top, "resident_bytes"),
        scanners=_count(top, "scanners"),
        self_tests=_count(top, "self_tests"),
        troubles=_read_troubles(top),
    )


def _cost(row: Fields) -> ProbeCost:
    return ProbeCost(
        row.text("name", RULE_IDENTIFIER_CHARACTERS_MAX),
        row.text("probe", NAME_CHARACTERS_MAX),
        _count(row, "cpu_us"),
        _numbers(row, "found", FINDING_RULES_MAX),
    )


def _scanned(top: Fields) -> ScannedFiles:
    hits = _numbers(top, "hits", _HITS_MAX)
    if len(hits) % 2:
        raise ContentRefused("a file without a rule", canonical.WAY_OUT, file=ANSWER, position="/hits")
    return ScannedFiles(
        cpu_us=_count(top, "cpu_us"),
        size_bytes=_count(top, "size_bytes"),
        slowest_file=_count(top, "slowest_file"),
        slowest_us=_count(top, "slowest_us"),
        hits=hits,
        incomplete=_numbers(top, "incomplete", PROOF_BATCH_FILES_MAX),
        unopened=_count(top, "unopened"),
        crowded=top.flag("crowded"),
    )


def _replayed(top: Fields) -> Replayed:
    return Replayed(
        events=_count(top, "events"),
        cost_us=_count(top, "cost_us"),
        differing=_numbers(top, "differing", DETECTION_RULES_MAX),
        rules=tuple(
            RuleTally(_count(row, "rule"), _count(row, "matches"), _count(row, "first_event"), _count(row, "cost_us"))
            for row in top.rows("rules", DETECTION_RULES_MAX, _TALLY)
        ),
    )


def _count(row: Fields, name: str) -> int:
    return row.integer(name, 0, JSON_INTEGER_MAX)


def _numbers(row: Fields, name: str, count_max: int) -> tuple[int, ...]:
    """A list of counts."""
    values = row.items(name, count_max)
    if any(isinstance(value, bool) or not isinstance(value, int) or value < 0 for value in values):
        row.refuse(name, "must be a list of numbers from 0")
    return tuple(value for value in values if isinstance(value, int))
