"""What `content.yaml` says: the name and version of a release, what it may cost, and whose waivers count.

    format: 1
    name: starter
    version: 7                # rises with every release; `content build --version` may say another
    description: One line
    budget:                   # may be left out, as each of its lines
      compile_cpu_ms: 5000
      compile_bytes: 300000000
      scan_us_per_mib: 9000
    waiver_keys:              # may be left out: then nothing can be waived
      - name: Ann
        public: "3d40…"       # the Ed25519 public key in hexadecimal

All that is off is told at once, each with its place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringfence.author.strict_yaml import Document, Path
from ringfence.model.limits import (
    NAME_CHARACTERS_MAX,
    RELEASE_COMPILE_BYTES_MAX,
    RELEASE_COMPILE_CPU_MS_MAX,
    RELEASE_SCAN_US_PER_MIB_MAX,
    RELEASE_VERSION_MAX,
    RULE_TEXT_CHARACTERS_MAX,
    WAIVER_KEYS_MAX,
)
from ringfence.model.release import Budget
from ringfence.model.waiver import WaiverKey
from ringfence.wire.canonical import is_unwelcome
from ringfence.wire.manifest import RELEASE_NAME
from ringfence.wire.waiver import PUBLIC

CONTENT_FILE: Final = "content.yaml"
CONTENT_FORMAT: Final = 1

_NEEDED: Final = ("format", "name", "version", "description")
_OPTIONAL: Final = ("budget", "waiver_keys")
_BUDGET_MAX: Final = {
    "compile_cpu_ms": RELEASE_COMPILE_CPU_MS_MAX,
    "compile_bytes": RELEASE_COMPILE_BYTES_MAX,
    "scan_us_per_mib": RELEASE_SCAN_US_PER_MIB_MAX,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is off at `path` of a document."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class ContentHead:
    """What `content.yaml` says."""

    name: str
    version: int
    description: str
    budget: Budget
    waiver_keys: tuple[WaiverKey, ...]


def read_head(document: Document) -> ContentHead | list[Problem]:
    """The head, or everything that is off."""
    reader = _Reader()
    top = document.value
    if not isinstance(top, dict):
        return [Problem((), "must have the keys format, name, version and description")]
    for name in _NEEDED:
        if name not in top:
            reader.add((), f"lacks the key {name!r}")
    for name in top:
        if name not in _NEEDED + _OPTIONAL:
            reader.add((name,), f"has the unknown key {name[:64]!a}")
    if top.get("format", CONTENT_FORMAT) != CONTENT_FORMAT or isinstance(top.get("format"), bool):
        reader.add(("format",), f"has a format that is not {CONTENT_FORMAT}")
    head = ContentHead(
        name=reader.word(top, "name", RELEASE_NAME, ()),
        version=reader.integer(top, "version", RELEASE_VERSION_MAX, ()),
        description=reader.line(top, "description", RULE_TEXT_CHARACTERS_MAX, ()),
        budget=reader.budget(top.get("budget", {})),
        waiver_keys=reader.keys(top.get("waiver_keys", [])),
    )
    return reader.problems or head


class _Reader:
    """Collects what is off; a value that is off is read as something empty."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))

    def word(self, table: Mapping[str, Any], name: str, pattern: re.Pattern[str], above: Path) -> str:
        value = table.get(name, "")
        if name in table and not (isinstance(value, str) and pattern.fullmatch(value)):
            self.add((*above, name), f"{name} must fit {pattern.pattern}")
        return str(value)

    def integer(self, table: Mapping[str, Any], name: str, largest: int, above: Path) -> int:
        value = table.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
            self.add((*above, name), f"{name} must be an integer from 1 to {largest}")
            return 1
        return value

    def line(self, table: Mapping[str, Any], name: str, longest: int, above: Path) -> str:
        value = table.get(name, "")
        if not isinstance(value, str) or len(value) > longest or is_unwelcome(value):
            self.add((*above, name), f"{name} must be one line of text of at most {longest} characters")
        return str(value)

    def budget(self, value: Any) -> Budget:  # noqa: ANN401 - whatever YAML holds
        if not isinstance(value, dict):
            self.add(("budget",), "budget must map what is bounded to numbers")
            return Budget()
        for name in value:
            if name not in _BUDGET_MAX:
                self.add(("budget", name), f"has the unknown budget {name[:64]!a}")
        usual = Budget()
        known = {name: getattr(usual, name) for name in _BUDGET_MAX} | value
        numbers = {name: self.integer(known, name, most, ("budget",)) for name, most in _BUDGET_MAX.items()}
        return Budget(**numbers)

    def keys(self, value: Any) -> tuple[WaiverKey, ...]:  # noqa: ANN401 - as above
        if not isinstance(value, list) or len(value) > WAIVER_KEYS_MAX:
            self.add(("waiver_keys",), f"waiver_keys must be a list of at most {WAIVER_KEYS_MAX} keys")
            return ()
        found: dict[str, WaiverKey] = {}
        for place, row in enumerate(value):
            path: Path = ("waiver_keys", place)
            if not isinstance(row, dict) or set(row) != {"name", "public"}:
                self.add(path, "a key of waivers has exactly the keys name and public")
                continue
            public = self.word(row, "public", PUBLIC, path)
            if public in found:
                self.add(path, "the same key stands here twice")
            name = self.line(row, "name", NAME_CHARACTERS_MAX, path)
            if not name.strip():
                self.add(path, "a key of waivers names its holder")
            found[public] = WaiverKey(name, public)
        return tuple(found[public] for public in sorted(found))
