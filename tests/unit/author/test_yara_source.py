"""Rules are read with their text, and their text means the same again."""

import pytest
import yara_x

from ringfence.author.yara_source import SourceReader, literal_text, referred, unescaped
from ringfence.model.errors import ContentRefused

SOURCE = r"""
import "pe"
private rule Helper : tag_a tag_b { meta: score = 7 yes = true text = "a \"b\" \\ \x41" condition: filesize > 1 }
rule Subject { strings: $a = "}" $b = { 7D [1-2] /* } */ 7D } $c = /a\/}{1,2}/ condition: Helper and any of ($*) // }
}
"""


def test_text_compiles_and_reads_back_the_same() -> None:
    rules = SourceReader().read(SOURCE, "f.yar")
    text = "\n".join(rule.text() for rule in rules)
    compiler = yara_x.Compiler()
    compiler.add_source(text)
    assert [rule.identifier for rule in compiler.build()] == ["Helper", "Subject"]
    again = SourceReader().read(text, "f.yar")
    assert [(rule.metadata, rule.terms, rule.patterns, rule.tags) for rule in again] == [
        (rule.metadata, rule.terms, rule.patterns, rule.tags) for rule in rules
    ]
    assert rules[0].meta("none", "text") == 'a "b" \\ A'
    assert rules[0].meta("score") == "7"


def test_a_rule_can_be_renamed() -> None:
    rule = SourceReader().read("rule a { condition: filesize > 1 }", "f.yar")[0]
    assert rule.text("b").startswith("rule b {")


def test_finds_what_a_rule_refers_to() -> None:
    rules = SourceReader().read(SOURCE + "rule Many { condition: any of (Hel*) }", "f.yar")
    names = [rule.identifier for rule in rules]
    assert [referred(rule, names) for rule in rules] == [set(), {"Helper"}, {"Helper"}]


@pytest.mark.parametrize(
    "text", ["rule a {", "rule a { condition: }", "rule { condition: true }", "rule a { condition: \xff\x01 }", "}{"]
)
def test_refuses_what_is_not_yara(text: str) -> None:
    reader = SourceReader()
    with pytest.raises(ContentRefused) as caught:
        reader.read(text, "f.yar")
    assert caught.value.file == "f.yar"
    assert reader.read("rule a { condition: filesize > 1 }", "g.yar")


@pytest.mark.parametrize("text", ["", "plain", 'a"b', "a\\b", "line\nline\ttab\r", "\\x41"])
def test_literals_come_back(text: str) -> None:
    assert unescaped(literal_text(text)) == text
