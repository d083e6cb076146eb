"""Whether a release asks for more than sensors supply: its needs against the contract of each build.

The same code runs at lint, before publishing and in the host's loader.  It looks at what the rules read
(`detect/needs.py`), never at what a definition says they may: that difference was Channel File 291.

1. Every contract must supply every need: one input more than any build of the fleet supplies refuses the release.
2. A wildcard is a need like any other.  A rule that names an input without looking at its value needs it all the same.
3. A format must be the very one; a limit must be at least what the release needs; a limit that a build does not name
   is not enough for anything.
4. Without a contract nothing is eligible.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.model.contract import FieldKind, InputKind, Need, SensorContract
from ringfence.model.errors import ContentRefused

WAY_OUT: Final = "take the input out of the rule, or wait until every sensor of the fleet is a build that supplies it"

SHORTAGES_TOLD: Final = 4
"""Shortages that one error names; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A need that some builds do not supply."""

    need: Need
    builds: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is needed, and which builds do not supply it."""
        return f"needs {need_text(self.need)}, which is not supplied by {', '.join(self.builds)}"


def shortages(needs: Iterable[Need], contracts: Sequence[SensorContract]) -> tuple[Shortage, ...]:
    """The needs that not every contract supplies, each once, in their order."""
    if not contracts:
        raise ContentRefused("there is no contract of a sensor to hold the release against", "name at least one")
    supplies = [_Supply(contract) for contract in contracts]
    return tuple(
        Shortage(need, lacking)
        for need in dict.fromkeys(needs)
        if (lacking := tuple(sorted(supply.build for supply in supplies if not supply.has(need))))
    )


def check_eligible(needs: Iterable[Need], contracts: Sequence[SensorContract]) -> None:
    """Raises ContentRefused unless every contract supplies all `needs`; names rules, inputs and builds."""
    found = shortages(needs, contracts)
    if not found:
        return
    told = [f"rule {one.need.rule} {one.text}" if one.need.rule else f"it {one.text}" for one in found[:SHORTAGES_TOLD]]
    rest = f", and {len(found) - SHORTAGES_TOLD} more" if len(found) > SHORTAGES_TOLD else ""
    raise ContentRefused(f"asks for more than sensors supply: {'; '.join(told)}{rest}", WAY_OUT)


def need_text(need: Need) -> str:
    """A need for people."""
    if need.kind is InputKind.EVENT_FIELD:
        how = "" if need.field_kind is FieldKind.TEXT else f" as {need.field_kind}"
        return f"the field {need.name}{how}"
    if need.kind is InputKind.LIMIT:
        return f"{need.amount} of {need.name}"
    if need.kind in (InputKind.RELEASE_FORMAT, InputKind.DETECTION_FORMAT):
        return f"the {need.kind} {need.amount}"
    return f"the {need.kind} {need.name}"


class _Supply:
    """One contract, ready for many questions."""

    def __init__(self, contract: SensorContract) -> None:
        self.build = contract.build
        self._contract = contract
        self._words = {
            InputKind.FILE_CLASS: frozenset(contract.file_classes),
            InputKind.YARA_MODULE: frozenset(contract.yara_modules),
            InputKind.YARA_VARIABLE: frozenset(contract.yara_variables),
            InputKind.EVENT_TYPE: frozenset(event.name for event in contract.events),
        }
        self._fields = {f"{event.name}.{field.name}": field.kind for event in contract.events for field in event.fields}
        self._limits = dict(contract.limits)

    def has(self, need: Need) -> bool:
        """Whether the build supplies `need`."""
        match need.kind:
            case InputKind.EVENT_FIELD:
                kind = self._fields.get(need.name)
                return kind is not None and kind.serves(need.field_kind)
            case InputKind.LIMIT:
                return self._limits.get(need.name, -1) >= need.amount
            case InputKind.RELEASE_FORMAT:
                return self._contract.release_format == need.amount
            case InputKind.DETECTION_FORMAT:
                return self._contract.detection_format == need.amount
            case _:
                return need.name in self._words[need.kind]
