"""The unit's text: what is in it, what must never be, and that no word of the operator becomes another."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.host.marks import place_of
from ringfence.host.systemd_unit import (
    CAPABILITIES,
    DEFAULT_STATE,
    MOUNT_NAMESPACE_OPTIONS,
    Installation,
    quoted,
    unit_text,
)
from ringfence.model.errors import PathRefused


def installation(*protected: str, state: str = DEFAULT_STATE, content: str | None = None) -> Installation:
    """An installation that protects the given paths."""
    places = tuple(place_of(path if ":" in path else f"mount:{path}") for path in protected)
    return Installation(("/usr/bin/ringfence",), state, places, "127.0.0.1:8443", "observe", content)


def options_of(text: str) -> list[tuple[str, str]]:
    """(option, value) of every line of a unit that is one."""
    return [
        (line.split("=", 1)[0], line.split("=", 1)[1]) for line in text.splitlines() if "=" in line and line[0] != "#"
    ]


def test_the_command_names_everything() -> None:
    text = unit_text(installation("/srv", "filesystem:/home", content="/etc/pack.release"))
    assert (
        "ExecStart=/usr/bin/ringfence up --state /var/lib/ringfence --protect /srv --protect filesystem:/home"
        " --listen 127.0.0.1:8443 --mode observe --boot-order /run/ringfence --content /etc/pack.release\n"
    ) in text
    assert "RequiresMountsFor=/srv /home\n" in text


def test_permissions_are_passed_on() -> None:
    plain = installation("/srv")
    assert "--allow-unproven" not in unit_text(plain)
    assert "--no-console" not in unit_text(plain)
    alone = dataclasses.replace(plain, allow_unproven=True, no_console=True)
    assert unit_text(alone).count(" --allow-unproven --no-console\n") == 1


def test_strict_and_closed_paths_are_passed_on() -> None:
    strict = dataclasses.replace(installation("/srv"), strict=True, fail_closed=("/srv/keys",))
    assert unit_text(strict).count(" --strict --fail-closed /srv/keys\n") == 1


def test_no_option_makes_a_mount_namespace() -> None:
    names = {name for name, _ in options_of(unit_text(installation("/srv")))}
    assert names.isdisjoint(MOUNT_NAMESPACE_OPTIONS)


def test_nothing_waits_for_the_sensor() -> None:
    names = {name for name, _ in options_of(unit_text(installation("/srv")))}
    assert names.isdisjoint({"Before", "RequiredBy", "BindsTo"})
    assert ("Type", "exec") in options_of(unit_text(installation("/srv")))


def test_starts_are_bounded() -> None:
    options = dict(options_of(unit_text(installation("/srv"))))
    assert int(options["StartLimitBurst"]) * int(options["RestartSec"]) < int(options["StartLimitIntervalSec"])


def test_the_bounding_set_is_the_table() -> None:
    assert dict(options_of(unit_text(installation("/srv"))))["CapabilityBoundingSet"].split() == list(CAPABILITIES)
    assert list(CAPABILITIES) == sorted(CAPABILITIES)


def test_systemd_makes_only_its_own_state_directory() -> None:
    assert "StateDirectory=ringfence\n" in unit_text(installation("/srv"))
    assert "StateDirectory" not in unit_text(installation("/srv", state="/srv/state"))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/srv/data", "/srv/data"),
        ("/srv/my data", '"/srv/my data"'),
        ("/srv/100%", '"/srv/100%%"'),
        ("/srv/$HOME", '"/srv/$$HOME"'),
        ('/srv/"x"', '"/srv/\\"x\\""'),
        ("/srv/a\\b", '"/srv/a\\\\b"'),
        ("", '""'),
    ],
)
def test_words_stand_for_themselves(word: str, expected: str) -> None:
    assert quoted(word) == expected


@pytest.mark.parametrize("letter", ["\n", "\r", "\t", "\x00", "\x1b", "\u2028", "\udcff"])
@pytest.mark.parametrize("field", ["state", "listen", "content", "fail_closed", "protected"])
def test_no_word_brings_a_line_of_its_own(field: str, letter: str) -> None:
    word = f"/srv/a{letter}ExecStartPost=/bin/false"
    values: dict[str, Any] = {"fail_closed": (word,), "protected": (place_of(f"mount:{word}"),)}
    wrong = dataclasses.replace(installation("/srv"), **{field: values.get(field, word)})
    with pytest.raises(PathRefused, match="a line break"):
        unit_text(wrong)


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"))))
def test_no_path_opens_a_line_or_a_specifier(name: str) -> None:
    line = quoted(f"/srv/{name}")
    assert "\n" not in line
    assert "%" not in line.replace("%%", "")
    assert "$" not in line.replace("$$", "")
