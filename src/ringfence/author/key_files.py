"""Key files on an author's disk: written private, read strictly, and refused where others could read them."""

import stat
from pathlib import Path
from typing import Final

from ringfence.author.whole_file import write_whole
from ringfence.model.errors import KeyRefused, PathRefused
from ringfence.model.limits import KEY_FILE_BYTES_MAX
from ringfence.wire.key_document import KeyDocument, NoSecret, decode_key, encode_key

_PRIVATE_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def write_key_pair(key: KeyDocument, path: Path) -> Path:
    """Write the key (0600) and its public half beside it (`.pub`); returns the latter's path.

    Raises PathRefused, also when a file is there already: a key is never overwritten.
    """
    public = path.with_suffix(".pub")
    for one in (path, public):
        if one.exists():
            raise PathRefused(f"{one} is there already", "name another file: a key is never overwritten")
    write_whole(path, encode_key(key), mode=_PRIVATE_MODE)
    write_whole(public, encode_key(key.public_half()))
    return public


def read_key(path: Path) -> KeyDocument:
    """A key file, with or without its secret.  Raises PathRefused or KeyRefused."""
    try:
        with path.open("rb") as file:
            data = file.read(KEY_FILE_BYTES_MAX + 1)
            mode = path.stat().st_mode
    except OSError as error:
        way_out = "name a file that `ringfence keys create` has written"
        raise PathRefused(f"{path}: {error.strerror}", way_out) from error
    key = decode_key(data, file=str(path))
    if not isinstance(key.secret, NoSecret) and mode & _OTHERS:
        raise KeyRefused(
            f"{path}: others may reach this secret (mode {stat.S_IMODE(mode):04o})",
            f"chmod 0600 {path}; if others were there, revoke the key",
        )
    return key
