"""Asking for a passphrase: on the terminal, or from a file that only its owner reads."""

import getpass
import stat
import sys
from pathlib import Path

from ringfence.model.errors import KeyRefused, PathRefused, UsageRefused
from ringfence.model.limits import KEY_PASSPHRASE_BYTES_MAX, KEY_PASSPHRASE_CHARACTERS_MIN


def new_passphrase(file: Path | None) -> str:
    """A passphrase for a new key, typed twice or read from `file`.  Raises KeyRefused when it is too short."""
    words = _read(file) if file is not None else _typed("passphrase for the new key: ")
    if file is None and words != _typed("the same again: "):
        raise KeyRefused("the two passphrases differ", "run it again")
    if len(words) < KEY_PASSPHRASE_CHARACTERS_MIN:
        raise KeyRefused(
            f"the passphrase has {len(words)} characters, at least {KEY_PASSPHRASE_CHARACTERS_MIN} are wanted",
            "take five words that nobody would put together",
        )
    return words


def passphrase(what: str, file: Path | None) -> str:
    """The passphrase or PIN of `what`."""
    return _read(file) if file is not None else _typed(f"passphrase or PIN of {what}: ")


def _typed(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise UsageRefused("there is no terminal to ask for a passphrase", "name a file with --passphrase-file")
    return getpass.getpass(prompt)


def _read(file: Path) -> str:
    try:
        if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO) and file.is_file():
            raise KeyRefused(f"{file}: others may read this passphrase", f"chmod 0600 {file}")
        with file.open("rb") as source:
            data = source.read(KEY_PASSPHRASE_BYTES_MAX + 1)
        words = data.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PathRefused(f"{file} cannot be read: {error}", "name a file with the passphrase in it") from error
    if len(data) > KEY_PASSPHRASE_BYTES_MAX:
        raise PathRefused(f"{file} is too long for a passphrase", "name a file with the passphrase in it")
    return words
