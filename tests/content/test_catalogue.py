"""All the harmful is refused for the right reason, all the fine is accepted; what lint alone can say."""

import datetime as dt
from pathlib import Path

import pytest
from tests.content.catalogue import GENERATORS, Case, cases

from ringfence.author.build import build_bytes
from ringfence.author.codes import CODES
from ringfence.author.contract_files import read_contracts
from ringfence.author.finding import finding_line
from ringfence.author.lint import LintResult, lint_directory
from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused
from ringfence.programs.own_contract import own_contract

TODAY = dt.date(2026, 11, 27)
HARMFUL = cases("harmful", "lint")
FINE = cases("fine")
CASES_MIN = 40


def linted(case: Case, directory: Path) -> LintResult:
    """What lint says of `case`, against its own contracts where it brings some."""
    placed = case.placed(directory)
    contracts: tuple[SensorContract, ...] = (own_contract(),)
    if (placed / "contracts").is_dir():
        contracts = read_contracts(placed / "contracts")
    return lint_directory(placed, contracts, TODAY)


@pytest.mark.parametrize("case", HARMFUL, ids=lambda case: case.name)
def test_the_harmful_is_refused_for_the_right_reason(case: Case, tmp_path: Path) -> None:
    result = linted(case, tmp_path)
    refusing = [finding for finding in result.findings if finding.refuses]
    told = "\n".join(finding_line(finding) for finding in refusing)
    assert case.code in {finding.code for finding in refusing}, told
    assert {finding.code for finding in refusing} <= case.allowed, told


@pytest.mark.parametrize("case", FINE, ids=lambda case: case.name)
def test_the_fine_is_accepted_and_builds(case: Case, tmp_path: Path) -> None:
    result = linted(case, tmp_path)
    assert [finding_line(finding) for finding in result.findings if finding.refuses] == []
    assert build_bytes(tmp_path / case.name)


def test_there_are_enough_of_both() -> None:
    assert len(cases("harmful")) >= CASES_MIN
    assert len(FINE) >= CASES_MIN


def test_every_case_says_why_it_is_there() -> None:
    for case in cases("harmful"):
        assert {"code", "stage", "damage"} <= set(case.page), case.name
        assert case.page["stage"] in ("lint", "prove")
        assert len(case.page["damage"].split()) > 5, case.name
        assert case.page["stage"] == "prove" or case.code in CODES, case.name
    for case in FINE:
        assert len(case.page["fine"].split()) >= 3, case.name
    used = {case.page["generate"] for case in (*cases("harmful"), *FINE) if "generate" in case.page}
    assert used == set(GENERATORS)


@pytest.mark.parametrize("case", [case for case in HARMFUL if case.code.startswith("waiver/")], ids=lambda c: c.name)
def test_a_build_takes_no_waiver_that_was_tampered_with(case: Case, tmp_path: Path) -> None:
    placed = case.placed(tmp_path)
    if case.code in ("waiver/bad-signature", "waiver/foreign-key", "waiver/malformed", "waiver/final"):
        with pytest.raises(ContentRefused, match="waivers/"):
            build_bytes(placed)
    else:
        assert build_bytes(placed)
