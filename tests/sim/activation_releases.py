"""The parts of the simulated host: releases of every bad kind, processes, and bounds that a short life meets."""

import random
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ringfence.decide.activation_messages import ShadowCounts
from ringfence.model import limits
from ringfence.model.activation import ReleaseKey

UNIT_MS: Final = 1_000
BOUNDS: Final = {
    "ACTIVATION_TICK_MS_MAX": UNIT_MS,
    "SHADOW_MS_MIN": 2 * UNIT_MS,
    "SHADOW_MS_MAX": 7 * UNIT_MS,
    "SHADOW_QUESTIONS_MIN": 4,
    "SHADOW_ASIDE_MS": 6 * UNIT_MS,
    "SOAK_MS": 4 * UNIT_MS,
    "FORGIVE_STEP_MS": UNIT_MS,
    "FORGIVE_STEPS": 3,
    "STEADY_MS": 2 * UNIT_MS,
    "PERSIST_RETRY_MS": UNIT_MS,
    "GOOD_RELEASES_MAX": 3,
    "REFUSED_RELEASES_MAX": 3,
}
"""Bounds so small that every one of them is met in a short life."""

VERSIONS: Final = (0, 1, 2, 3, 3, 4, 5, 6)
"""Of each release by its number, two of them the same.  Number 1 is the baseline."""

BASELINE: Final = 1
OTHER_BASELINE: Final = 5
"""The release of another package; this one is offered by the fleet as well."""

OFFERED: Final = range(2, len(VERSIONS))
KEYS: Final = tuple(ReleaseKey(max(version, 1), f"{number:064x}") for number, version in enumerate(VERSIONS))
NUMBER: Final = {key: number for number, key in enumerate(KEYS)}


class Kind(Enum):
    """What is wrong with a release."""

    HARMLESS = auto()
    QUIET = auto()
    """Nothing, but this host has nothing to compare it with."""

    REFUSES = auto()
    COMPILER_DIES = auto()
    COMPILER_HURTS_HOST = auto()
    BLOCKS_VITAL = auto()
    BLOCKS_KNOWN = auto()
    BLOCKS_NEW = auto()
    SLOW = auto()
    TIMES_OUT = auto()
    GROWS = auto()
    SCANNERS_DIE = auto()
    SHADOW_DIES = auto()
    DIES_AT_START = auto()
    HURTS_HOST_AT_START = auto()
    HANGS = auto()
    """Its engine makes no progress; or it lives, and answers nothing."""

    SOMETIMES = auto()
    LATE = auto()
    LATE_FOR_HOST = auto()
    BURST = auto()
    LATE_BURST = auto()


HARMLESS: Final = (Kind.HARMLESS, Kind.QUIET)
DIE_AT_START: Final = (Kind.DIES_AT_START, Kind.HANGS, Kind.COMPILER_DIES)
HURT_HOST_AT_START: Final = (Kind.HURTS_HOST_AT_START, Kind.COMPILER_HURTS_HOST)
DIE_WHILE_RUNNING: Final = (Kind.SOMETIMES, Kind.GROWS, Kind.SHADOW_DIES)
BURST: Final = (Kind.BURST, Kind.BLOCKS_VITAL, Kind.BLOCKS_KNOWN, Kind.BLOCKS_NEW)
LATE: Final = (Kind.LATE, Kind.LATE_FOR_HOST, Kind.LATE_BURST)
HARMFUL: Final = (*DIE_AT_START, *HURT_HOST_AT_START, *DIE_WHILE_RUNNING, *BURST, *LATE)
"""What does harm when it runs.  The others can only be told from a harmless one before that."""

COUNTS: Final = {
    Kind.BLOCKS_VITAL: ShadowCounts(vital_blocks=1, new_blocks=1),
    Kind.BLOCKS_KNOWN: ShadowCounts(known_blocks=limits.SHADOW_KNOWN_FILES_MAX + 1),
    Kind.BLOCKS_NEW: ShadowCounts(new_blocks=limits.SHADOW_NEW_FILES_MAX + 1),
    Kind.SLOW: ShadowCounts(active_ms=900, candidate_ms=900 * limits.SHADOW_TIME_RATIO_MAX + 1),
    Kind.TIMES_OUT: ShadowCounts(timeouts=limits.SHADOW_TIMEOUTS_FREE_FILES + 1),
    Kind.GROWS: ShadowCounts(resident_bytes=limits.ZYGOTE_RESIDENT_BYTES_MAX + 1),
    Kind.SCANNERS_DIE: ShadowCounts(crashes=limits.SHADOW_DEATHS_MAX + 1),
}
BEARABLE: Final = ShadowCounts(
    new_blocks=limits.SHADOW_NEW_FILES_MAX,
    known_blocks=limits.SHADOW_KNOWN_FILES_MAX,
    crashes=limits.SHADOW_DEATHS_MAX,
    active_ms=700,
    candidate_ms=700 * limits.SHADOW_TIME_RATIO_MAX,
    resident_bytes=limits.ZYGOTE_RESIDENT_BYTES_MAX,
)


@dataclass(slots=True)
class Engine:
    """What `Run` asked for."""

    release: int
    ready: bool = False


@dataclass(slots=True)
class Child:
    """The candidate's zygote beside it."""

    release: int
    compiled: bool = False
    shadowed: bool = False
    compared: int = 0


@dataclass(slots=True)
class Moods:
    """What this seed's world is like.  Shares are in a thousand."""

    cut: int
    warden_killed: int
    harm: int
    offer: int
    operator: int
    reboot: int
    fills: int
    loses_file: int
    loses_record: int
    jump: int
    noise: int
    killer: int
    upgrades: int
    files: int
    """How many files there are to compare."""

    guarded: bool
    codec: bool


def moods_of(seed: int, rng: random.Random) -> Moods:
    """Draw the weather."""
    rough = rng.random() < 0.75
    share = rng.randrange
    return Moods(
        cut=share(40) if rough else 0,
        warden_killed=share(15) if rough else 0,
        harm=300 + share(701),
        offer=100 + share(400),
        operator=share(160) if rng.random() < 0.5 else 0,
        reboot=share(60),
        fills=share(40) if rng.random() < 0.3 else 0,
        loses_file=share(20) if rng.random() < 0.3 else 0,
        loses_record=share(200) if rng.random() < 0.1 else 0,
        jump=share(80) if rng.random() < 0.3 else 0,
        noise=share(60),
        killer=share(30) if rng.random() < 0.3 else 0,
        upgrades=share(150) if rng.random() < 0.2 else 0,
        files=rng.randrange(4) if rng.random() < 0.2 else 1_000,
        guarded=rng.random() < 0.5,
        codec=seed % 8 == 0,
    )
