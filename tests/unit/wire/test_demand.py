"""`wire/demand.py`: what a worker sends comes out as it went in, and nothing else comes out."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import FrameRefused
from ringfence.model.limits import (
    ARCHIVE_GAPS_MAX,
    DEMAND_TEXT_BYTES_MAX,
    FINDING_MATCHES_MAX,
    FINDING_RULES_MAX,
    FRAME_BODY_BYTES_MAX,
    MATCH_EXCERPT_BYTES_MAX,
)
from ringfence.model.records import PatternMatch, RuleAction, RuleReference, Severity
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire import demand
from ringfence.wire.demand import DemandReady, DemandResult

RULE = RuleReference("R", "p", "author", "text", Severity.HIGH, RuleAction.BLOCK, "T1", "https://x", "Apache-2.0")
MATCH = PatternMatch("R", "$a", 7, 3, b"abc".hex(), "in/side")
FOUND = DemandResult(5, 99, Outcome.MALICIOUS, UnknownReason.NONE, False, "ab" * 32, (RULE,), (MATCH,), ("a: b",))
UNKNOWN = DemandResult(1, 0, Outcome.UNKNOWN, UnknownReason.ENGINE_TIMEOUT, True, "", (), (), ())
CLEAN = DemandResult(1, 5, Outcome.CLEAN, UnknownReason.NONE, False, "", (), (), ())


@pytest.mark.parametrize("result", [FOUND, UNKNOWN, CLEAN, replace(FOUND, missing=UnknownReason.ARCHIVE_BOUND)])
def test_results_come_back(result: DemandResult) -> None:
    assert demand.decode_result(demand.encode_result(result)) == result


def test_ready_and_failed_come_back() -> None:
    ready = DemandReady("starter", 3, 80)
    assert demand.decode_ready(demand.encode_ready(ready)) == ready
    texts = ("content-refused", "x.yar:3: what", "the way out")
    assert demand.decode_failed(demand.encode_failed(*texts)) == texts


def test_the_largest_result_fits_into_a_frame() -> None:
    """Texts are cut to their bound, at a character."""
    long = "ü" * 5_000
    rules = tuple(replace(RULE, identifier=f"R{n:03}", description=long, author=long, reference=long, pack=long,
                          technique=long, licence=long) for n in range(FINDING_RULES_MAX))  # fmt: skip
    match = PatternMatch("R000", long, 2**64 - 1, 2**40, "ff" * MATCH_EXCERPT_BYTES_MAX, long)
    matches = (match,) * FINDING_MATCHES_MAX
    body = demand.encode_result(replace(FOUND, rules=rules, matches=matches, gaps=(long,) * ARCHIVE_GAPS_MAX))
    assert len(body) <= FRAME_BODY_BYTES_MAX
    decoded = demand.decode_result(body)
    assert decoded.rules[0].description == "ü" * (DEMAND_TEXT_BYTES_MAX // 2)
    assert decoded.matches[0].length_bytes == 2**32 - 1


@pytest.mark.parametrize(
    "wrong",
    [
        replace(CLEAN, outcome=Outcome.MALICIOUS),
        replace(FOUND, outcome=Outcome.CLEAN),
        replace(CLEAN, missing=UnknownReason.ENGINE_TIMEOUT),
        replace(UNKNOWN, missing=UnknownReason.NONE),
    ],
)
def test_contradictions_are_refused(wrong: DemandResult) -> None:
    """A worker that was taken over cannot make unknown look clean by half."""
    with pytest.raises(FrameRefused):
        demand.decode_result(demand.encode_result(wrong))


def test_every_cut_and_every_longer_body_is_refused() -> None:
    body = demand.encode_result(FOUND)
    for length in range(len(body)):
        with pytest.raises(FrameRefused):
            demand.decode_result(body[:length])
    with pytest.raises(FrameRefused):
        demand.decode_result(body + b"\0")


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_is_a_result(place: int, value: int) -> None:
    body = bytearray(demand.encode_result(FOUND))
    body[place % len(body)] = value
    with suppress(FrameRefused):
        assert isinstance(demand.decode_result(bytes(body)), DemandResult)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_decoded(body: bytes) -> None:
    for decode in (demand.decode_result, demand.decode_ready, demand.decode_failed):
        with suppress(FrameRefused):
            assert decode(body) is not None
