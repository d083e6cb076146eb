"""What this build supplies to content: the registry of events, and the contract made from the code that supplies.

1. `EVENTS` is where a detector registers each type of event that it hands to rules, with every field that it fills and
   the kind of its value.  There is no detector yet, so it is empty, and no rule over events is eligible for this build.
2. The engine's modules are those that the engine itself names and content may import.
3. External variables: none.  The engine defines them, so that public packs compile, but a verdict here belongs to the
   bytes of a file, whatever its name, and is remembered by them: no variable ever gets a value.  A rule that reads one
   would compare with "" for ever.  This is the difference between what is defined and what is supplied.
4. The limits are those that the loader of this very build enforces.

`src/ringfence/contract.json` is written from here by `tools/generate_docs.py`, and a test holds it fresh.
"""

from typing import Final

import yara_x

from ringfence.model import limits
from ringfence.model.contract import EventType, SensorContract
from ringfence.model.release import FILE_CLASSES, RELEASE_FORMAT, YARA_MODULES
from ringfence.wire.contract import named

EVENTS: Final[tuple[EventType, ...]] = ()
"""Rule 1, in the order of the names."""

DETECTION_FORMAT: Final = 0
"""Format of the rules over events that this build's detector reads; 0 without a detector."""

VARIABLES: Final[tuple[str, ...]] = ()
"""Rule 3."""

LOADER_LIMITS: Final = (
    "DETECTION_PACKS_MAX",
    "DETECTION_PACK_BYTES_MAX",
    "ENGINE_SCANNERS_MAX",
    "MANIFEST_BYTES_MAX",
    "PACKS_MAX",
    "PACK_SOURCE_BYTES_MAX",
    "RELEASE_BYTES_MAX",
    "RELEASE_COMPILE_BYTES_MAX",
    "RELEASE_COMPILE_CPU_MS_MAX",
    "RELEASE_MEMBERS_MAX",
    "RELEASE_SCAN_US_PER_MIB_MAX",
    "RELEASE_UNPACKED_BYTES_MAX",
    "RULES_MAX",
    "SAMPLE_BYTES_MAX",
    "SELF_TESTS_MAX",
)
"""Rule 4: names of `model/limits.py`."""

ENGINE: Final = "yara-x"


def supplied_contract(version: str, engine_version: str) -> SensorContract:
    """The contract of this build, which is `version` of Ringfence."""
    return named(
        version,
        SensorContract(
            build="",
            engine=ENGINE,
            engine_version=engine_version,
            release_format=RELEASE_FORMAT,
            detection_format=DETECTION_FORMAT,
            yara_modules=tuple(sorted(YARA_MODULES.intersection(yara_x.module_names()))),  # type: ignore[attr-defined]
            yara_variables=VARIABLES,
            file_classes=tuple(sorted(FILE_CLASSES)),
            events=EVENTS,
            limits=tuple((name, getattr(limits, name)) for name in LOADER_LIMITS),
        ),
    )
