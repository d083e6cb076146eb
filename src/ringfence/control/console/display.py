"""How values look on a page: pure functions from a value to text or markup.

Every string that came from a host is hostile: a file name may hold HTML, control characters, right-to-left overrides,
a hundred combining marks on one letter, or 4 KiB without a space.  `visible` is the one way such a string gets on a
page: it escapes, shows each invisible or reordering character as a labelled escape, and changes nothing of the rest.
Nothing here reads a clock: `now_unix_ms` is an argument.
"""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from ringfence.model.limits import CONSOLE_COMBINING_MARKS_MAX, CONSOLE_TEXT_CHARACTERS_MAX

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS

_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_BYTE_MAX: Final = 0xFF
_PLANE_MAX: Final = 0xFFFF
_SHORT_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def _escape_of(character: str) -> Markup:
    code = ord(character)
    short = _SHORT_ESCAPES.get(character)
    if short is None:
        short = f"\\x{code:02x}" if code <= _BYTE_MAX else f"\\u{code:04x}" if code <= _PLANE_MAX else f"\\U{code:08x}"
    name = unicodedata.name(character, "CONTROL" if unicodedata.category(character) == "Cc" else "UNNAMED")
    return Markup('<span class="escape" title="U+{:04X} {}">{}</span>').format(code, name, short)


def visible(text: str) -> Markup:
    """`text` as markup: escaped, invisible characters shown as escapes, cut at `CONSOLE_TEXT_CHARACTERS_MAX`."""
    cut = text[:CONSOLE_TEXT_CHARACTERS_MAX]
    if cut.isascii() and cut.isprintable():
        shown = escape(cut)
    else:
        parts: list[Markup] = []
        marks = 0
        for character in cut:
            category = unicodedata.category(character)
            marks = marks + 1 if category.startswith("M") else 0
            hidden = category in _INVISIBLE_CATEGORIES and character != " "
            parts.append(_escape_of(character) if hidden or marks > CONSOLE_COMBINING_MARKS_MAX else escape(character))
        shown = Markup("").join(parts)
    if len(text) > len(cut):
        shown += Markup('<span class="escape" title="cut here by the console">… {} more characters</span>').format(
            len(text) - len(cut),
        )
    return shown


def visible_lines(text: str) -> Markup:
    """What a person wrote, with its line breaks; every other invisible character is shown as by `visible`."""
    lines = text.replace("\r\n", "\n").split("\n")
    return Markup("\n").join(visible(line) for line in lines)


def visible_text(text: str) -> str:
    """As `visible`, without markup: for attributes and titles, which the template then escapes."""
    return visible(text).striptags()


@dataclass(frozen=True, slots=True)
class PathParts:
    """A path cut for display: `directory` ends with its slash and may be ""; `name` is never cut off by the layout."""

    directory: str
    name: str


def path_parts(path: str) -> PathParts:
    """Cut `path` behind its last slash (a trailing slash stays with the name)."""
    cut = path.rstrip("/").rfind("/") + 1
    return PathParts(path[:cut], path[cut:])


def middle_cut(text: str, characters_max: int) -> str:
    """`text`, or its two ends around an ellipsis when it is longer than `characters_max`."""
    if len(text) <= characters_max:
        return text
    head = (characters_max - 1) // 2
    return text[:head] + "…" + text[len(text) - (characters_max - 1 - head) :]


