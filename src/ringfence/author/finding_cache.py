"""Findings about a file that was checked before, by the digest of its text and of everything that the checks are.

Checking 9,000 rules takes a quarter of a minute, and an author changes one of them.  What the checks are is the source
of the packages that they are made of, and the engine's version: nobody has to remember to say that one has changed.
What comes back is checked field by field (`author/proof_cache.py`, rule 3).
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache as remembered
from importlib.metadata import version
from pathlib import Path
from typing import Final

import ringfence
from ringfence.author.finding import CODE, Finding, Level
from ringfence.author.proof_cache import ProofCache, key_of
from ringfence.model.limits import LINT_FINDINGS_MAX
from ringfence.wire.canonical import JsonValue

CHECKS: Final = ("author", "detect", "model", "trust", "wire")
"""Packages of which the checks are made."""

LIBRARIES: Final = ("yara-x", "pysigma", "pysigma-validators-sigmahq", "google-re2", "publicsuffixlist")
"""Libraries that check as well."""

Check = Callable[[], Iterable[Finding]]


class FindingCache:
    """What the checks of single files said, in this process or an earlier one."""

    def __init__(self, cache: ProofCache) -> None:
        self._cache = cache
        self.remembered = 0
        """Files that were not checked again."""

    def findings(self, kind: str, name: str, text: str, given: str, check: Check) -> list[Finding]:
        """What `check` says of the file `name` with `text`, `given` what else it depends on."""
        sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        key = key_of("findings", _checks_sha256(), kind, given, name, sha256)
        known = _findings(self._cache.get(key), name)
        if known is not None:
            self.remembered += 1
            return known
        found = list(check())
        if len(found) <= LINT_FINDINGS_MAX and all(one.file == name and not one.waived_by for one in found):
            rows: list[JsonValue] = [
                [one.line, one.column, one.code, one.level.value, one.rule, one.text] for one in found
            ]
            self._cache.put(key, rows)
        return found


@remembered
def _checks_sha256() -> str:
    """The digest of the checks' own source, and of what they stand on."""
    digest = hashlib.sha256("\n".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    root = Path(str(ringfence.__file__)).parent
    for path in sorted(path for package in CHECKS for path in (root / package).rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _findings(value: JsonValue, name: str) -> list[Finding] | None:
    """The findings that were remembered, or None for anything that is none."""
    if not isinstance(value, list):
        return None
    found = []
    for row in value:
        match row:
            case [int(line), int(column), str(code), str(level), str(rule), str(text)] if (
                line > 0 and column > 0 and CODE.fullmatch(code) and level in list(Level)
            ):
                found.append(Finding(name, line, column, code, Level(level), rule, text))
            case _:
                return None
    return found
