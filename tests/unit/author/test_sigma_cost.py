"""What a rule becomes is estimated before it is read, and never too low."""

import random

import pytest
from sigma.rule import SigmaRule
from tests.unit.author.sigma_texts import GOOD, selection, with_detection

from ringfence.author.sigma_cost import expansion_of
from ringfence.author.sigma_source import read_sigma
from ringfence.author.strict_yaml import read_document
from ringfence.model.limits import SIGMA_EXPANSION_NODES_MAX


def leaves_of(node: object) -> int:
    """Leaves of pySigma's tree."""
    return sum(map(leaves_of, node.args)) if hasattr(node, "args") else len(getattr(node.value, "values", "1"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        selection("A|windash|contains:", *[f"    - '-a -b -c {number}'" for number in range(2_000)]),
        selection("A|windash|windash|windash|contains:", *[f"    - '-a -b -c {number}'" for number in range(20)]),
        selection("A|base64offset|base64offset|base64offset|base64offset|contains:", *["    - abc"] * 1_000),
        selection("A:", *[f"    - v{number}" for number in range(100)], condition=" or ".join(["selection"] * 1_000)),
        with_detection(
            "".join(f"    s{number}:\n        A: v{number}\n" for number in range(1_000))
            + f"    condition: {' or '.join(['all of them'] * 100)}\n"
        ),
    ],
    ids=["dashes", "dashes of dashes", "base64 of base64", "mentions", "all of them"],
)
def test_bombs_are_refused_before_they_go_off(text: str) -> None:
    (only,) = read_sigma("a.yml", text).findings
    assert only.code == "sigma/size"
    assert f"more than {SIGMA_EXPANSION_NODES_MAX}" in only.text


def test_honest_rules_are_far_below() -> None:
    assert expansion_of(read_document(GOOD, "x").value["detection"]) < 30


def test_the_estimate_is_never_below_what_comes() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        names = [f"s{number}" for number in range(chance.randint(1, 4))]
        detection: dict[str, object] = {}
        for name in names:
            modifiers = chance.choice(("", "|windash", "|windash|contains", "|base64offset|contains", "|contains"))
            values = [chance.choice(("-a", "/b -c", "x", "-a -b -c", "\u2013q")) for _ in range(chance.randint(1, 4))]
            detection[name] = {f"F{modifiers}": values, "G": "x"}
        mentions = [chance.choice((*names, "1 of s*", "all of them", f"not {names[0]}")) for _ in range(3)]
        detection["condition"] = " and ".join(mentions)
        rule = SigmaRule.from_dict({"title": "t", "logsource": {"category": "c"}, "detection": detection})
        tree = rule.detection.parsed_condition[0].parsed
        assert expansion_of(detection) >= leaves_of(tree), detection
