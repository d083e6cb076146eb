"""The condition of a YARA rule as a tree with offsets.

One node per construct; `kind` says which, `value` holds its word (a name, an operator, a quantifier).  Binding follows
the engine: or, and, not, equality and text operators, order, bits, shifts, sums, products, signs.  `and` and `or` hold
all their operands in one node, so that a long chain is not a deep one; nesting is bounded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from ringfence.author.yara_lexer import Token
from ringfence.model.limits import RULE_CONDITION_DEPTH_MAX

EQUALITY: Final = frozenset(
    "== != contains icontains startswith istartswith endswith iendswith iequals matches".split()
)
ORDER: Final = frozenset("< <= > >=".split())
_LEVELS: Final[tuple[frozenset[str], ...]] = (
    EQUALITY,
    ORDER,
    frozenset("|"),
    frozenset("^"),
    frozenset("&"),
    frozenset(("<<", ">>")),
    frozenset("+-"),
    frozenset("*\\%"),
)
_QUANTIFIERS: Final = frozenset("all any none".split())
_LITERALS: Final = {"text": "text", "regex": "regex", "number": "number"}
_SIGILS: Final = {"$": "pattern", "#": "count", "@": "offset", "!": "length"}


@dataclass(frozen=True, slots=True)
class Node:
    """One construct between the offsets `start` and `end`."""

    kind: str
    value: str
    children: tuple["Node", ...]
    start: int
    end: int

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, in the order of the text."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)


class ConditionOdd(Exception):
    """The text is not what the grammar says, at `offset`."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset
        self.what = what


class ConditionDeep(ConditionOdd):
    """The condition is nested too deeply, at `offset`."""


def parse_condition(tokens: Sequence[Token]) -> Node:
    """The tree of `tokens`, the last of which is what follows.  Raises ConditionOdd or ConditionDeep."""
    parser = _Parser(tokens)
    node = parser.expression()
    if parser.place != len(tokens) - 1:
        parser.odd("is not expected here")
    return node