def absolute_time(at_unix_ms: int) -> str:
    """The moment in UTC to the second, such as `2026-07-19 04:09:00 UTC`; outside of the calendar its raw number."""
    try:
        return datetime.fromtimestamp(at_unix_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{at_unix_ms} ms"


def machine_time(at_unix_ms: int) -> str:
    """The moment for a `datetime` attribute, or "" outside of the calendar."""
    try:
        return datetime.fromtimestamp(at_unix_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return ""


def relative_time(at_unix_ms: int, now_unix_ms: int) -> str:
    """How long ago, in one unit: `just now`, `4 min ago`, `3 h ago`, `2 d ago`; older than 30 days is a date.

    A host's clock may run ahead: a moment in the future reads `in 4 min`.
    """
    distance = now_unix_ms - at_unix_ms
    if abs(distance) < 45 * _SECOND_MS:
        return "just now"
    if abs(distance) >= 30 * _DAY_MS:
        return absolute_time(at_unix_ms)[:10]
    amount = duration(abs(distance))
    return f"{amount} ago" if distance > 0 else f"in {amount}"


def duration(span_ms: int) -> str:
    """A span of time in its largest whole unit: `12 s`, `4 min`, `3 h`, `2 d`."""
    if span_ms < _MINUTE_MS:
        return f"{span_ms // _SECOND_MS} s"
    if span_ms < _HOUR_MS:
        return f"{span_ms // _MINUTE_MS} min"
    if span_ms < 2 * _DAY_MS:
        return f"{span_ms // _HOUR_MS} h"
    return f"{span_ms // _DAY_MS} d"


def size_text(size_bytes: int) -> str:
    """A size with a binary unit: `68 B`, `4.0 KiB`, `1.5 MiB`."""
    if size_bytes < 1_024:  # noqa: PLR2004 - one KiB
        return f"{size_bytes} B"
    size = size_bytes / 1_024
    for unit in ("KiB", "MiB", "GiB"):
        if size < 1_024:  # noqa: PLR2004 - the next unit
            return f"{size:.1f} {unit}"
        size /= 1_024
    return f"{size:.1f} TiB"


def count_text(count: int) -> str:
    """A count with thin groups of three: `12 345`."""
    return f"{count:,}".replace(",", "\u202f")


def words(identifier: str) -> str:
    """A machine's word for a person: `spared_vital` becomes `spared vital`."""
    return identifier.replace("_", " ")


@dataclass(frozen=True, slots=True)
class DumpLine:
    """One line of a hex dump: where it starts in the file, its bytes in hex, and their printable form."""

    offset_hex: str
    bytes_hex: str
    printable: str


def hex_dump(excerpt_hex: str, offset_bytes: int, *, width_bytes: int = 16) -> tuple[DumpLine, ...]:
    """The excerpt as dump lines of `width_bytes`; an excerpt that is not hex gives no lines."""
    try:
        excerpt = bytes.fromhex(excerpt_hex)
    except ValueError:
        return ()
    lines = []
    for start in range(0, len(excerpt), width_bytes):
        piece = excerpt[start : start + width_bytes]
        printable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in piece)  # noqa: PLR2004 - ASCII printable
        lines.append(DumpLine(f"{offset_bytes + start:08x}", piece.hex(" ").ljust(width_bytes * 3 - 1), printable))
    return tuple(lines)


def technique_address(technique: str) -> str:
    """The public page of an ATT&CK technique, or "" when the text is not one (`T1505` or `T1505.003`)."""
    head, _, tail = technique.partition(".")
    if not (head.startswith("T") and len(head) == 5 and head[1:].isascii() and head[1:].isdigit()):  # noqa: PLR2004 - T and four digits
        return ""
    if "." in technique and not (len(tail) == 3 and tail.isascii() and tail.isdigit()):  # noqa: PLR2004 - three digits
        return ""
    return (
        f"https://attack.mitre.org/techniques/{head}/{tail}/"
        if tail
        else f"https://attack.mitre.org/techniques/{head}/"
    )


def safe_link(reference: str) -> str:
    """`reference` when it is a plain http or https address without invisible characters; "" when it is only text."""
    if not (reference.isascii() and reference.isprintable()) or " " in reference:
        return ""
    try:
        parts = urlsplit(reference)
    except ValueError:
        return ""
    return reference if parts.scheme in {"http", "https"} and parts.hostname and not parts.username else ""
