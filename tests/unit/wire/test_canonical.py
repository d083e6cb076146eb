"""Canonical JSON: one spelling for each value."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.model import limits
from ringfence.model.errors import ContentRefused
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-limits.JSON_INTEGER_MAX, limits.JSON_INTEGER_MAX)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=8,
)


def read(data: bytes) -> JsonValue:
    """Decode `data` within a small bound."""
    return canonical.decode(data, file="document", bytes_max=1 << 20)


@settings(max_examples=300)
@given(VALUES)
def test_what_is_encoded_comes_back(value: JsonValue) -> None:
    data = canonical.encode(value)
    try:
        assert read(data) == value
    except ContentRefused as error:
        assert "nested" in error.what  # noqa: PT017 - the one reason that a drawn value may be refused


def spellings(value: JsonValue) -> list[bytes]:
    """Other ways to write `value`."""
    ways = (
        json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), indent=1),
        json.dumps(value, sort_keys=True, ensure_ascii=False),
        json.dumps(value, sort_keys=True, separators=(",", ":")),
    )
    return [way.encode() for way in ways]


@settings(max_examples=300)
@given(VALUES)
def test_another_spelling_is_refused(value: JsonValue) -> None:
    for spelling in spellings(value):
        if spelling != canonical.encode(value):
            with pytest.raises(ContentRefused):
                read(spelling)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1 ",
        b"1\n",
        b"\xef\xbb\xbf1",
        b"\xff",
        b"01",
        b"-0",
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"1" * 100_000,
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a":1,}',
        b"[1,]",
        b"[1 ,2]",
        b"{'a':1}",
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b'{"\\udc00":1}',
        b'"\xed\xa0\x80"',
        b'"\x01"',
        b'"' * 99_999,
        b'["' + b'\\"' * 300_000,
        b"[" * 100_000,
        b"[" * 9 + b"]" * 9,
        b"[" + b"[]," * 131_072 + b"0]",
        b'{"a":' * 1000,
        b"{" + b",".join(b'"%05d":0' % number for number in range(1025)) + b"}",
        b"nul",
        b"//x\n1",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(ContentRefused) as caught:
        read(data)
    assert caught.value.file == "document"


def test_refuses_what_is_too_long() -> None:
    with pytest.raises(ContentRefused, match="more than the 3 allowed"):
        canonical.decode(b'"aaa"', file="document", bytes_max=3)


@pytest.mark.parametrize("value", [float("nan"), b"x", "\ud800", {"\udfff": 1}, {"a": {1, 2}}])
def test_does_not_encode(value: object) -> None:
    with pytest.raises(ContentRefused):
        canonical.encode(value)  # type: ignore[arg-type]  # the point of the test


def test_fields_refuse_by_place() -> None:
    row = Fields({"a": "x\x1b[2J", "b": True, "c": ["z", "a"]}, frozenset("abc"), file="f", place="/rows/0")
    for attempt, place in (
        (lambda: row.text("a", 100), "/rows/0/a"),
        (lambda: row.text("a", 2), "/rows/0/a"),
        (lambda: row.integer("b", 0, 5), "/rows/0/b"),
        (lambda: row.flag("a"), "/rows/0/a"),
        (lambda: row.items("a", 5), "/rows/0/a"),
        (lambda: row.items("c", 1), "/rows/0/c"),
        (lambda: row.words("c", frozenset("az")), "/rows/0/c"),
        (lambda: row.inner("c", frozenset()), "/rows/0/c"),
        (lambda: row.one_of("c", frozenset("a")), "/rows/0/c"),
    ):
        with pytest.raises(ContentRefused) as caught:
            attempt()
        assert (caught.value.file, caught.value.position) == ("f", place)


@pytest.mark.parametrize("value", [{}, {"a": 1, "b": 2}, [], None, "a", {"b": 1}])
def test_fields_want_exactly_the_names(value: JsonValue) -> None:
    with pytest.raises(ContentRefused):
        Fields(value, frozenset("a"), file="f")


def test_a_reader_may_set_its_own_bounds_of_shape() -> None:
    nested = b"[[[[[[[[[1]]]]]]]]]"
    with pytest.raises(ContentRefused, match="nested deeper than 8"):
        canonical.decode(nested, file="x", bytes_max=100)
    assert canonical.decode(nested, file="x", bytes_max=100, depth_max=9) == [[[[[[[[[1]]]]]]]]]
    with pytest.raises(ContentRefused, match="more than 2 lists"):
        canonical.decode(b"[[],[]]", file="x", bytes_max=100, containers_max=2)
