"""The rule ledger on its way to the operator: what each of the dearest rules costs and finds, with its name.

Written by a zygote, passed on unread by the warden, read by `ringfence host rules`.  Rules as in `wire/detections.py`.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model.fault import RuleName
from ringfence.model.limits import (
    DISABLED_RULES_MAX,
    NAME_CHARACTERS_MAX,
    RULE_COST_ROWS_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
    RULES_MAX,
)
from ringfence.wire.fields import Reader, joined, require, require_count, require_range, string

_HEAD: Final = struct.Struct(">IHH")
_ROW: Final = struct.Struct(">IQQQII")


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What one rule costs and finds.  Times are processor time over sampled files, the rule alone."""

    rule: int
    matches: int
    sampled_ns: int
    worst_ns: int
    samples: int
    faults: int

    @property
    def mean_ns(self) -> int:
        """Of the samples; 0 where there are none."""
        return self.sampled_ns // self.samples if self.samples else 0


@dataclass(frozen=True, slots=True)
class RuleCosts:
    """The dearest rules, dearest first, and the rules that the host leaves out."""

    rules: int
    """How many the release has."""

    rows: tuple[tuple[RuleName, RuleCost], ...]
    left_out: tuple[RuleName, ...]


def encode_rule_costs(costs: RuleCosts) -> bytes:
    """The body of a `RULES_ANSWER` frame."""
    parts = [_HEAD.pack(costs.rules, len(costs.rows), len(costs.left_out))]
    for name, one in costs.rows:
        numbers = _ROW.pack(one.rule, one.matches, one.sampled_ns, one.worst_ns, one.samples, one.faults)
        parts += [numbers, *string(name.pack.encode()), *string(name.rule.encode())]
    for name in costs.left_out:
        parts += [*string(name.pack.encode()), *string(name.rule.encode())]
    return joined(parts)


def decode_rule_costs(body: bytes) -> RuleCosts:
    """The ledger in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    rules, rows, left_out = reader.take(_HEAD)
    require_range("rules", rules, RULES_MAX)
    require_count("rows", rows, RULE_COST_ROWS_MAX)
    require_count("rules that are left out", left_out, DISABLED_RULES_MAX)
    found = tuple(_row(reader) for _ in range(rows))
    gone = tuple(_name(reader) for _ in range(left_out))
    reader.end()
    return RuleCosts(rules, found, gone)


def _row(reader: Reader) -> tuple[RuleName, RuleCost]:
    cost = RuleCost(*reader.take(_ROW))
    return _name(reader), cost


def _name(reader: Reader) -> RuleName:
    pack, rule = reader.string(NAME_CHARACTERS_MAX), reader.string(RULE_IDENTIFIER_CHARACTERS_MAX)
    require(pack.isascii() and rule.isascii() and bool(pack) and bool(rule), f"{pack!r}:{rule!r} names no rule")
    return RuleName(pack.decode("ascii"), rule.decode("ascii"))
