"""A conviction survives frames and the disk exactly, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.conviction import NOT_CONVICTED, Conviction
from ringfence.model.errors import FrameRefused
from ringfence.model.limits import RULES_MAX
from ringfence.wire.conviction import RECORD, decode_conviction, decode_record, encode_record, encode_rules

SHA256 = "5a" * 32
CONVICTIONS = st.builds(Conviction, st.booleans(), st.frozensets(st.integers(0, RULES_MAX - 1)))


@given(conviction=CONVICTIONS)
def test_what_is_written_is_read(conviction: Conviction) -> None:
    assert decode_record(encode_record(SHA256, conviction)) == (SHA256, conviction)
    assert decode_conviction(conviction.whole_release, encode_rules(conviction.rules)) == conviction


@pytest.mark.parametrize("rule", [-1, RULES_MAX])
def test_a_rule_that_no_release_has_is_refused(rule: int) -> None:
    with pytest.raises(FrameRefused):
        encode_rules(frozenset({rule}))


@given(data=st.binary(max_size=RECORD.size + 1))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FrameRefused):
        decode_record(data)


@pytest.mark.parametrize("at", [0, 7, 40, 41, 47])
def test_a_damaged_record_is_refused(at: int) -> None:
    damaged = bytearray(encode_record(SHA256, NOT_CONVICTED))
    damaged[at] ^= 0xFF
    with pytest.raises(FrameRefused):
        decode_record(bytes(damaged))
