"""Events are text, once and for all, whatever a sensor gives."""

import pytest

from ringfence.detect.events import EventValue, normalise, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("é", "é"),
        ("a\udcffb", "a\\udcffb"),
        (b"/bin/sh", "/bin/sh"),
        (b"\xff\xc3\xa9", "\\xffé"),
        (0, "0"),
        (-7, "-7"),
        (True, "true"),
        (False, "false"),
        (5.5, "5.5"),
        (float("nan"), "nan"),
    ],
)
def test_every_value_becomes_text(value: str | bytes | float, text: str) -> None:
    assert text_of(value) == text
    text_of(value).encode()


def test_an_integer_that_python_does_not_write_becomes_text() -> None:
    huge = 10**5_000
    assert text_of(huge) == hex(huge)


def test_what_is_missing_stays_missing_and_fields_are_in_order() -> None:
    raw: dict[str, EventValue] = {"b": "", "a": None, "A": 1}
    event = normalise("process_creation", raw)
    assert list(event.fields.items()) == [("A", "1"), ("b", "")]
    assert event.event_type == "process_creation"
