"""What the lint says of a built release is what it says of its author's directory, but for waivers and events."""

from pathlib import Path

import pytest
from tests.content.catalogue import Case, cases

from ringfence.author.build import build_release
from ringfence.author.content_dir import read_directory
from ringfence.author.lint_release import lint_release
from ringfence.model.errors import ContentRefused
from ringfence.model.release import Release
from ringfence.programs.own_contract import own_contract

LEFT_TO_THE_DIRECTORY = ("source/", "waiver/", "sigma/", "contract/not-exercised", "yara/include")
"""Codes about what a release does not hold."""


def built(case: Case, directory: Path) -> Release | None:
    """The release of a case, or None where none can be built."""
    try:
        return build_release(read_directory(case.placed(directory)))
    except ContentRefused:
        return None


@pytest.mark.parametrize("case", cases("harmful", "lint"), ids=lambda case: case.name)
def test_the_harmful_is_refused_in_a_release_as_well(case: Case, tmp_path: Path) -> None:
    release = built(case, tmp_path)
    if release is None or case.code.startswith(LEFT_TO_THE_DIRECTORY):
        return
    result = lint_release(release, [own_contract()])
    assert case.code in {finding.code for finding in result.findings if finding.refuses}


@pytest.mark.parametrize("case", cases("fine"), ids=lambda case: case.name)
def test_the_fine_is_fine_in_a_release_as_well(case: Case, tmp_path: Path) -> None:
    release = built(case, tmp_path)
    assert release is not None
    if (case.path / "waivers").is_dir():
        return  # what needs a waiver is proven from its directory
    assert not lint_release(release, [own_contract()]).refused


def test_enough_of_the_harmful_can_be_built(tmp_path: Path) -> None:
    kept = [case for case in cases("harmful", "lint") if not case.code.startswith(LEFT_TO_THE_DIRECTORY)]
    assert sum(built(case, tmp_path / case.name) is not None for case in kept) >= 20
