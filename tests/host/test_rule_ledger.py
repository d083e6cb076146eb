"""What the rules cost and find, from the real kernel to the command; a rule over its budget is left out."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.host.test_attribution import events
from tests.support.live_sensor import BAD, PATIENCE_S, RULE, LiveSensor, release_of
from tests.support.machine import kernel_requires

from ringfence.model.records import HostEventKind
from ringfence.model.release import Contract

pytestmark = pytest.mark.timeout(420)
FOUND_S = 100.0
"""Idle work, on a machine that others use."""

DEAR = """
rule dear {
  strings: $a = "DEAR-" $b = "FILE"
  condition: $a and $b and for all i in (0..%d) : (math.entropy(0, filesize) >= 0)
}
"""
SOURCE = 'import "math"\nrule cheap { strings: $a = "CHEAP-WORD" condition: $a }\n' + DEAR
RULES = ("cheap", "dear", "live_test")


@pytest.fixture
def live(request: pytest.FixtureRequest) -> Iterator[LiveSensor]:
    """A sensor with a rule whose loop has as many turns as the test says."""
    kernel_requires("root", "fanotify-permission", "mount")
    turns = getattr(request, "param", 1_000)
    sensor = LiveSensor(release=release_of(SOURCE % turns + RULE, *RULES, contract=Contract(("math",), ())))
    yield sensor
    sensor.close()


def rules_of(live: LiveSensor, *words: str) -> Any:  # noqa: ANN401 - JSON
    command = [sys.executable, "-m", "ringfence.programs.cli", "host", "rules", "--state", str(live.state.directory)]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    return json.loads(done.stdout) if "--json" in words else done.stdout


def rows_of(live: LiveSensor) -> dict[str, dict[str, Any]]:
    return {row["rule"]: row for row in rules_of(live, "--json")["rows"]}


def test_matches_are_counted_and_every_rule_is_timed_on_a_file_of_this_host(live: LiveSensor) -> None:
    live.wait_protected()
    for _ in range(3):
        assert live.open(live.fresh(BAD)).refused
    live.wait_until(lambda: len(rows_of(live)) == len(RULES) and rows_of(live)["live_test"]["matches"] >= 3, FOUND_S)
    rows = rows_of(live)
    assert all(rows[rule]["samples"] >= 1 and rows[rule]["mean_us"] > 0 for rule in RULES)
    assert rows["cheap"]["matches"] == 0
    assert rules_of(live, "--json", "--top", "1")["rules"] == len(RULES)
    assert len(rules_of(live, "--json", "--top", "1")["rows"]) == 1
    assert "live_test" in rules_of(live)
    assert events(live, HostEventKind.RULE_DISABLED) == []


@pytest.mark.parametrize("live", [1_000_000], indirect=True)
def test_a_rule_over_its_budget_is_left_out(live: LiveSensor) -> None:
    """It is slow on a file at rest, the first one that is sampled: nobody waits, nobody dies, and still it goes."""
    live.fresh(b"DEAR-" + b"FILE ")
    live.wait_until(lambda: bool(events(live, HostEventKind.RULE_DISABLED)), FOUND_S)
    (told,) = events(live, HostEventKind.RULE_DISABLED)
    assert told.subject == "rule live:dear"
    live.wait_protected()
    live.wait_until(lambda: rules_of(live, "--json")["left_out"] == [{"pack": "live", "rule": "dear"}])
    assert live.open(live.fresh(BAD)).refused
