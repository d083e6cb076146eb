"""How values look on a page."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.control.console import display
from ringfence.model.limits import CONSOLE_TEXT_CHARACTERS_MAX

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@given(st.text(max_size=300))
def test_no_hidden_character_and_no_markup_of_the_text_survives(text: str) -> None:
    shown = str(display.visible(text))
    assert not any(unicodedata.category(character) in HIDDEN for character in shown)
    assert shown.count("<") == shown.count('<span class="escape"') * 2


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert display.visible(text).unescape() == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", '<span class="escape" title="U+202E RIGHT-TO-LEFT OVERRIDE">\\u202e</span>'),
        ("a\nb", '<span class="escape" title="U+000A CONTROL">\\n</span>'),
        ("a\x1bb", '<span class="escape" title="U+001B CONTROL">\\x1b</span>'),
        ("a\U000e0041b", '<span class="escape" title="U+E0041 TAG LATIN CAPITAL LETTER A">\\U000e0041</span>'),
        ("a\u00a0b", '<span class="escape" title="U+00A0 NO-BREAK SPACE">\\xa0</span>'),
    ],
)
def test_a_hidden_character_is_named(text: str, shown: str) -> None:
    assert display.visible(text) == f"a{shown}b"


def test_markup_is_escaped() -> None:
    assert display.visible('<b onclick="x">\'&') == "&lt;b onclick=&#34;x&#34;&gt;&#39;&amp;"


def test_marks_may_not_pile_up() -> None:
    assert str(display.visible("e" + "\u0301" * 9)).count("\u0301") == 2


def test_what_is_cut_is_said() -> None:
    assert "… 5 more characters" in display.visible("a" * (CONSOLE_TEXT_CHARACTERS_MAX + 5))


@pytest.mark.parametrize(
    ("path", "directory", "name"),
    [("/a/b/c", "/a/b/", "c"), ("/", "", "/"), ("c", "", "c"), ("/a/b/", "/a/", "b/"), ("", "", "")],
)
def test_the_name_is_told_from_its_directory(path: str, directory: str, name: str) -> None:
    assert display.path_parts(path) == display.PathParts(directory, name)


@pytest.mark.parametrize(
    ("ago_ms", "text"),
    [
        (0, "just now"),
        (44_999, "just now"),
        (50_000, "50 s ago"),
        (3_599_999, "59 min ago"),
        (47 * 3_600_000, "47 h ago"),
        (49 * 3_600_000, "2 d ago"),
        (-120_000, "in 2 min"),
    ],
)
def test_a_moment_is_told_by_its_distance(ago_ms: int, text: str) -> None:
    now = 1_780_000_000_000
    assert display.relative_time(now - ago_ms, now) == text


def test_an_old_moment_is_a_date_and_an_impossible_one_a_number() -> None:
    assert display.relative_time(0, 1_780_000_000_000) == "1970-01-01"
    assert display.absolute_time(2**62) == f"{2**62} ms"
    assert display.machine_time(2**62) == ""


def test_a_dump_shows_offsets_bytes_and_what_can_be_printed() -> None:
    lines = display.hex_dump((b"0123456789abcdef" + b"\x00<\xff").hex(), 412)
    assert [line.offset_hex for line in lines] == ["0000019c", "000001ac"]
    assert lines[0].printable == "0123456789abcdef"
    assert lines[1].bytes_hex.strip() == "00 3c ff"
    assert lines[1].printable == "·<·"
    assert display.hex_dump("xyz", 0) == ()


@pytest.mark.parametrize(
    ("technique", "address"),
    [
        ("T1505", "https://attack.mitre.org/techniques/T1505/"),
        ("T1505.003", "https://attack.mitre.org/techniques/T1505/003/"),
        ("T1505.", ""),
        ("T15", ""),
        ("T1505/../x", ""),
        ("", ""),
        ("\u0661\u0661\u0661\u0661\u0661", ""),
    ],
)
def test_only_a_technique_leads_anywhere(technique: str, address: str) -> None:
    assert display.technique_address(technique) == address


@pytest.mark.parametrize(
    "reference",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//x.example",
        "https://a b",
        "https://u@x.example",
        "https://[",
        "ftp://x",
        "",
    ],
)
def test_a_reference_that_is_no_web_address_is_only_text(reference: str) -> None:
    assert display.safe_link(reference) == ""


def test_a_web_address_is_a_link() -> None:
    assert display.safe_link("https://x.example/a?b=c#d") == "https://x.example/a?b=c#d"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (2**31, "2.0 GiB"), (2**50, "1024.0 TiB")]
)
def test_sizes_have_binary_units(size: int, text: str) -> None:
    assert display.size_text(size) == text
