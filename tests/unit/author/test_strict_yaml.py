"""YAML as people mean it: each value with its place, and everything that readers disagree on refused."""

import datetime as dt
import random
from typing import Final

import pytest
import yaml
from tests.unit.author.sigma_texts import GOOD

from ringfence.author.strict_yaml import Place, read_document
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import YAML_DEPTH_MAX, YAML_NODES_MAX

FILE: Final = "sigma/a.yml"


def refused(text: str) -> ContentRefused:
    with pytest.raises(ContentRefused) as caught:
        read_document(text, FILE)
    assert caught.value.file == FILE
    return caught.value


def test_values_and_their_places() -> None:
    document = read_document("a:\n  - x\n  - b: 5\nc: ~\nd: 2026-11-01\ne: -1.50\nf: true\n'g h': \"yes\"\n", FILE)
    assert document.value == {
        "a": ["x", {"b": 5}], "c": None, "d": dt.date(2026, 11, 1), "e": -1.5, "f": True, "g h": "yes",
    }  # fmt: skip
    assert document.place("a") == Place(1, 1)
    assert document.place("a", 0) == Place(2, 5)
    assert document.place("a", 1, "b") == Place(3, 5)
    assert document.place("g h") == Place(8, 1)
    assert document.place("a", 1, "b", "no such", 7) == Place(3, 5)
    assert document.place("no such") == Place(1, 1)


def test_it_reads_what_the_library_reads() -> None:
    assert read_document(GOOD, FILE).value == yaml.safe_load(GOOD)


@pytest.mark.parametrize(
    ("text", "reason", "position"),
    [
        ("", "is empty", "1:1"),
        ("# nothing\n", "is empty", "1:1"),
        ("a: 1\na: 2\n", "'a' is repeated", "2:1"),
        ("a:\n  b: 1\n  'b': 2\n", "'b' is repeated", "3:3"),
        ("a: &x 1\nb: *x\n", "aliases", "2:4"),
        ("a: !!python/object/apply:os.system ['true']\n", "tags", "1:4"),
        ("a: !mine 5\n", "tags", "1:4"),
        ("<<: {a: 1}\n", "merge keys", "1:1"),
        ("? [a]\n: 1\n", "a key must be text", "1:3"),
        ("a: 1\n---\nb: 2\n", "more than one document", "2:1"),
        ("a: [1\n", "is not YAML", "2:1"),
        ("a: 'x\n", "is not YAML", "2:1"),
        ("\ta: 1\n", "is not YAML", "1:1"),
        ("a: \x01\n", "is not YAML", "1:1"),
        ("a: yes\n", "'yes' is a bool", "1:4"),
        ("a: 010\n", "'010' is a int", "1:4"),
        ("a: 0x1F\n", "'0x1F' is a int", "1:4"),
        ("a: 1_000\n", "'1_000' is a int", "1:4"),
        ("a: 190:20:30\n", "is a int", "1:4"),
        ("a: 1.5e+3\n", "is a float", "1:4"),
        ("a: .inf\n", "'.inf' is a float", "1:4"),
        ("a: 2026-02-30\n", "is no date", "1:4"),
        ("a: 2026-11-01T10:00:00Z\n", "is a timestamp", "1:4"),
        ("a: True\n", "'True' is a bool", "1:4"),
        ("x: " + "[" * (YAML_DEPTH_MAX + 1), "nested deeper than 32", "1:35"),
        ("[" * 100_000, "nested deeper than 32", "1:33"),
    ],
)
def test_what_is_riddle_or_bomb_is_refused_where_it_stands(text: str, reason: str, position: str) -> None:
    error = refused(text)
    assert reason in str(error)
    assert error.position == position


def test_too_many_values() -> None:
    assert f"more than {YAML_NODES_MAX} values" in str(refused("- 1\n" * (YAML_NODES_MAX + 1)))


def test_damage_is_refused_or_read() -> None:
    """3,000 damaged files: a document or ContentRefused, nothing else."""
    refusals = 0
    for seed in range(3_000):
        chance = random.Random(seed)
        text = list(GOOD)
        for _ in range(chance.choice((1, 2, 8))):
            text[chance.randrange(len(text))] = chance.choice("\n\t :-?*&!|>'\"[]{}#%@`,\x00\ud800é0")
        try:
            read_document("".join(text), FILE)
        except ContentRefused:
            refusals += 1
    assert 500 < refusals < 3_000
