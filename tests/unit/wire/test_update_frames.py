"""Frames of an update: exact, bounded, and no path that leaves the repository."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.update import UpdateOutcome, UpdateReport
from ringfence.wire.update_frames import (
    Fetch,
    Fetched,
    Offer,
    decode_fetch,
    decode_fetched,
    decode_offer,
    decode_report,
    encode_fetch,
    encode_fetched,
    encode_offer,
    encode_report,
)

FETCH = Fetch(7, 65_536, b"metadata/3.root.json")
OFFER = Offer(3, 7, "ab" * 32, unproven=True, patched=False)
REPORT = UpdateReport(UpdateOutcome.REFUSED, 1_764_244_800, "expired: timestamp.json")


def test_each_comes_back_as_it_was() -> None:
    assert decode_fetch(encode_fetch(FETCH)) == FETCH
    full = Fetched(7, 200, last=False, data=b"x" * limits.FETCH_PIECE_BYTES)
    for piece in (full, Fetched(7, 0, last=True, data=b"")):
        assert decode_fetched(encode_fetched(piece)) == piece
    assert decode_offer(encode_offer(OFFER)) == OFFER
    assert decode_report(encode_report(REPORT)) == REPORT


@pytest.mark.parametrize(
    "path",
    [
        b"", b"metadata/", b"/metadata/x", b"metadata/../x", b"../x", b"metadata/x/y", b"metadata/.x", b"targets/A/x",
        b"uplink/v1/records", b"metadata/x?y", b"metadata/x\r\nHost: y", b"metadata/" + b"x" * 600, b"metadata/\xff",
    ],
)  # fmt: skip
def test_no_path_leaves_the_repository(path: bytes) -> None:
    with pytest.raises(FrameRefused):
        encode_fetch(Fetch(1, 1, path))


@pytest.mark.parametrize(
    "path", [b"targets/x", b"targets/releases/" + b"a" * 64 + b"." + b"b" * 64 + b".release", b"metadata/a%2Fb.json"]
)
def test_the_files_of_a_repository_are_found(path: bytes) -> None:
    assert decode_fetch(encode_fetch(Fetch(1, 1, path))).path == path


def test_what_is_over_its_bound_is_refused() -> None:
    with pytest.raises(FrameRefused):
        encode_fetch(Fetch(1, limits.RELEASE_BYTES_MAX + 1, FETCH.path))
    with pytest.raises(FrameRefused):
        encode_fetched(Fetched(1, 200, last=True, data=bytes(limits.FETCH_PIECE_BYTES + 1)))
    with pytest.raises(FrameRefused):
        decode_fetched(encode_fetched(Fetched(1, 200, last=True, data=b""))[:-3] + b"\0\0\0")


def test_a_long_or_strange_detail_is_cut_and_shown_as_it_can_be() -> None:
    report = UpdateReport(UpdateOutcome.UNREACHABLE, 0, "\u00e9\x1b[2K" * 200)
    found = decode_report(encode_report(report))
    assert found.detail.startswith("\u00e9?[2K")
    assert found.detail.isprintable()


def test_an_offer_of_nothing_is_refused() -> None:
    body = encode_offer(OFFER)
    for bad in (bytes(8) + body[8:], body[:8] + bytes(8) + body[16:], body[:48] + b"\xff" + body[49:]):
        with pytest.raises(FrameRefused):
            decode_offer(bad)


@pytest.mark.parametrize("decode", [decode_fetch, decode_fetched, decode_offer, decode_report])
@given(st.binary(max_size=400))
def test_noise_is_refused_or_comes_back(decode: object, noise: bytes) -> None:
    encode = {decode_fetch: encode_fetch, decode_fetched: encode_fetched, decode_offer: encode_offer}
    try:
        found = decode(noise)  # type: ignore[operator]
    except FrameRefused:
        return
    if decode in encode and decode is not decode_offer:
        assert encode[decode](found) == noise  # type: ignore[operator]
