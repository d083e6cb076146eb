"""Contracts of sensor builds for tests."""

from dataclasses import replace

from ringfence.model.contract import EventField, EventType, FieldKind, SensorContract
from ringfence.model.release import FILE_CLASSES, YARA_MODULES
from ringfence.wire.contract import named

LARGE = 1 << 40
"""A bound that no release of a test meets."""


def process_creation(*more: str) -> EventType:
    """The event type of the tests, with `more` fields of text."""
    kinds = {"CommandLine": FieldKind.TEXT, "DestinationIp": FieldKind.ADDRESS, "Image": FieldKind.TEXT}
    kinds |= {"LogonId": FieldKind.INTEGER} | dict.fromkeys(more, FieldKind.TEXT)
    return EventType("process_creation", tuple(EventField(name, kinds[name]) for name in sorted(kinds)))


def sensor(version: str = "1.0.0", *, events: tuple[EventType, ...] | None = None) -> SensorContract:
    """A build that supplies everything that exists."""
    limits = (
        "DETECTION_PACKS_MAX DETECTION_PACK_BYTES_MAX MANIFEST_BYTES_MAX PACKS_MAX PACK_SOURCE_BYTES_MAX"
        " RELEASE_COMPILE_BYTES_MAX RELEASE_COMPILE_CPU_MS_MAX RELEASE_SCAN_US_PER_MIB_MAX RULES_MAX SAMPLE_BYTES_MAX"
        " SELF_TESTS_MAX"
    )
    return named(
        version,
        SensorContract(
            build="",
            engine="yara-x",
            engine_version="1.23.0",
            release_format=1,
            detection_format=1,
            yara_modules=tuple(sorted(YARA_MODULES)),
            yara_variables=("filename",),
            file_classes=tuple(sorted(FILE_CLASSES)),
            events=(process_creation(),) if events is None else events,
            limits=tuple((name, LARGE) for name in limits.split()),
        ),
    )


def renamed(contract: SensorContract, **changes: object) -> SensorContract:
    """`contract` with `changes`, under the name that it then has."""
    changed = replace(contract, **changes)  # type: ignore[arg-type]
    return named(contract.build.partition("+")[0], changed)
