"""Trying foreign rules out in a child process: does the engine take them, and what do they cost?

The engine may crash, hang or eat memory on foreign rules; so a child with limits does it, and a child that dies or is
late convicts the rules in hand.  Rules are tried many at a time; only a batch that costs too much, fails or kills the
child is cut in half until the guilty ones are found.

1. Each cluster is compiled in a namespace of its own.  Errors, slow patterns, and loops or conditions that the
   engine's compiler warns about (`REFUSED_WARNINGS`) are reasons to refuse.
2. The batch scans probes: zeros, one letter, random bytes and dense text, small and large, with the magic of its class
   in front so that conditions get as far as their patterns.  The bound is for one rule; a batch usually keeps it.
3. A rule that matches every probe matches everything, and is refused.
"""

import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import yara_x

from ringfence.author.asked_child import AskedChild
from ringfence.author.yara_source import first_line
from ringfence.detect.file_type import MAGICS, FileClass
from ringfence.model.limits import (
    RULE_PROBE_ADDRESS_SPACE_BYTES_MAX,
    RULE_PROBE_BATCH_MAX,
    RULE_PROBE_BYTES,
    RULE_PROBE_MS_MAX,
    RULE_PROBE_SMALL_BYTES,
    RULE_PROBE_TIMEOUT_S,
    RULE_PROBE_WAIT_S,
)
from ringfence.model.release import YARA_VARIABLES

REFUSED_WARNINGS: Final = frozenset(
    {"slow_pattern", "potentially_slow_loop", "too_many_iterations", "invariant_expr", "unsatisfiable_expr"}
)
"""Warnings of the compiler that mean: slow, always true or never true."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rules that belong together, as source with its imports."""

    source: str
    file_class: FileClass


@dataclass(frozen=True, slots=True)
class _BatchResult:
    """Reasons by index of the candidate, and whether the rest was too slow together."""

    reasons: dict[int, str]
    slow_ms: int


class Prober(AskedChild):
    """Holds the child.  Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def reasons(self, candidates: Sequence[Candidate], step: Callable[[int], None] = lambda _: None) -> list[str]:
        """Why each candidate is refused, or "".  `step` hears how many more are done."""
        found = [""] * len(candidates)
        for kind in FileClass:
            places = [place for place, one in enumerate(candidates) if one.file_class is kind]
            for start in range(0, len(places), RULE_PROBE_BATCH_MAX):
                batch = places[start : start + RULE_PROBE_BATCH_MAX]
                for place, reason in self._try(candidates, batch).items():
                    found[place] = reason
                step(len(batch))
        return found

    def _try(self, candidates: Sequence[Candidate], places: Sequence[int]) -> dict[int, str]:
        """The refused of `places`, found by halving."""
        if not places:
            return {}
        result = self._ask([candidates[place] for place in places])
        if isinstance(result, str):
            if len(places) == 1:
                return {places[0]: result}
            half = len(places) // 2
            return self._try(candidates, places[:half]) | self._try(candidates, places[half:])
        refused = {places[index]: reason for index, reason in result.reasons.items()}
        if not result.slow_ms:
            return refused
        rest = [place for place in places if place not in refused]
        if len(rest) <= 1:
            return refused | dict.fromkeys(rest, f"slow: {result.slow_ms} ms on one probe")
        half = len(rest) // 2
        return refused | self._try(candidates, rest[:half]) | self._try(candidates, rest[half:])

    def _ask(self, batch: Sequence[Candidate]) -> _BatchResult | str:
        """The child's answer, or why there is none."""
        try:
            question = [(one.source, one.file_class.value) for one in batch]
            reasons, slow_ms = self.exchange(question, RULE_PROBE_WAIT_S)
        except TimeoutError:
            return f"the engine did not finish within {RULE_PROBE_WAIT_S} s"
        except (EOFError, OSError):
            return "the engine died on it"
        return _BatchResult(reasons, slow_ms)


def _serve(pipe: Connection) -> None:
    """The child: answers batches until the parent goes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    room = (RULE_PROBE_ADDRESS_SPACE_BYTES_MAX, RULE_PROBE_ADDRESS_SPACE_BYTES_MAX)
    resource.setrlimit(resource.RLIMIT_AS, room)
    bodies = _bodies()
    while True:
        try:
            batch = pipe.recv()
        except EOFError:
            return
        pipe.send(_judge(batch, bodies))


def _judge(batch: Sequence[tuple[str, str]], bodies: Sequence[bytes]) -> tuple[dict[int, str], int]:
    """Reasons by index, and the milliseconds of the slowest probe if that is too many."""
    reasons: dict[int, str] = {}
    compiler = compiler_of_rules()
    for index, (source, _) in enumerate(batch):
        if reason := compile_reason(source):
            reasons[index] = reason
        else:
            compiler.new_namespace(f"n{index}")
            compiler.add_source(source)
    if len(reasons) == len(batch):
        return reasons, 0
    scanner = yara_x.Scanner(compiler.build())
    scanner.set_timeout(RULE_PROBE_TIMEOUT_S)
    kind = batch[0][1]
    magic = next((magic for magic, owner in MAGICS if owner == kind), b"")
    matched: Counter[int] = Counter()
    slowest_ms = 0
    for body in bodies:
        before = time.process_time()
        try:
            matching = scanner.scan(magic + body).matching_rules
        except yara_x.TimeoutError:
            return reasons, RULE_PROBE_TIMEOUT_S * 1000
        slowest_ms = max(slowest_ms, int((time.process_time() - before) * 1000))
        matched.update({int(rule.namespace[1:]) for rule in matching})
    if kind == FileClass.ANY:  # a rule for one class may well match whatever is broken after the magic
        reasons |= {index: "matches everything" for index, count in matched.items() if count == len(bodies)}
    return reasons, slowest_ms if slowest_ms > RULE_PROBE_MS_MAX else 0


def compile_reason(source: str) -> str:
    """Why the engine's compiler refuses `source` or warns about it, or ""."""
    compiler = compiler_of_rules()
    try:
        compiler.add_source(source)
        warnings = compiler.warnings()  # before build, which empties the compiler
        compiler.build()
    except yara_x.CompileError as error:
        return first_line(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException" and not isinstance(error, (ValueError, TypeError)):
            raise
        return f"the engine failed: {first_line(error)}"
    for warning in warnings:
        if _code(warning) in REFUSED_WARNINGS:
            return f"{_code(warning)}: {warning.get('title', '')}"[:200]
    return ""


def _code(warning: dict[str, Any]) -> str:
    return str(warning.get("code", ""))


def compiler_of_rules() -> yara_x.Compiler:
    """A compiler with everything that a rule may refer to."""
    compiler = yara_x.Compiler(includes_enabled=False)
    for variable in sorted(YARA_VARIABLES):
        compiler.define_global(variable, "")
    return compiler


def _bodies() -> list[bytes]:
    chance = random.Random(1)  # noqa: S311 - the same probes each time
    words = [b"eval(", b"http://", b"/bin/sh ", b"<?php ", b"x=x", b"MZ", b"function ", b"\r\n", b"AAAA", b"0x41,"]
    dense = b"".join(chance.choice(words) for _ in range(RULE_PROBE_BYTES // 8))
    whole = [bytes(RULE_PROBE_BYTES), b"a" * RULE_PROBE_BYTES, chance.randbytes(RULE_PROBE_BYTES), dense]
    return [body[:RULE_PROBE_SMALL_BYTES] for body in whole] + [body[:RULE_PROBE_BYTES] for body in whole]
