"""One field's witnesses, all looked for at once.

Each witness has a mask: the bits of the clauses that it answers for.  `mask_of` gives the union of the masks of the
witnesses that are in a value: whole values by one look-up, `/name` at the end by another, the rest by one walk of an
Aho-Corasick automaton over the value.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import ahocorasick

from ringfence.detect.sigma.witness import Witness
from ringfence.model.detection import Operator

SEPARATORS = frozenset("/\\")


@dataclass(slots=True)
class _Places:
    """The masks of one text, by where it must stand."""

    contains: int = 0
    starts: int = 0
    ends: int = 0


class FieldIndex:
    """The witnesses of one field with their masks."""

    __slots__ = ("_last_names", "_scan", "_whole")

    def __init__(self, masks: Mapping[Witness, int]) -> None:
        self._whole: dict[str, int] = {}
        self._last_names: dict[str, int] = {}
        texts: dict[str, _Places] = {}
        for witness, mask in masks.items():
            text = witness.text
            if witness.operator is Operator.EQUALS:
                self._whole[text] = self._whole.get(text, 0) | mask
            elif witness.operator is Operator.ENDS and text[0] in SEPARATORS and SEPARATORS.isdisjoint(text[1:]):
                self._last_names[text[1:]] = self._last_names.get(text[1:], 0) | mask
            else:
                places = texts.setdefault(text, _Places())
                setattr(places, _PLACES[witness.operator], getattr(places, _PLACES[witness.operator]) | mask)
        self._scan = _automaton(texts) if texts else None

    def mask_of(self, value: str) -> int:
        """The union of the masks of the witnesses in the folded `value`."""
        mask = self._whole.get(value, 0)
        if self._last_names:
            # the LAST separator of either kind: somebody may name a directory `x\\y`
            cut = max(value.rfind("/"), value.rfind("\\"))
            if cut >= 0:
                mask |= self._last_names.get(value[cut + 1 :], 0)
        if self._scan is not None:
            last = len(value) - 1
            for end, (size, contains, starts, ends) in self._scan.iter(value):
                mask |= contains
                if ends and end == last:
                    mask |= ends
                if starts and end == size - 1:
                    mask |= starts
        return mask


_PLACES = {Operator.CONTAINS: "contains", Operator.STARTS: "starts", Operator.ENDS: "ends"}


def _automaton(texts: Mapping[str, _Places]) -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    for text, places in texts.items():
        automaton.add_word(text, (len(text), places.contains, places.starts, places.ends))
    automaton.make_automaton()
    return automaton
