"""What is said about faults: exact, bounded, and refused when a byte is not as it must be."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import FrameRefused
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName, rule_name_of
from ringfence.model.limits import DISABLED_RULES_MAX, EXAMINATION_GUILTY_RULES_MAX
from ringfence.model.verdict import UnknownReason
from ringfence.wire import attribution
from ringfence.wire.attribution import Examined, Suspicion

PACK_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_-"
RULE_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
NAMES = st.builds(
    RuleName, st.text(PACK_LETTERS, min_size=1, max_size=64), st.text(RULE_LETTERS, min_size=1, max_size=128)
)
NUMBERS = st.integers(0, (1 << 64) - 1)
PATHS = st.binary(max_size=256).map(lambda path: path.rstrip(b"\0"))
SHA256 = "ab" * 32


@st.composite
def examined(draw: st.DrawFn) -> Examined:
    finding = draw(st.sampled_from(Finding))
    blames = finding in (Finding.RULES, Finding.TOO_MANY)
    names = st.lists(NAMES, min_size=1, max_size=EXAMINATION_GUILTY_RULES_MAX) if blames else st.just([])
    kind = draw(st.sampled_from([None, *FaultKind]))
    found = Attribution(finding, kind, tuple(draw(names)), draw(st.integers(0, 400)))
    return Examined(draw(NUMBERS), draw(NUMBERS), draw(st.binary(min_size=32, max_size=32)), draw(PATHS), found)


@given(examined())
def test_a_result_comes_back_as_it_went(one: Examined) -> None:
    assert attribution.decode_examined(attribution.encode_examined(one)) == one


@given(examined(), st.data())
def test_any_other_byte_is_another_result_or_refused(one: Examined, data: st.DataObject) -> None:
    body = bytearray(attribution.encode_examined(one))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    with suppress(FrameRefused):
        assert attribution.decode_examined(bytes(body)) != one


@given(examined())
def test_a_result_of_another_length_is_refused(one: Examined) -> None:
    body = attribution.encode_examined(one)
    for other in (body[:-1], body + b"\0", b""):
        with pytest.raises(FrameRefused):
            attribution.decode_examined(other)


@given(NUMBERS, NUMBERS, st.sampled_from([1, 2, 3]), st.sampled_from(UnknownReason), PATHS)
def test_a_suspicion_comes_back_as_it_went(
    job: int, size_bytes: int, purpose: int, reason: UnknownReason, path: bytes
) -> None:
    one = Suspicion(job, size_bytes, purpose, reason, path)
    assert attribution.decode_suspicion(attribution.encode_suspicion(one)) == one


@pytest.mark.parametrize(("purpose", "reason"), [(0, 1), (4, 1), (1, 200)])
def test_a_suspicion_of_something_else_is_refused(purpose: int, reason: int) -> None:
    body = attribution.EXAMINE_BODY.pack(1, 2, purpose, reason, b"")
    with pytest.raises(FrameRefused):
        attribution.decode_suspicion(body)


def test_of_a_long_path_the_end_is_kept() -> None:
    one = Suspicion(1, 2, 1, UnknownReason.SCANNER_DIED, b"x" * 300 + b"/name")
    assert attribution.decode_suspicion(attribution.encode_suspicion(one)).path.endswith(b"x/name")


@given(st.frozensets(NAMES, max_size=DISABLED_RULES_MAX))
def test_a_record_comes_back_as_it_was_written(rules: frozenset[RuleName]) -> None:
    data = attribution.encode_record(SHA256, rules)
    assert len(data) == attribution.RECORD_BYTES
    assert attribution.decode_record(data) == (SHA256, rules)


@given(st.frozensets(NAMES, max_size=4), st.data())
def test_a_damaged_record_says_something_else_or_nothing(rules: frozenset[RuleName], data: st.DataObject) -> None:
    record = bytearray(attribution.encode_record(SHA256, rules))
    record[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(FrameRefused):
        assert attribution.decode_record(bytes(record)) != (SHA256, rules)


def test_more_rules_than_a_record_holds_are_refused() -> None:
    rules = frozenset(RuleName("pack", f"rule{number}") for number in range(DISABLED_RULES_MAX + 1))
    with pytest.raises(FrameRefused):
        attribution.encode_record(SHA256, rules)


@given(NAMES)
def test_a_name_is_read_as_it_is_spelled(name: RuleName) -> None:
    assert rule_name_of(str(name)) == name


@pytest.mark.parametrize("text", ["", "pack", "pack:", ":rule", "a:b:c"])
def test_what_names_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="PACK:RULE"):
        rule_name_of(text)
