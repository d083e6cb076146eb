"""One file of YARA rules, read with the offset of everything that a check may point at.

It reads exactly the grammar of the engine.  Where a file is not that, reading goes on at the next rule: the engine says
what is wrong with a rule that was not read, and a rule that the engine takes and this reader does not is a finding.
"""

from dataclasses import dataclass

from ringfence.author.yara_condition import ConditionDeep, ConditionOdd, Node, parse_condition
from ringfence.author.yara_lexer import Token, tokens_of


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it begins."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class MetaEntry:
    """One line of `meta`: `value` is as written."""

    name: str
    value: str
    is_text: bool
    start: int


@dataclass(frozen=True, slots=True)
class Modifier:
    """A modifier of a pattern with what stands in its brackets."""

    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class FilePattern:
    """One pattern: `kind` is text, hex or regex; `value` is as written, with quotes, braces or slashes."""

    name: str
    kind: str
    value: str
    modifiers: tuple[Modifier, ...]
    start: int
    value_start: int

    def has(self, modifier: str) -> bool:
        """Whether the pattern has the modifier."""
        return any(one.name == modifier for one in self.modifiers)


@dataclass(frozen=True, slots=True)
class FileRule:
    """One rule; `condition` is None where it was nested too deeply to read."""

    name: str
    name_start: int
    start: int
    end: int
    marks: frozenset[str]
    meta: tuple[MetaEntry, ...]
    patterns: tuple[FilePattern, ...]
    condition: Node | None
    condition_start: int
    condition_tokens: int
    too_deep: int | None = None
    """Offset of what is nested too deeply."""

    @property
    def private(self) -> bool:
        """Whether it never reports."""
        return "private" in self.marks


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that does not fit the grammar."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class YaraFile:
    """What a file holds."""

    imports: tuple[Word, ...]
    includes: tuple[Word, ...]
    rules: tuple[FileRule, ...]
    unread: tuple[Unread, ...]


def read_yara(source: str) -> YaraFile:
    """Read `source`.  Never raises."""
    reader = _Reader(source)
    reader.read()
    return YaraFile(tuple(reader.imports), tuple(reader.includes), tuple(reader.rules), tuple(reader.unread))


class _Reader:
    """Takes the tokens of one file one by one."""

    def __init__(self, source: str) -> None:
        self.tokens = tokens_of(source)
        self.place = 0
        self.imports: list[Word] = []
        self.includes: list[Word] = []
        self.rules: list[FileRule] = []
        self.unread: list[Unread] = []

    def read(self) -> None:
        """The whole file."""
        while self.next.kind != "end":
            begun = self.place
            try:
                self._statement()
            except ConditionOdd as odd:
                self.unread.append(Unread(odd.offset, odd.what))
                if not self._skip_to_next_rule(begun):
                    return

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def is_next(self, *words: str) -> bool:
        return self.next.kind in ("word", "mark") and self.next.text in words

    def take(self, *words: str, kind: str = "") -> Token:
        token = self.next
        if (words and not self.is_next(*words)) or (kind and token.kind != kind) or token.kind in ("end", "odd"):
            wanted = " or ".join(words) or kind or "something"
            raise ConditionOdd(token.start, f"{token.text[:32]!a} stands where {wanted} should")
        self.place += 1
        return token

    def _skip_to_next_rule(self, begun: int) -> bool:
        """Go on at the next `rule` behind what could not be read."""
        place = max(self.place, begun + 1)
        while place < len(self.tokens):
            token = self.tokens[place]
            if token.kind == "word" and token.text == "rule":
                while self.tokens[place - 1].text in ("private", "global") and place - 1 > begun:
                    place -= 1
                self.place = place
                return True
            place += 1
        self.place = len(self.tokens) - 1
        return self.next.kind == "end"

    def _statement(self) -> None:
        if self.is_next("import", "include"):
            word = self.take().text
            text = self.take(kind="text")
            (self.imports if word == "import" else self.includes).append(Word(text.text[1:-1], text.start))
            return
        self._rule()

    def _rule(self) -> None:
        start = self.next.start
        marks = set()
        while self.is_next("private", "global"):
            marks.add(self.take().text)
        self.take("rule")
        name = self.take(kind="word")
        if self.is_next(":"):
            self.take()
            while self.next.kind == "word":
                self.take()
        self.take("{")
        meta = self._meta() if self._section("meta") else ()
        patterns = self._patterns() if self._section("strings") else ()
        self.take("condition")
        self.take(":")
        begin = self.place
        while not self.is_next("}") and self.next.kind not in ("end", "odd"):
            self.place += 1
        condition_tokens = self.tokens[begin : self.place + 1]
        condition, too_deep = None, None
        try:
            condition = parse_condition(condition_tokens)
        except ConditionDeep as deep:
            too_deep = deep.offset
        end = self.take("}").end
        self.rules.append(
            FileRule(
                name=name.text,
                name_start=name.start,
                start=start,
                end=end,
                marks=frozenset(marks),
                meta=meta,
                patterns=patterns,
                condition=condition,
                condition_start=condition_tokens[0].start,
                condition_tokens=len(condition_tokens) - 1,
                too_deep=too_deep,
            )
        )

    def _section(self, name: str) -> bool:
        if not self.is_next(name):
            return False
        self.take(name)
        self.take(":")
        return True

    def _meta(self) -> tuple[MetaEntry, ...]:
        entries = []
        while self.next.kind == "word" and self.tokens[self.place + 1].text == "=":
            name = self.take()
            self.take("=")
            sign = self.take().text if self.is_next("-") else ""
            value = self.take()
            is_text = value.kind == "text"
            text = value.text[1:-1] if is_text else sign + value.text
            entries.append(MetaEntry(name.text, text, is_text, name.start))
        return tuple(entries)

    def _patterns(self) -> tuple[FilePattern, ...]:
        patterns = []
        while self.next.text.startswith("$") and self.next.kind == "word":
            name = self.take()
            self.take("=")
            value = self.take()
            if value.kind not in ("text", "hex", "regex"):
                raise ConditionOdd(value.start, f"{value.text[:32]!a} is no pattern")
            patterns.append(
                FilePattern(name.text, value.kind, value.text, self._modifiers(), name.start, value.start)
            )
        return tuple(patterns)

    def _modifiers(self) -> tuple[Modifier, ...]:
        modifiers = []
        while self.next.kind == "word" and not self.next.text.startswith("$") and not self.is_next("condition"):
            name = self.take().text
            argument = ""
            if self.is_next("("):
                self.take()
                while not self.is_next(")"):
                    argument += self.take().text
                self.take(")")
            modifiers.append(Modifier(name, argument))
        return tuple(modifiers)
