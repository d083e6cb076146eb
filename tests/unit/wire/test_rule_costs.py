"""The ledger on its way to the operator: exact, bounded, refused otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.test_attribution import NAMES

from ringfence.model.errors import FrameRefused
from ringfence.model.fault import RuleName
from ringfence.model.limits import DISABLED_RULES_MAX, FRAME_BODY_BYTES_MAX, RULE_COST_ROWS_MAX, RULES_MAX
from ringfence.wire.rule_costs import RuleCost, RuleCosts, decode_rule_costs, encode_rule_costs

U32, U64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
ROWS = st.tuples(NAMES, st.builds(RuleCost, U32, U64, U64, U64, U32, U32))
COSTS = st.builds(
    RuleCosts,
    st.integers(0, RULES_MAX),
    st.lists(ROWS, max_size=4).map(tuple),
    st.lists(NAMES, max_size=4).map(tuple),
)


@given(COSTS)
def test_it_comes_back_as_it_went(costs: RuleCosts) -> None:
    assert decode_rule_costs(encode_rule_costs(costs)) == costs


@given(COSTS, st.data())
def test_a_cut_body_is_refused(costs: RuleCosts, data: st.DataObject) -> None:
    body = encode_rule_costs(costs)
    with pytest.raises(FrameRefused):
        decode_rule_costs(body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.raises(FrameRefused):
        decode_rule_costs(body + b"\0")


@given(st.binary(max_size=300))
def test_nonsense_is_refused_or_means_itself(body: bytes) -> None:
    try:
        costs = decode_rule_costs(body)
    except FrameRefused:
        return
    assert encode_rule_costs(costs) == body


def test_the_longest_answer_fits_a_frame() -> None:
    name = RuleName("p" * 64, "r" * 128)
    costs = RuleCosts(1, ((name, RuleCost(0, 0, 0, 0, 0, 0)),) * RULE_COST_ROWS_MAX, (name,) * DISABLED_RULES_MAX)
    assert len(encode_rule_costs(costs)) <= FRAME_BODY_BYTES_MAX
    assert decode_rule_costs(encode_rule_costs(costs)) == costs
