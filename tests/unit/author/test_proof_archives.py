"""Hostile archives: small, and ended by the host's bounds in every case."""

import time

import pytest

from ringfence.author.proof_archives import hostile_archives
from ringfence.author.proof_inputs import Probe
from ringfence.detect.archives import Gap, Member, container_kind, walk
from ringfence.detect.byte_source import HeldBytes
from ringfence.model.limits import ARCHIVE_RATIO_FREE_BYTES, ARCHIVE_RATIO_MAX, PROOF_BOMB_MEMBERS_MAX

ARCHIVES = {probe.name: probe for probe in hostile_archives()}


@pytest.mark.parametrize("probe", ARCHIVES.values(), ids=ARCHIVES.keys())
def test_each_is_small_is_opened_and_ends(probe: Probe) -> None:
    assert len(probe.data) < 1_000_000
    assert container_kind(HeldBytes(probe.data)) is not None
    items = list(walk(HeldBytes(probe.data)))
    assert items
    unpacked = sum(len(item.data) for item in items if isinstance(item, Member))
    assert unpacked <= 2 * max(ARCHIVE_RATIO_FREE_BYTES, ARCHIVE_RATIO_MAX * len(probe.data))


@pytest.mark.parametrize("name", ["a gzip bomb", "a bzip2 bomb", "an xz bomb", "a zip bomb", "a deep archive",
                                  "a zip of overlapping members", "a cut archive"])  # fmt: skip
def test_what_cannot_be_opened_to_its_end_is_said(name: str) -> None:
    assert [item for item in walk(HeldBytes(ARCHIVES[name].data)) if isinstance(item, Gap)]


def test_many_members_are_all_met() -> None:
    items = [item for item in walk(HeldBytes(ARCHIVES["a zip of many members"].data)) if isinstance(item, Member)]
    assert len(items) == PROOF_BOMB_MEMBERS_MAX


def test_they_are_the_same_each_time() -> None:
    before = time.process_time()
    assert {probe.name: probe.data for probe in hostile_archives()} == {
        name: probe.data for name, probe in ARCHIVES.items()
    }
    assert time.process_time() > before
