"""Every witness answers exactly where it stands."""

import pytest

from ringfence.detect.sigma.index import FieldIndex
from ringfence.detect.sigma.witness import Witness
from ringfence.model.detection import Operator

WITNESSES = (
    Witness("A", Operator.EQUALS, "/bin/nc"),
    Witness("A", Operator.ENDS, "/nc"),
    Witness("A", Operator.ENDS, "\\nc"),
    Witness("A", Operator.ENDS, "cat"),
    Witness("A", Operator.STARTS, "/bin/"),
    Witness("A", Operator.CONTAINS, "in/"),
    Witness("A", Operator.CONTAINS, "cat"),
    Witness("A", Operator.ENDS, "/bin/nc"),
)
INDEX = FieldIndex({witness: 1 << number for number, witness in enumerate(WITNESSES)})


@pytest.mark.parametrize(
    ("value", "at_least", "never"),
    [
        ("/bin/nc", {0, 1, 4, 5, 7}, {3, 6}),
        ("/srv/x\\y/nc", {1}, {0, 4, 5, 7}),
        ("c:\\nc", {2}, {0, 4}),
        ("/bin/ncat", {3, 4, 5, 6}, {0, 1, 7}),
        ("x/bin/ncat.txt", {5, 6}, {0, 3, 4}),
        ("", set(), {0, 1, 2, 3, 4, 5, 6, 7}),
        ("nc", set(), {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_what_is_found_in(value: str, at_least: set[int], never: set[int]) -> None:
    mask = INDEX.mask_of(value)
    found = {number for number in range(len(WITNESSES)) if mask >> number & 1}
    assert at_least <= found
    assert not never & found


def test_a_text_in_several_places_has_all_its_bits() -> None:
    index = FieldIndex({Witness("A", operator, "ab"): 1 << n for n, operator in enumerate(("ends", "starts"))})  # type: ignore[arg-type]
    assert [index.mask_of(value) for value in ("ab", "abx", "xab", "xabx")] == [3, 2, 1, 0]