class _Parser:
    """The tokens, taken one by one."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0
        self.counts = False
        """Whether the number that is being read says how many of a set: then no `of` belongs to it."""

    def odd(self, what: str) -> NoReturn:
        token = self.tokens[self.place]
        raise ConditionOdd(token.start, f"{token.text[:32]!a} {what}")

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def ahead(self, count: int) -> str:
        place = self.place + count
        return self.tokens[place].text if place < len(self.tokens) else ""

    def is_next(self, *words: str) -> bool:
        return self.next.kind in ("word", "mark") and self.next.text in words

    def take(self, *words: str) -> Token:
        token = self.next
        if self.place >= len(self.tokens) - 1 or (words and not self.is_next(*words)):
            self.odd(f"stands where {' or '.join(words) or 'something'} should")
        self.place += 1
        return token

    def expression(self) -> Node:
        """Everything from `or` downwards."""
        return self._chain("or", self._conjunction)

    def _conjunction(self) -> Node:
        return self._chain("and", self._negation)

    def _chain(self, word: str, operand: Callable[[], Node]) -> Node:
        first = operand()
        operands = [first]
        while self.is_next(word):
            self.take(word)
            operands.append(operand())
        return first if len(operands) == 1 else Node(word, word, tuple(operands), first.start, operands[-1].end)

    def _negation(self) -> Node:
        if not self.is_next("not", "defined"):
            return self._binary(0)
        token = self.take()
        self._down()
        inner = self._negation()
        self.depth -= 1
        return Node(token.text, token.text, (inner,), token.start, inner.end)

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._sign()
        left = self._binary(level + 1)
        while self.is_next(*_LEVELS[level]) and not (self.is_next("%") and self.ahead(1) == "of"):
            operator = self.take().text
            right = self._binary(level + 1)
            kind = "compare" if level < 2 else "arithmetic"  # noqa: PLR2004 - equality and order
            left = Node(kind, operator, (left, right), left.start, right.end)
        return left

    def _sign(self) -> Node:
        if self.is_next("-", "~"):
            token = self.take()
            self._down()
            inner = self._sign()
            self.depth -= 1
            return Node("arithmetic", token.text, (inner,), token.start, inner.end)
        node = self._postfix(self._primary())
        if self.counts:
            return node
        if self.is_next("of"):
            return self._of(node, "")
        if self.is_next("%") and self.ahead(1) == "of":
            self.take("%")
            return self._of(node, "%")
        return node

    def _primary(self) -> Node:
        token = self.next
        if token.kind in _LITERALS:
            self.take()
            return Node(_LITERALS[token.kind], token.text, (), token.start, token.end)
        if token.text == "(" and token.kind == "mark":
            return self._brackets()
        if token.kind != "word":
            self.odd("is not expected here")
        if token.text in _QUANTIFIERS:
            self.take()
            return Node("quantifier", token.text, (), token.start, token.end)
        if token.text == "for":
            return self._loop()
        if token.text == "with":
            return self._with()
        self.take()
        if token.text[0] in _SIGILS:
            return self._anchored(Node(_SIGILS[token.text[0]], token.text, (), token.start, token.end))
        return Node("name", token.text, (), token.start, token.end)

    def _brackets(self) -> Node:
        """An expression, or a range, in brackets."""
        start = self.take("(").start
        self._down()
        inner = self.expression()
        if self.is_next(".."):
            self.take("..")
            last = self.expression()
            inner = Node("range", "..", (inner, last), inner.start, last.end)
        self.depth -= 1
        end = self.take(")").end
        return Node(inner.kind, inner.value, inner.children, start, end)

    def _anchored(self, node: Node) -> Node:
        """`$a at 0`, `$a in (0..9)`, `#a in (0..9)`."""
        if self.is_next("at"):
            self.take()
            place = self._binary(2)
            return Node("at", node.value, (node, place), node.start, place.end)
        if self.is_next("in"):
            self.take()
            place = self._brackets()
            return Node("in", node.value, (node, place), node.start, place.end)
        return node

    def _postfix(self, node: Node) -> Node:
        """Fields, indexes and calls, as often as they follow."""
        while self.is_next(".", "[", "("):
            if node.kind not in ("name", "field", "index", "call", "offset", "length"):
                break
            mark = self.take().text
            if mark == ".":
                name = self.take()
                node = Node("field", name.text, (node,), node.start, name.end)
            elif mark == "[":
                self._down()
                index = self.expression()
                self.depth -= 1
                node = Node("index", "", (node, index), node.start, self.take("]").end)
            else:
                node = self._call(node)
        return node

    def _call(self, called: Node) -> Node:
        self._down()
        arguments: list[Node] = []
        while not self.is_next(")"):
            arguments.append(self.expression())
            if self.is_next(","):
                self.take()
            elif not self.is_next(")"):
                self.odd("stands where , or ) should")
        self.depth -= 1
        return Node("call", "", (called, *arguments), called.start, self.take(")").end)

    def _of(self, quantifier: Node, percent: str) -> Node:
        """`any of them`, `2 of ($a*, $b)`, `all of (rule_*)`, with `at` or `in` behind."""
        self.take("of")
        items = self._set()
        node = Node("of", f"{quantifier.value}{percent}", (quantifier, items), quantifier.start, items.end)
        return self._anchored(node)

    def _set(self) -> Node:
        if self.is_next("them"):
            token = self.take()
            return Node("set", "them", (), token.start, token.end)
        start = self.take("(").start
        self._down()
        items = [self.expression()]
        while self.is_next(","):
            self.take()
            items.append(self.expression())
        self.depth -= 1
        return Node("set", "", tuple(items), start, self.take(")").end)

    def _loop(self) -> Node:
        """`for any of them : (…)`, `for all i in (1..#a) : (…)`."""
        start = self.take("for").start
        self._down()
        self.counts = True
        quantifier = self._binary(len(_LEVELS) - 2)
        self.counts = False
        percent = self.take().text if self.is_next("%") else ""
        if self.is_next("of"):
            self.take()
            over, names = self._set(), ""
        else:
            words = [self.take().text]
            while self.is_next(","):
                self.take()
                words.append(self.take().text)
            self.take("in")
            over, names = self._iterable(), ",".join(words)
        self.take(":")
        self.take("(")
        body = self.expression()
        self.depth -= 1
        end = self.take(")").end
        kind = "for_in" if names else "for_of"
        return Node(kind, f"{quantifier.value}{percent}", (quantifier, over, body), start, end)

    def _iterable(self) -> Node:
        """A range, a list of values, or a module's array."""
        if not self.is_next("("):
            return self._postfix(self._primary())
        start = self.take("(").start
        first = self.expression()
        if self.is_next(".."):
            self.take()
            last = self.expression()
            return Node("range", "..", (first, last), start, self.take(")").end)
        items = [first]
        while self.is_next(","):
            self.take()
            items.append(self.expression())
        return Node("list", "", tuple(items), start, self.take(")").end)

    def _with(self) -> Node:
        """`with a = …, b = … : (…)`."""
        start = self.take("with").start
        self._down()
        values: list[Node] = []
        while True:
            self.take()
            self.take("=")
            values.append(self.expression())
            if not self.is_next(","):
                break
            self.take()
        self.take(":")
        self.take("(")
        body = self.expression()
        self.depth -= 1
        return Node("with", "", (*values, body), start, self.take(")").end)

    def _down(self) -> None:
        self.depth += 1
        if self.depth > RULE_CONDITION_DEPTH_MAX:
            raise ConditionDeep(self.next.start, f"is nested deeper than {RULE_CONDITION_DEPTH_MAX}")
