"""The engine's compiler in a child: everything that it says, and a word for the file that kills it."""

from collections.abc import Sequence

from ringfence.author.finding import Level, in_order
from ringfence.author.lint_engine import Diagnostic, EngineChild, diagnostics_of
from ringfence.author.lint_yara import LintedFile
from ringfence.author.yara_file import read_yara

FINE = 'rule fine { strings: $a = "a-name-of-malware" condition: $a }\n'


def file_of(text: str) -> LintedFile:
    """A file called `f.yar`."""
    return LintedFile("f.yar", text, read_yara(text))


def test_all_errors_and_warnings_at_once() -> None:
    text = (
        "rule a { condition: nothing_such }\n"
        "rule b { strings: $a = /(a+)+b/ $b = { 61 62 63 64 } condition: any of them }\n"
        "rule c { condition: true }\n"
        'include "x.yar"\n'
    )
    with EngineChild() as engine:
        found = in_order(engine.findings(file_of(text)))
    assert [(one.line, one.column, one.code, one.level, one.rule) for one in found] == [
        (1, 21, "yara/unknown-name", Level.ERROR, "a"),
        (2, 19, "yara/slow-pattern", Level.ERROR, "b"),
        (2, 38, "yara/engine-warning", Level.WARNING, "b"),
        (3, 21, "yara/invariant", Level.ERROR, "c"),
        (4, 1, "yara/include", Level.ERROR, ""),
    ]


def test_columns_count_characters() -> None:
    text = 'rule a { strings: $a = "\u00e9\u00e9\u00e9 malware" condition: $a and nothing_such }'
    with EngineChild() as engine:
        (finding,) = engine.findings(file_of(text))
    assert text[finding.column - 1 :].startswith("nothing_such")
    assert finding.rule == "a"


class HeavyEngine(EngineChild):
    """A compiler that dies of everything that is heavy."""

    def _ask(self, source: str) -> Sequence[Diagnostic] | str:
        return "the compiler died of it" if "heavy" in source else []


def test_a_file_that_costs_too_much_names_the_rule_that_does() -> None:
    engine = HeavyEngine()
    text = f'import "math"\n{FINE}rule heavy {{ condition: filesize > 1 }}\n{FINE.replace("fine", "fine_too")}'
    (finding,) = engine.findings(file_of(text))
    assert (finding.code, finding.rule, finding.line, finding.column) == ("yara/compile-cost", "heavy", 3, 6)
    assert engine.findings(file_of(FINE)) == []


def test_a_child_that_is_gone_is_told_of() -> None:
    with EngineChild() as engine:
        assert engine.findings(file_of(FINE)) == []
        assert engine._running is not None
        child = engine._running[0]
        child.kill()
        child.join()
        (finding,) = engine.findings(file_of("// nothing"))
        assert (finding.code, finding.line) == ("yara/compile-cost", 1)
        assert engine.findings(file_of(FINE)) == []


def test_what_the_engine_refuses_without_a_word_has_a_place_all_the_same() -> None:
    assert diagnostics_of(FINE) == []
    rows = diagnostics_of("rule a { condition: " + "not " * 100_000 + "true }")
    assert rows
    assert all(line >= 1 and column >= 1 and text for _, _, line, column, text in rows)
