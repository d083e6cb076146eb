"""The parts of the harness for whole machines that need no machine."""

import json
import lzma

import pytest
from vm import __main__ as harness
from vm import image
from vm.cases import BOOTS_MAX, CASES, POWER_CUTS, SEED, heavy, moments
from vm.hands import GOOD_RULE, Seen, release

from ringfence.model import limits
from ringfence.wire.release import decode_release


def test_the_kernel_is_found_behind_chance_hits() -> None:
    kernel = b"\x7fELF" + bytes(1_000)
    packed = b"MZ\xfd7zXZ\0 by chance" + b"\x1f\x8b\x08 too" + lzma.compress(kernel) + b"trailer"
    assert image._elf_in(packed) == kernel
    with pytest.raises(RuntimeError, match="no compressed kernel"):
        image._elf_in(b"MZ" * 100)


def test_every_input_has_a_part_in_the_name_of_an_image() -> None:
    assert image._key([b"a", b"bc"]) != image._key([b"ab", b"c"])
    assert image._key("a", [b"b"]) != image._key("a", [b"c"])


def test_what_the_sensor_needs_goes_into_the_image_and_what_tests_need_does_not() -> None:
    needed = image._needed("ringfence")
    assert {"ringfence", "yara-x", "sqlalchemy", "tuf"} <= needed
    assert needed.isdisjoint({"pytest", "mypy", "ruff", "playwright"})


def test_the_releases_of_the_cases_are_releases() -> None:
    assert decode_release(release(10, GOOD_RULE, "malware")).manifest.version == 10
    assert len(decode_release(heavy(991)).manifest.rules) == 200


def test_the_bound_is_the_guard_s() -> None:
    assert BOOTS_MAX == 3 * limits.BOOTS_FAILED_MAX + 1
    assert POWER_CUTS == 20
    assert sum("power cuts" in name for name in CASES) == 2


def test_the_plug_is_pulled_all_along_an_activation() -> None:
    found = moments(SEED)
    assert sorted(int(moment * POWER_CUTS) for moment in found) == list(range(POWER_CUTS))
    assert found == moments(SEED) != sorted(found)


def test_no_case_passes_that_counts_a_loss() -> None:
    assert harness._against(Seen(protected_again_s=[3.0])) == ""
    assert harness._against(Seen(alerts_lost=2)) == "2 acknowledged records lost"
    assert "1 good releases refused" in harness._against(Seen(opens_past_deadline=1, wrong_convictions=1))


def test_the_report_has_the_figures_and_the_cases() -> None:
    results = [
        harness.Result("one", True, "fine", 1.0, 0.5, Seen(protected_again_s=[3.0, 5.0])),
        harness.Result("two", False, "not held\nwith a journal", 2.0, 1.5, Seen(alerts_lost=1, wrong_convictions=2)),
    ]
    told = json.loads(json.dumps(harness.as_json(results)))
    figures = ("opens_past_deadline", "acknowledged_lost", "wrong_convictions", "worst_protected_again_s")
    assert [told[name] for name in figures] == [0, 1, 2, 5.0]
    assert told["cases"][1] == {
        "name": "two", "passed": False, "detail": "not held\nwith a journal", "seconds": 2.0, "processor_seconds": 1.5
    }
    table = harness.table_of(results)
    assert "two  FAIL" in table
    assert "with a journal" not in table
