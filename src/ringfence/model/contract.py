"""The contract between content and sensor: what a sensor build really supplies, and what a rule needs.

Channel File 291 declared 21 inputs where the sensor supplied 20, and the validator looked at the declaration.  Here a
`SensorContract` is made from the code that supplies the inputs, and the needs of a release are read from its rules, not
from what it says of itself.  `trust/eligibility.py` holds one against the other.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

CONTRACT_FORMAT: Final = 1
"""The one format of a sensor's contract that this version reads and writes."""


@unique
class FieldKind(StrEnum):
    """What the value of an event's field is.  Every kind can be read as text; only its own kind as anything else."""

    TEXT = "text"
    INTEGER = "integer"
    FLAG = "flag"
    ADDRESS = "address"

    def serves(self, needed: "FieldKind") -> bool:
        """Whether a field of this kind is enough for a rule that needs `needed`."""
        return needed in (self, FieldKind.TEXT)


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of an event type."""

    name: str
    kind: FieldKind


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event with its fields, in the order of their names."""

    name: str
    fields: tuple[EventField, ...]

    @property
    def arity(self) -> int:
        """How many fields an event of this type has."""
        return len(self.fields)


@dataclass(frozen=True, slots=True)
class SensorContract:
    """What one sensor build supplies.  Every list is in order and without repetition."""

    build: str
    """Version of Ringfence, `+`, and the beginning of the digest of all the rest."""

    engine: str
    engine_version: str
    release_format: int
    detection_format: int
    """Format of event rules that the build reads; 0 where it has no detector."""

    yara_modules: tuple[str, ...]
    yara_variables: tuple[str, ...]
    """External variables that the build gives a value.  One that is only defined is not supplied."""

    file_classes: tuple[str, ...]
    events: tuple[EventType, ...]
    limits: tuple[tuple[str, int], ...]
    """Bounds of the loader by name."""


@unique
class InputKind(StrEnum):
    """What a need is a need of."""

    RELEASE_FORMAT = "release format"
    DETECTION_FORMAT = "detection format"
    LIMIT = "limit"
    FILE_CLASS = "file class"
    YARA_MODULE = "module"
    YARA_VARIABLE = "variable"
    EVENT_TYPE = "event type"
    EVENT_FIELD = "field"


@dataclass(frozen=True, slots=True)
class Need:
    """One input that one rule (or, where `rule` is "", the release as a whole) needs."""

    rule: str
    kind: InputKind
    name: str
    """`pe`, `filename`, `process_creation`, `process_creation.Image`, `RULES_MAX`, ..."""

    field_kind: FieldKind = FieldKind.TEXT
    """For a field: how the rule reads it."""

    amount: int = 0
    """For a format its number, for a limit how much the release needs."""


@dataclass(frozen=True, slots=True)
class EventNeed:
    """A field of an event type that the rules of a release read, as its manifest declares it."""

    type: str
    field: str
    kind: FieldKind
