"""Waivers: strict both ways, known by a digest, signed over their own bytes and nothing else."""

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.release_fixtures import make_waiver
from tests.unit.wire.test_manifest import Change, put

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import WAIVER_DAYS_MAX
from ringfence.model.waiver import WaiverBook, WaiverKey
from ringfence.wire import canonical
from ringfence.wire.waiver import (
    SIGNED_PREFIX,
    decode_waiver,
    decode_waivers,
    encode_waiver,
    encode_waivers,
    signed_bytes,
    waiver_digest,
)

SIGNED = make_waiver()
KEY = WaiverKey("Ann", SIGNED.key)
BOOK = WaiverBook((KEY,), tuple(sorted((SIGNED, make_waiver("yara/short-pattern")), key=waiver_digest)))


def test_come_back_as_they_were() -> None:
    assert decode_waiver(encode_waiver(SIGNED), "w.json") == SIGNED
    assert decode_waivers(encode_waivers(BOOK)) == BOOK


def test_a_signature_is_over_every_field_and_marked_as_a_waiver() -> None:
    waiver = SIGNED.waiver
    assert signed_bytes(waiver).startswith(SIGNED_PREFIX)
    changes: dict[str, Any] = {
        "code": "yara/other",
        "file": "rules/b.yar",
        "rule": "two",
        "text_sha256": "ba" * 32,
        "reason": "another",
        "issued": waiver.issued - dt.timedelta(1),
        "expires": waiver.expires + dt.timedelta(1),
    }
    assert set(changes) == set(type(waiver).__dataclass_fields__)
    others = {signed_bytes(dataclasses.replace(waiver, **{name: value})) for name, value in changes.items()}
    assert len(others | {signed_bytes(waiver)}) == len(changes) + 1


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("format", 2), "/format"),
        (put("extra", 1), "/"),
        (put("key", "AB" * 32), "/key"),
        (put("key", "ab"), "/key"),
        (put("signature", "ab" * 32), "/signature"),
        (put("waiver/code", "slow"), "/waiver/code"),
        (put("waiver/file", ""), "/waiver/file"),
        (put("waiver/file", "/etc/passwd"), "/waiver/file"),
        (put("waiver/file", "rules/../../x"), "/waiver/file"),
        (put("waiver/file", "rules\\x"), "/waiver/file"),
        (put("waiver/file", "rules/\u202eray.a"), "/waiver/file"),
        (put("waiver/rule", "a b"), "/waiver/rule"),
        (put("waiver/text_sha256", ""), "/waiver/text_sha256"),
        (put("waiver/reason", ""), "/waiver/reason"),
        (put("waiver/reason", "   "), "/waiver/reason"),
        (put("waiver/reason", "a\nb"), "/waiver/reason"),
        (put("waiver/issued", "2026-02-30"), "/waiver/issued"),
        (put("waiver/issued", "9999-12-31"), "/waiver/issued"),
        (put("waiver/issued", "20260101"), "/waiver/issued"),
        (put("waiver/issued", 5), "/waiver/issued"),
        (put("waiver/expires", "2026-10-31"), "/waiver/expires"),
        (put("waiver/expires", "2027-11-03"), "/waiver/expires"),
        (lambda document: document["waiver"].pop("reason"), "/waiver"),
    ],
)
def test_refuses(change: Change, place: str) -> None:
    document = json.loads(encode_waiver(SIGNED))
    change(document)
    with pytest.raises(ContentRefused) as caught:
        decode_waiver(canonical.encode(document), "waivers/w.json")
    assert (caught.value.file, caught.value.position) == ("waivers/w.json", place)


def test_lives_at_most_a_year_and_a_day() -> None:
    longest = dataclasses.replace(SIGNED.waiver, expires=SIGNED.waiver.issued + dt.timedelta(WAIVER_DAYS_MAX))
    again = decode_waiver(encode_waiver(dataclasses.replace(SIGNED, waiver=longest)), "w.json")
    assert again.waiver == longest


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("format", 0), "/format"),
        (put("keys/0/name", ""), "/keys/0/name"),
        (put("keys/0/public", "x"), "/keys/0/public"),
        (put("keys", []), "/waivers/0"),
        (put("keys/0/public", "00" * 32), "/waivers/0"),
        (lambda document: document["keys"].append(document["keys"][0]), "/keys/1"),
        (lambda document: document["waivers"].reverse(), "/waivers/1"),
        (lambda document: document["waivers"].append(document["waivers"][1]), "/waivers/2"),
    ],
)
def test_refuses_a_book(change: Change, place: str) -> None:
    document = json.loads(encode_waivers(BOOK))
    change(document)
    with pytest.raises(ContentRefused) as caught:
        decode_waivers(canonical.encode(document))
    assert (caught.value.file, caught.value.position) == ("waivers.json", place)


def test_encode_refuses_a_book_that_is_out_of_order() -> None:
    with pytest.raises(ContentRefused, match="sorted"):
        encode_waivers(dataclasses.replace(BOOK, waivers=BOOK.waivers[::-1]))


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ContentRefused):
        decode_waiver(noise, "w.json")


@given(st.data())
def test_a_damaged_waiver_is_refused_or_another_waiver(data: st.DataObject) -> None:
    whole = bytearray(encode_waiver(SIGNED))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        other = decode_waiver(bytes(whole), "w.json")
    except ContentRefused:
        return
    assert other != SIGNED
    assert encode_waiver(other) == bytes(whole)
