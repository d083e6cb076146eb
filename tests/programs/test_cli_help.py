"""`--help` after every command, as a person sees it."""

import pytest

from ringfence.programs.cli import COMMANDS, main


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `ringfence COMMAND --help` prints."""
    with pytest.raises(SystemExit) as left:
        main([*command.split(" "), "--help"])
    assert left.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_no_formatting_mark_is_shown(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(command, capsys)
    assert text.startswith(f"Usage: ringfence {command} [OPTIONS]")
    assert [mark for mark in ("\\b", "\b", "......", "[[") if mark in text.replace("...}...", "......")] == []


def test_examples_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = help_of("host install", capsys).splitlines()
    assert "    ringfence host install --protect /srv --dry-run" in lines
    assert "    ringfence host install --protect /srv --protect /home && systemctl start ringfence" in lines
    token = "    ringfence server --state /var/lib/ringfence --enrolment-token --uses 50"
    assert token in help_of("server", capsys).splitlines()
    assert "    ringfence scan /srv /home" in help_of("scan", capsys).splitlines()
