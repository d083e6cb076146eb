"""The rules that a host leaves out: kept by release, bounded, and no matter of life and death when they cannot be."""

from pathlib import Path
from typing import ClassVar

import pytest

from ringfence.host.disabled_rules import DisabledRules
from ringfence.model.errors import DiskFull
from ringfence.model.fault import RuleName
from ringfence.model.limits import DISABLED_RELEASES_MAX, DISABLED_RULES_MAX
from ringfence.model.records import HostEventKind

ONE, TWO = "11" * 32, "22" * 32
A, B = RuleName("pack", "a"), RuleName("pack", "b")


def test_rules_are_kept_by_release_and_over_a_start(tmp_path: Path) -> None:
    kept = DisabledRules(tmp_path / "disabled")
    assert kept.of(ONE) == frozenset()
    assert kept.add(ONE, [A])
    assert kept.add(ONE, [B])
    assert kept.add(TWO, [B])
    again = DisabledRules(tmp_path / "disabled")
    assert again.of(ONE) == {A, B}
    assert again.of(TWO) == {B}


def test_too_many_rules_change_nothing(tmp_path: Path) -> None:
    kept = DisabledRules(tmp_path)
    rules = [RuleName("pack", f"rule{number}") for number in range(DISABLED_RULES_MAX)]
    assert kept.add(ONE, rules)
    assert not kept.add(ONE, [A])
    assert DisabledRules(tmp_path).of(ONE) == frozenset(rules)


def test_a_damaged_record_and_one_of_another_release_say_nothing(tmp_path: Path) -> None:
    kept = DisabledRules(tmp_path)
    kept.add(ONE, [A])
    (path,) = tmp_path.glob("*.rules")
    path.rename(tmp_path / f"{TWO}.rules")
    assert DisabledRules(tmp_path).of(TWO) == frozenset()
    kept.add(ONE, [A])
    path.write_bytes(path.read_bytes()[:-1])
    assert DisabledRules(tmp_path).of(ONE) == frozenset()


def test_the_oldest_releases_are_forgotten(tmp_path: Path) -> None:
    kept = DisabledRules(tmp_path)
    for number in range(DISABLED_RELEASES_MAX + 3):
        kept.add(f"{number:064x}", [A])
    assert len(list(tmp_path.glob("*.rules"))) == DISABLED_RELEASES_MAX
    assert DisabledRules(tmp_path).of(f"{DISABLED_RELEASES_MAX + 2:064x}") == {A}


def test_what_cannot_be_written_holds_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    kept = DisabledRules(blocked)
    with pytest.raises(DiskFull):
        kept.add(ONE, [A])
    assert kept.of(ONE) == {A}


def test_a_full_disk_is_told_and_the_rule_is_left_out_all_the_same(tmp_path: Path) -> None:
    class Told:
        events: ClassVar[list[tuple[HostEventKind, str]]] = []

        def event(self, kind: HostEventKind, subject: str, detail: str) -> None:
            self.events.append((kind, f"{subject}: {detail}"))

    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    kept, told = DisabledRules(blocked), Told()
    assert kept.leave_out(ONE, [A], told)
    assert kept.of(ONE) == {A}
    assert told.events[0][0] is HostEventKind.RULE_DISABLED
    assert "could not be kept" in told.events[0][1]
