"""Reading YARA source on the author's side: what each rule declares, with its text, so that it can move between packs.

plyara reads the syntax, and must find the rules that the host's own reader finds; the engine has the last word when
packs are compiled.  A rule's text is put together from the parts that plyara keeps verbatim (patterns, condition) and
from its metadata: several rules on one line are no trouble.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from plyara import Plyara
from plyara.exceptions import ParseError

from ringfence.detect.rule_outline import outline
from ringfence.model.errors import ContentRefused
from ringfence.model.release import YARA_VARIABLES

MetaValue = str | int | bool

WAY_OUT: Final = "correct the rule; `yr check FILE` of YARA-X explains more"


@dataclass(frozen=True, slots=True)
class PatternText:
    """One pattern: `kind` is text, byte (hexadecimal) or regex; `value` is as written."""

    name: str
    kind: str
    value: str
    modifiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class SourceRule:
    """One rule of one file."""

    identifier: str
    file: str
    line: int
    private: bool
    is_global: bool
    tags: tuple[str, ...]
    metadata: tuple[tuple[str, MetaValue], ...]
    patterns: tuple[PatternText, ...]
    terms: tuple[str, ...]
    """The condition's tokens."""

    modules: frozenset[str]
    raw_patterns: str
    raw_condition: str

    def meta(self, *names: str) -> str:
        """The first of the metadata `names` that is there, as text; "" if none is."""
        for name in names:
            for key, value in self.metadata:
                if key.lower() == name:
                    return unescaped(value).strip() if isinstance(value, str) else str(value)
        return ""

    def text(self, identifier: str | None = None) -> str:
        """The rule's source, under another name if one is given."""
        scope = ("private " if self.private else "") + ("global " if self.is_global else "")
        tags = f" : {' '.join(self.tags)}" if self.tags else ""
        meta = "".join(f"        {key} = {_literal(value)}\n" for key, value in self.metadata)
        parts = [f"{scope}rule {identifier or self.identifier}{tags} {{\n"]
        if meta:
            parts.append(f"    meta:\n{meta}")
        if self.raw_patterns:
            parts.append(f"    {self.raw_patterns.strip()}\n")
        parts.append(f"    {self.raw_condition.strip()}\n}}\n")
        return "".join(parts)


class SourceReader:
    """Reads files of rules.  One reader for many files: making the parser costs more than a small file."""

    def __init__(self) -> None:
        """Make the parser."""
        self._parser = Plyara()

    def read(self, text: str, file: str) -> tuple[SourceRule, ...]:
        """The rules of `text`, in their order.  Raises ContentRefused with file and line."""
        self._parser.clear()
        try:
            found = self._parser.parse_string(text)
        except ParseError as error:
            line = getattr(error, "lineno", None)
            raise ContentRefused(
                f"is not YARA: {first_line(error)}", WAY_OUT, file=file, position=str(line) if line else ""
            ) from error
        except (
            Exception
        ) as error:  # the parser's own faults show as anything (AttributeError, IndexError, RecursionError)
            self._parser = Plyara()
            raise ContentRefused(
                f"the parser gave up: {type(error).__name__}: {first_line(error)}", WAY_OUT, file=file
            ) from error
        rules = tuple(_rule(row, file) for row in found)
        if lost := {declared.name for declared in outline(text).rules} ^ {rule.identifier for rule in rules}:
            raise ContentRefused(f"ends inside a rule, or hides one: {min(lost)}", WAY_OUT, file=file)
        return rules


def referred(rule: SourceRule, names: Iterable[str]) -> frozenset[str]:
    """Which of the rules called `names` the condition of `rule` refers to; `prefix*` refers to all that fit."""
    known = frozenset(names)
    stems = {
        term
        for term, star, after in zip(rule.terms, rule.terms[1:], rule.terms[2:], strict=False)
        if star == "*" and after in (",", ")")
    }
    many = {name for name in known for stem in stems if name.startswith(stem)}
    return ((known & frozenset(rule.terms)) | many) - {rule.identifier}


def variables_of(rule: SourceRule) -> frozenset[str]:
    """The external variables that the condition of `rule` names; after a dot such a name is a module's field."""
    return frozenset(term for before, term in pairwise(("", *rule.terms)) if before != ".") & YARA_VARIABLES


def unescaped(text: str) -> str:
    r"""The text that a YARA literal means: `\"`, `\\`, `\n`, `\t`, `\r` and `\xNN` resolved, each to one character."""
    return "".join(_characters(text))


def first_line(error: BaseException) -> str:
    """The first line of what `error` says, of bounded length."""
    return (str(error).splitlines() or [""])[0][:200]


def _characters(text: str) -> Iterator[str]:
    simple = {"n": "\n", "t": "\t", "r": "\r"}
    at = 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            yield text[at]
            at += 1
        elif text[at + 1] == "x" and len(digits := text[at + 2 : at + 4]) == 2 and _is_hex(digits):  # noqa: PLR2004
            yield chr(int(digits, 16))
            at += 4
        else:
            yield simple.get(text[at + 1], text[at + 1])
            at += 2


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _literal(value: MetaValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f'"{value}"'


def literal_text(text: str) -> str:
    """`text` as the inside of a YARA literal: what `unescaped` turns back."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _rule(row: dict[str, Any], file: str) -> SourceRule:
    scopes = row.get("scopes", ())
    return SourceRule(
        identifier=row["rule_name"],
        file=file,
        line=row["start_line"],
        private="private" in scopes,
        is_global="global" in scopes,
        tags=tuple(row.get("tags", ())),
        metadata=tuple((str(key), value) for pair in row.get("metadata", ()) for key, value in pair.items()),
        patterns=tuple(
            PatternText(item["name"], item["type"], item["value"], frozenset(item.get("modifiers", ())))
            for item in row.get("strings", ())
        ),
        terms=tuple(row["condition_terms"]),
        modules=frozenset(row.get("imports", ())),
        raw_patterns=row.get("raw_strings", ""),
        raw_condition=row["raw_condition"],
    )
