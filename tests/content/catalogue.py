"""The catalogue of content: `harmful/` must be refused for the right reason, `fine/` accepted however odd it looks.

Each directory is a content directory with a first page: `damage.txt` (lines `code`, `stage`, `damage`, and perhaps
`also`, other codes that may come along, and `generate`, a function below that writes what is too large to keep) or
`why.txt` (the line `fine`, and perhaps `generate`).  Where `content.yaml` is missing, the usual one is put there.
`stage` says which check refuses it: `lint`, or `prove`, which lint alone would let pass.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.unit.author.content_fixtures import META

from ringfence.model import limits

HERE: Final = Path(__file__).parent
USUAL_HEAD: Final = "format: 1\nname: case\nversion: 1\ndescription: A case of the catalogue\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One directory of the catalogue."""

    name: str
    path: Path
    page: dict[str, str]

    @property
    def code(self) -> str:
        """What it must be refused for."""
        return self.page["code"]

    @property
    def allowed(self) -> frozenset[str]:
        """Every code that may refuse it."""
        return frozenset({self.code, *filter(None, self.page.get("also", "").split(", "))})

    def placed(self, directory: Path) -> Path:
        """A copy in `directory`, complete."""
        target = directory / self.name
        shutil.copytree(self.path, target)
        (target / "damage.txt").unlink(missing_ok=True)
        (target / "why.txt").unlink(missing_ok=True)
        if not (target / "content.yaml").exists():
            (target / "content.yaml").write_text(USUAL_HEAD, encoding="utf-8")
        if name := self.page.get("generate"):
            (target / "rules").mkdir(exist_ok=True)
            (target / "tests").mkdir(exist_ok=True)
            rules, tests = GENERATORS[name]()
            (target / "rules" / "generated.yar").write_text(rules, encoding="utf-8")
            (target / "tests" / "generated.yaml").write_text(tests, encoding="utf-8")
        return target


def cases(kind: str, stage: str = "") -> list[Case]:
    """The cases below `harmful` or `fine`, those of one stage if it is named."""
    page = {"harmful": "damage.txt", "fine": "why.txt"}[kind]
    found = [Case(path.parent.name, path.parent, _page(path)) for path in sorted((HERE / kind).glob(f"*/{page}"))]
    return [case for case in found if not stage or case.page["stage"] == stage]


def _page(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines if line)}


def _rule(patterns: str, condition: str, sample: str = "x") -> tuple[str, str]:
    strings = f"strings: {patterns} " if patterns else ""
    tests = f"Generated:\n  matches: ['{sample}']\n  ignores: ['something else']\n"
    return f"rule Generated {{ {META} {strings}condition: {condition} }}\n", tests


def _name(number: int) -> str:
    """A text like no other's, and long: many short ones that begin alike would make their own repetition dear."""
    return hashlib.sha512(b"%d" % number).hexdigest()


def _names(count: int, modifiers: str = "") -> str:
    return " ".join(f'$p{number} = "{_name(number)}" {modifiers}' for number in range(count))


def _too_many_patterns() -> tuple[str, str]:
    return _rule(_names(limits.RULE_PATTERNS_MAX + 1), "any of them")


def _patterns_times_keys() -> tuple[str, str]:
    return _rule(_names(20, "xor wide"), "any of them")


def _endless_and() -> tuple[str, str]:
    return _rule(_names(1), " and ".join(["$p0"] * 20_000))


def _not_not_not() -> tuple[str, str]:
    return _rule(_names(1), f"$p0 and {'not ' * 10_000}$p0")


def _brackets() -> tuple[str, str]:
    return _rule(_names(1), f"{'(' * 3_000}$p0{')' * 3_000}")


def _wide_alternation() -> tuple[str, str]:
    words = "|".join(f"m{number}" for number in range(limits.PATTERN_ALTERNATIVES_ENTRIES_MAX + 1))
    return _rule(f"$p = /a-name-of-malware-({words})/", "$p")


def _long_expression() -> tuple[str, str]:
    return _rule(f"$p = /a-name-of-malware{'[a-f]{2}' * 300}/", "$p")


def _as_many_patterns_as_may_be() -> tuple[str, str]:
    return _rule(_names(limits.RULE_PATTERNS_MAX), "any of them", _name(7))


def _longest_text() -> tuple[str, str]:
    text = ("a-name-of-malware-" * 300)[: limits.PATTERN_TEXT_CHARACTERS_MAX - 2]
    return _rule(f'$p = "{text}"', "$p", text)


def _many_words() -> tuple[str, str]:
    return _rule(_names(1), f"$p0 and ({' or '.join(f'filesize < {size}' for size in range(100, 1_000))})", _name(0))


def _deep_but_allowed() -> tuple[str, str]:
    return _rule(_names(1), f"{'(' * 40}$p0{')' * 40}", _name(0))


GENERATORS: Final[dict[str, Callable[[], tuple[str, str]]]] = {
    "too_many_patterns": _too_many_patterns,
    "patterns_times_keys": _patterns_times_keys,
    "endless_and": _endless_and,
    "not_not_not": _not_not_not,
    "brackets": _brackets,
    "wide_alternation": _wide_alternation,
    "long_expression": _long_expression,
    "as_many_patterns_as_may_be": _as_many_patterns_as_may_be,
    "longest_text": _longest_text,
    "many_words": _many_words,
    "deep_but_allowed": _deep_but_allowed,
}
