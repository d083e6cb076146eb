"""A release: a set of detection content with everything that is needed to judge it.

A release names its packs (YARA source), the rules inside them, the self-tests that must hold, its detections (rules
over events), and the contract: which inputs they need of a sensor.  `wire/release.py` reads and writes the bytes;
whoever holds a `Release` may rely on what is said here:

1. `manifest.packs` and `packs` are in the order of their names, and name the same packs.
2. `manifest.rules` is in the order of the identifiers, which are unique; each rule's pack exists, no pack is empty.
3. `manifest.self_tests` is in the order (rule, sample), without repetition; rule and sample exist; no sample is idle.
4. Private rules stand in a pack's source only: they never report, so they have no entry.
5. `manifest.detections` and `detections` are in the order of their names, and name the same.  Each holds its rules and
   their self-tests itself (`wire/detection_ir.py`): the lists above are about YARA only.
6. `proof` and `waivers` are there exactly if the manifest names their digests.
"""

from dataclasses import dataclass
from typing import Final

from ringfence.model.contract import EventNeed
from ringfence.model.limits import (
    RELEASE_COMPILE_BYTES_DEFAULT,
    RELEASE_COMPILE_CPU_MS_DEFAULT,
    RELEASE_SCAN_US_PER_MIB_DEFAULT,
)
from ringfence.model.records import RuleAction, Severity

RELEASE_FORMAT: Final = 1
"""The one release format that this version reads and writes."""

FILE_CLASSES: Final = frozenset(
    {
        "any",
        "elf",
        "pe",
        "macho",
        "script",
        "zip",
        "pdf",
        "ole",
        "java_class",
        "gzip",
        "bzip2",
        "xz",
        "zstd",
        "tar",
        "rtf",
        "lnk",
        "other",
    }
)
"""What a pack's `file_class` may be: the values of `detect.file_type.FileClass` (a test holds them equal).  A class
that this version does not know would never be scanned, so it is refused."""

YARA_MODULES: Final = frozenset({"dotnet", "elf", "hash", "lnk", "macho", "math", "pe", "string", "time"})
"""Engine modules that content may import.  No `console`, `cuckoo` or `vt`: side channels and noise."""

YARA_VARIABLES: Final = frozenset({"extension", "filename", "filepath", "filetype", "owner"})
"""External variables that public packs expect.  The engine defines all of them as text, "" where it does not know."""


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """One rule that can report.  Its text stands in the source of its pack."""

    identifier: str
    pack: str
    author: str
    description: str
    severity: Severity
    action: RuleAction
    technique: str
    """ATT&CK technique such as `T1505.003`, or ""."""

    reference: str
    licence: str


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One file of YARA source.  It meets only files of `file_class` ("any" meets all)."""

    name: str
    file_class: str
    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A sample that the rule must match (`expects_match`) or must not."""

    rule: str
    sample_sha256: str
    expects_match: bool


@dataclass(frozen=True, slots=True)
class DetectionEntry:
    """One file of rules over events."""

    name: str
    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Contract:
    """What the release needs of the sensor.  A sensor that does not supply all of it refuses the release."""

    yara_modules: tuple[str, ...]
    yara_variables: tuple[str, ...]
    events: tuple[EventNeed, ...] = ()
    """In the order (type, field)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What the release may cost.  Its proof shows that it costs less, and a host holds it to that."""

    compile_cpu_ms: int = RELEASE_COMPILE_CPU_MS_DEFAULT
    compile_bytes: int = RELEASE_COMPILE_BYTES_DEFAULT
    """Resident memory of the process that compiles it."""

    scan_us_per_mib: int = RELEASE_SCAN_US_PER_MIB_DEFAULT
    """CPU of all its rules together, over ordinary files."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first member of a release.  `version` only ever rises for a `name`."""

    name: str
    version: int
    description: str
    contract: Contract
    packs: tuple[PackEntry, ...]
    rules: tuple[RuleEntry, ...]
    self_tests: tuple[SelfTest, ...]
    detections: tuple[DetectionEntry, ...] = ()
    budget: Budget = Budget()
    waivers_sha256: str = ""
    """Digest of the member `waivers.json`, or "": no finding of the checks was waived."""

    proof_sha256: str = ""
    """Digest of the member `proof.json`, or "": nobody has proven the release.

    A proof is about the manifest's canonical bytes with this field empty: their digest is its subject.
    """


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack with its source text."""

    entry: PackEntry
    source: str


@dataclass(frozen=True, slots=True)
class DetectionPack:
    """Rules over events, in the canonical bytes of `wire/detection_ir.py`."""

    entry: DetectionEntry
    data: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """The input of a self-test."""

    sha256: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """A whole release, complete and consistent."""

    manifest: Manifest
    packs: tuple[Pack, ...]
    samples: tuple[Sample, ...]
    detections: tuple[DetectionPack, ...] = ()
    waivers: bytes = b""
    """The canonical bytes of `wire/waiver.py`, or nothing."""

    proof: bytes = b""
    """The canonical bytes of the proof, or nothing."""
