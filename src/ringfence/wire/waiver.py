"""Waivers: canonical JSON <-> `model.waiver`.

1. A signature is over `SIGNED_PREFIX` and the canonical bytes of the waiver itself, so that no other document that the
   same key signs can be taken for a waiver.
2. A waiver is known by the digest of its signed form.  In a book they stand in the order of these digests.
3. Nothing is verified here: hosts read waivers to show them, authors verify them (`author/waivers.py`).
"""

import datetime as dt
import hashlib
import re
from typing import Final

from ringfence.model.limits import (
    NAME_CHARACTERS_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
    RULE_TEXT_CHARACTERS_MAX,
    WAIVER_DAYS_MAX,
    WAIVER_KEYS_MAX,
    WAIVERS_BYTES_MAX,
    WAIVERS_FILES_MAX,
)
from ringfence.model.waiver import SignedWaiver, Waiver, WaiverBook, WaiverKey
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue, refuse

WAIVER_FORMAT: Final = 1
WAIVERS_NAME: Final = "waivers.json"
SIGNED_PREFIX: Final = b"ringfence waiver 1\n"

CODE: Final = re.compile(r"[a-z]+/[a-z0-9]+(?:-[a-z0-9]+)*")
FILE: Final = re.compile(rf"[^\x00-\x1f\x7f\\/][^\x00-\x1f\x7f\\]{{0,{RULE_TEXT_CHARACTERS_MAX - 1}}}")
RULE: Final = re.compile(rf"[A-Za-z0-9_-]{{0,{RULE_IDENTIFIER_CHARACTERS_MAX}}}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
PUBLIC: Final = re.compile(r"[0-9a-f]{64}")
SIGNATURE: Final = re.compile(r"[0-9a-f]{128}")
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_BOOK: Final = frozenset({"format", "keys", "waivers"})
_KEY: Final = frozenset({"name", "public"})
_SIGNED: Final = frozenset({"format", "waiver", "key", "signature"})
_WAIVER: Final = frozenset(Waiver.__dataclass_fields__)


def signed_bytes(waiver: Waiver) -> bytes:
    """What a signature is over."""
    return SIGNED_PREFIX + canonical.encode(_waiver_value(waiver))


def waiver_digest(signed: SignedWaiver) -> str:
    """What a waiver is known by."""
    return hashlib.sha256(encode_waiver(signed)).hexdigest()


def encode_waiver(signed: SignedWaiver) -> bytes:
    """The canonical bytes of one waiver."""
    return canonical.encode(_signed_value(signed))


def decode_waiver(data: bytes, file: str) -> SignedWaiver:
    """Read one waiver, which is called `file` in errors.  Raises ContentRefused."""
    value = canonical.decode(data, file=file, bytes_max=WAIVERS_BYTES_MAX)
    return _signed(Fields(value, _SIGNED, file=file))


def encode_waivers(book: WaiverBook) -> bytes:
    """The canonical bytes of a book.  Raises ContentRefused where `decode_waivers` would refuse them."""
    data = canonical.encode(
        {
            "format": WAIVER_FORMAT,
            "keys": [{"name": key.name, "public": key.public} for key in book.keys],
            "waivers": [_signed_value(signed) for signed in book.waivers],
        }
    )
    decode_waivers(data)
    return data


def decode_waivers(data: bytes) -> WaiverBook:
    """Read a book.  Raises ContentRefused."""
    top = Fields(canonical.decode(data, file=WAIVERS_NAME, bytes_max=WAIVERS_BYTES_MAX), _BOOK, file=WAIVERS_NAME)
    top.integer("format", WAIVER_FORMAT, WAIVER_FORMAT)
    keys = tuple(read_key(row) for row in top.rows("keys", WAIVER_KEYS_MAX, _KEY))
    waivers = tuple(_signed(row) for row in top.rows("waivers", WAIVERS_FILES_MAX, _SIGNED))
    _check_rising("keys", [key.public for key in keys])
    _check_rising("waivers", [waiver_digest(signed) for signed in waivers])
    known = {key.public for key in keys}
    for place, signed in enumerate(waivers):
        if signed.key not in known:
            refuse("is signed by a key that the book does not name", WAIVERS_NAME, f"/waivers/{place}")
    return WaiverBook(keys, waivers)


def read_key(row: Fields) -> WaiverKey:
    """A key that is accepted."""
    return WaiverKey(row.text("name", NAME_CHARACTERS_MAX, empty=False), row.word("public", PUBLIC))


def _signed(row: Fields) -> SignedWaiver:
    row.integer("format", WAIVER_FORMAT, WAIVER_FORMAT)
    inner = row.inner("waiver", _WAIVER)
    waiver = Waiver(
        code=inner.word("code", CODE),
        file=inner.word("file", FILE),
        rule=inner.word("rule", RULE),
        text_sha256=inner.word("text_sha256", SHA256),
        reason=inner.text("reason", RULE_TEXT_CHARACTERS_MAX, empty=False),
        issued=_day(inner, "issued"),
        expires=_day(inner, "expires"),
    )
    if canonical.is_unwelcome(waiver.file) or ".." in waiver.file.split("/"):
        inner.refuse("file", "must be a path below the content directory")
    if not waiver.reason.strip():
        inner.refuse("reason", "must say something")
    if not waiver.issued <= waiver.expires <= waiver.issued + dt.timedelta(days=WAIVER_DAYS_MAX):
        inner.refuse("expires", f"must be from the day of issue to {WAIVER_DAYS_MAX} days later")
    return SignedWaiver(waiver, row.word("key", PUBLIC), row.word("signature", SIGNATURE))


def _day(row: Fields, name: str) -> dt.date:
    word = row.word(name, DAY)
    try:
        day = dt.date.fromisoformat(word)
    except ValueError:
        row.refuse(name, "is not a day of the calendar")
    if day.year >= dt.MAXYEAR - 1:
        row.refuse(name, "is not a day of the calendar")
    return day


def _signed_value(signed: SignedWaiver) -> JsonValue:
    return {
        "format": WAIVER_FORMAT,
        "waiver": _waiver_value(signed.waiver),
        "key": signed.key,
        "signature": signed.signature,
    }


def _waiver_value(waiver: Waiver) -> JsonValue:
    return {
        "code": waiver.code,
        "file": waiver.file,
        "rule": waiver.rule,
        "text_sha256": waiver.text_sha256,
        "reason": waiver.reason,
        "issued": waiver.issued.isoformat(),
        "expires": waiver.expires.isoformat(),
    }


def _check_rising(place: str, keys: list[str]) -> None:
    for index in range(1, len(keys)):
        if keys[index - 1] >= keys[index]:
            refuse("must be sorted and without repetition", WAIVERS_NAME, f"/{place}/{index}")
