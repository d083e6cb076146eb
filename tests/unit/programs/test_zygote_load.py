"""The host's loader: what it refuses before anything is compiled, whatever author and publisher have said."""

import pytest
from tests.unit.detect.test_needs import LITERAL, WILDCARD, release_of
from tests.unit.wire.contract_fixtures import sensor

from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused
from ringfence.model.release import Contract, Release
from ringfence.programs.own_contract import own_contract
from ringfence.programs.zygote import _load
from ringfence.wire.release import encode_release


def load(release: Release, contract: SensorContract) -> int:
    """How many rules the loader takes from `release` under `contract`."""
    content, _, _ = _load(encode_release(release), contract, frozenset(), unproven=True)
    return len(content.rules)


@pytest.mark.parametrize("rule", [LITERAL, WILDCARD], ids=["literal", "wildcard"])
def test_one_input_more_than_this_build_supplies_is_refused(rule: str) -> None:
    supplier = sensor()
    assert load(release_of(rule.replace("owner", "filename")), supplier) == 1
    with pytest.raises(ContentRefused, match="needs the variable owner") as caught:
        load(release_of(rule), supplier)
    assert supplier.build in str(caught.value)


def test_this_build_supplies_no_variable_at_all() -> None:
    with pytest.raises(ContentRefused, match="needs the variable filename"):
        load(release_of(LITERAL.replace("owner", "filename")), own_contract())


def test_a_manifest_that_hides_what_its_rules_read_is_refused() -> None:
    with pytest.raises(ContentRefused, match="does not name"):
        load(release_of(LITERAL, Contract((), ())), sensor())
