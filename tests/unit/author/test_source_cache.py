"""What was read before is not read again, and nothing odd in the cache is believed."""

from pathlib import Path

import pytest
from tests.unit.author.test_yara_source import SOURCE

from ringfence.author.proof_cache import FILE_NAME, ProofCache
from ringfence.author.source_cache import RememberingReader
from ringfence.author.yara_source import SourceReader
from ringfence.model.errors import ContentRefused
from ringfence.wire.canonical import JsonValue


def test_a_known_text_gives_the_same_rules_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SourceReader().read(SOURCE, "a.yar")
    with ProofCache(tmp_path) as cache:
        assert RememberingReader(cache).read(SOURCE, "a.yar") == plain
    with ProofCache(tmp_path) as cache:
        reader = RememberingReader(cache)
        monkeypatch.setattr(SourceReader, "__init__", None)  # making a parser would fail
        again = reader.read(SOURCE, "moved/b.yar")
        assert reader.remembered == 1
    assert {rule.file for rule in again} == {"moved/b.yar"}
    assert [rule.text() for rule in again] == [rule.text() for rule in plain]
    assert [(rule.terms, rule.modules, rule.patterns, rule.line) for rule in again] == [
        (rule.terms, rule.modules, rule.patterns, rule.line) for rule in plain
    ]


def test_another_text_is_read() -> None:
    with ProofCache(None) as cache:
        reader = RememberingReader(cache)
        reader.read(SOURCE, "a.yar")
        assert [rule.identifier for rule in reader.read("rule Other { condition: false }", "a.yar")] == ["Other"]
        assert reader.remembered == 0


def test_what_is_no_yara_is_refused_each_time(tmp_path: Path) -> None:
    with ProofCache(tmp_path) as cache:
        for _ in range(2):
            with pytest.raises(ContentRefused, match="is not YARA"):
                RememberingReader(cache).read("rule {", "a.yar")
    assert (tmp_path / FILE_NAME).read_bytes() == b""


ODD: dict[str, JsonValue] = {
    "no list": {"rules": []},
    "no rule": ["rule"],
    "a field less": [{"identifier": "A"}],
    "nothing": None,
}
ROW: dict[str, JsonValue] = {
    "identifier": "A", "line": 1, "private": False, "is_global": False, "tags": [], "metadata": [["a", "b"]],
    "patterns": [{"name": "$a", "kind": "text", "value": '"a"', "modifiers": []}], "terms": ["$a"], "modules": [],
    "raw_patterns": "", "raw_condition": "condition: $a",
}  # fmt: skip
WRONG: dict[str, JsonValue] = {
    "identifier": 1, "line": True, "private": 0, "is_global": "no", "tags": "tag", "metadata": [["a"]],
    "patterns": [{"name": "$a"}], "terms": [1], "modules": None, "raw_patterns": [], "raw_condition": None,
}  # fmt: skip


class Planted(ProofCache):
    """A cache that answers everything with one value."""

    def __init__(self, value: JsonValue) -> None:
        super().__init__(None)
        self.value = value

    def get(self, key: str) -> JsonValue:
        """The planted one."""
        del key
        return self.value


@pytest.mark.parametrize(
    "value", [*ODD.values(), *([{**ROW, name: wrong}] for name, wrong in WRONG.items()), [{**ROW, "more": 1}]]
)
def test_an_odd_memory_is_as_if_it_were_not_there(value: JsonValue) -> None:
    reader = RememberingReader(Planted(value))
    rules = reader.read(SOURCE, "a.yar")
    assert [rule.identifier for rule in rules] == ["Helper", "Subject"]
    assert reader.remembered == 0
    assert RememberingReader(Planted([ROW])).read(SOURCE, "a.yar")[0].identifier == "A"
