"""A file that was checked is not checked again, unless its text, its name or what the checks are has changed."""

from pathlib import Path

import pytest

from ringfence.author import finding_cache
from ringfence.author.finding import Finding, Level
from ringfence.author.finding_cache import FindingCache
from ringfence.author.proof_cache import ProofCache

FOUND = (
    Finding("rules/a.yar", 3, 7, "yara/unspecific", Level.ERROR, "Weak", "too little"),
    Finding("rules/a.yar", 9, 1, "yara/engine-warning", Level.WARNING, "", "text of a warning"),
)


class Checker:
    """Counts how often it was asked."""

    def __init__(self, found: tuple[Finding, ...] = FOUND) -> None:
        self.found = found
        self.asked = 0

    def __call__(self) -> tuple[Finding, ...]:
        self.asked += 1
        return self.found


def test_what_was_found_is_found_again_also_by_another_process(tmp_path: Path) -> None:
    check = Checker()
    for remembered in range(2):
        with ProofCache(tmp_path) as cache:
            memory = FindingCache(cache)
            assert tuple(memory.findings("yara", "rules/a.yar", "text", "", check)) == FOUND
            assert (check.asked, memory.remembered) == (1, remembered)


@pytest.mark.parametrize("other", [
    ("sigma", "rules/a.yar", "text", ""), ("yara", "rules/b.yar", "text", ""),
    ("yara", "rules/a.yar", "text ", ""), ("yara", "rules/a.yar", "text", "contract"),
])
def test_anything_else_is_checked(other: tuple[str, str, str, str]) -> None:
    memory, check = FindingCache(ProofCache(None)), Checker(())
    memory.findings("yara", "rules/a.yar", "text", "", check)
    memory.findings(*other, check)
    assert check.asked == 2
    assert memory.findings("yara", "rules/a.yar", "text", "", check) == []
    assert check.asked == 2


def test_other_checks_believe_nothing_of_what_these_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, check = ProofCache(None), Checker()
    FindingCache(cache).findings("yara", "rules/a.yar", "text", "", check)
    monkeypatch.setattr(finding_cache, "_checks_sha256", lambda: "0" * 64)
    FindingCache(cache).findings("yara", "rules/a.yar", "text", "", check)
    assert check.asked == 2


@pytest.mark.parametrize("odd", [
    {}, [[]], [[0, 1, "yara/x", "error", "", "t"]], [[1, 1, "yara", "error", "", "t"]],
    [[1, 1, "yara/x", "fatal", "", "t"]], [[1, 1, "yara/x", "error", "", 5]],
    [[1, 1, "yara/x", "error", "", "t", "more"]], "text", 5,
])
def test_what_is_odd_about_a_memory_is_as_if_it_were_not_there(odd: object, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, check = ProofCache(None), Checker()
    monkeypatch.setattr(cache, "get", lambda _: odd)
    assert tuple(FindingCache(cache).findings("yara", "rules/a.yar", "text", "", check)) == FOUND
    assert check.asked == 1


def test_findings_about_another_file_are_not_kept(tmp_path: Path) -> None:
    with ProofCache(tmp_path) as cache:
        check = Checker((Finding("rules/other.yar", 1, 1, "yara/unspecific", Level.ERROR, "", "t"),))
        for _ in range(2):
            FindingCache(cache).findings("yara", "rules/a.yar", "text", "", check)
    assert check.asked == 2
