"""The headers of a tar archive, read in order: ustar, GNU long names and sparse files, pax.

1. Each header's checksum must hold; what does not hold ends the archive as damaged.
2. Sizes are claims: they say how far to read on, never how much to allocate.
3. Links, devices and directories carry no bytes, whatever their size field says, as in GNU tar.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ringfence.detect.byte_source import ByteStream
from ringfence.model.limits import ARCHIVE_ATTRIBUTES_BYTES_MAX, ARCHIVE_NAME_BYTES_MAX

BLOCK_BYTES: Final = 512
_CHECKSUM: Final = slice(148, 156)
_CHECKSUM_SPACES: Final = b" " * 8
_SIZE: Final = slice(124, 136)
_TYPE: Final = slice(156, 157)
_PREFIX: Final = slice(345, 500)
_USTAR: Final = slice(257, 263)
_BASE_256: Final = 0x80
_WITHOUT_BYTES: Final = frozenset(b"123456")
_SPARSE_MORE_IN_HEADER: Final = 482
_SPARSE_MORE_IN_BLOCK: Final = 504


class TarDamaged(Exception):
    """The next header is not one, or the archive is cut off."""


class TarBound(Exception):
    """A name or a block of attributes is larger than we read."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """One header.  Its `length_bytes` follow in the stream and `padding_bytes` behind them."""

    name: str
    length_bytes: int
    padding_bytes: int


def tar_members(stream: ByteStream) -> Iterator[TarMember]:
    """The members of the archive at the stream's place.

    The caller takes `length_bytes + padding_bytes` from the stream before it asks for the next one.  Raises TarDamaged
    or TarBound.
    """
    name = ""
    size: int | None = None
    while True:
        header = stream.read(BLOCK_BYTES)
        if not header.strip(b"\0"):
            return
        if len(header) < BLOCK_BYTES or not _checksum_holds(header):
            raise TarDamaged
        kind = header[_TYPE]
        claimed = _number(header[_SIZE])
        if kind == b"L":
            name = _text(_block(stream, claimed, ARCHIVE_NAME_BYTES_MAX).rstrip(b"\0"))
        elif kind == b"K":
            _block(stream, claimed, ARCHIVE_NAME_BYTES_MAX)
        elif kind in (b"x", b"g"):
            name, size = _attributes(_block(stream, claimed, ARCHIVE_ATTRIBUTES_BYTES_MAX), name, size)
        else:
            if kind == b"S" and header[_SPARSE_MORE_IN_HEADER]:
                _skip_sparse_map(stream)
            length = 0 if kind[0] in _WITHOUT_BYTES else claimed if size is None else size
            yield TarMember(name or _own_name(header), length, -length % BLOCK_BYTES)
            name, size = "", None


def _checksum_holds(header: bytes) -> bool:
    """The sum of the header's bytes, the checksum's own taken as spaces; some old tools add signed bytes."""
    try:
        claimed = _number(header[_CHECKSUM])
    except TarDamaged:
        return False
    rest = header[: _CHECKSUM.start] + _CHECKSUM_SPACES + header[_CHECKSUM.stop :]
    return claimed == sum(rest) or claimed == sum(memoryview(rest).cast("b"))


def _number(field: bytes) -> int:
    """Octal text, or GNU's base 256 for what is too large for it.  Raises TarDamaged."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0", 1)[0].strip()
    try:
        number = int(text or b"0", 8)
    except ValueError:
        raise TarDamaged from None
    if number < 0:
        raise TarDamaged
    return number


def _block(stream: ByteStream, length: int, most: int) -> bytes:
    """The bytes behind a header that describes the next one."""
    if length > most:
        raise TarBound
    data = stream.read(length)
    stream.read(-length % BLOCK_BYTES)
    if len(data) < length:
        raise TarDamaged
    return data


def _attributes(block: bytes, name: str, size: int | None) -> tuple[str, int | None]:
    r"""Name and size as pax records (`LENGTH KEY=VALUE\\n`) override them.  Raises TarDamaged."""
    while block:
        length_text, space, _ = block.partition(b" ")
        if not space or not length_text.isdigit() or len(length_text) > len(str(ARCHIVE_ATTRIBUTES_BYTES_MAX)):
            raise TarDamaged
        length = int(length_text)
        if not len(length_text) + 1 < length <= len(block):
            raise TarDamaged
        key, _, value = block[len(length_text) + 1 : length - 1].partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            if not value.isdigit() or len(value) > len(str(2**63)):
                raise TarDamaged
            size = int(value)
        block = block[length:]
    return name, size


def _skip_sparse_map(stream: ByteStream) -> None:
    """Old GNU sparse files: further blocks of the map follow the header."""
    while True:
        block = stream.read(BLOCK_BYTES)
        if len(block) < BLOCK_BYTES:
            raise TarDamaged
        if not block[_SPARSE_MORE_IN_BLOCK]:
            return


def _own_name(header: bytes) -> str:
    """Name field, with ustar's prefix before it."""
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[_PREFIX].split(b"\0", 1)[0] if header[_USTAR] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(raw: bytes) -> str:
    """A name for a report: undecodable bytes as escapes."""
    return raw[:ARCHIVE_NAME_BYTES_MAX].decode("utf-8", "backslashreplace")
