"""`ringfence content show` says everything that a release holds."""

import json
from pathlib import Path

import pytest
from tests.unit.wire.release_fixtures import small_release

from ringfence.model.errors import ContentRefused
from ringfence.model.release import Manifest
from ringfence.programs import content_show
from ringfence.wire.release import encode_release


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with something of everything."""
    path = tmp_path / "small.release"
    path.write_bytes(encode_release(small_release()))
    return path


def test_json_holds_every_part_of_the_manifest(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content_show.command(release, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    renamed = {"contract": "needs_events", "waivers_sha256": "waivers"}
    assert {renamed.get(name, name) for name in Manifest.__dataclass_fields__} <= set(facts)
    assert facts["needs_events"] == [{"type": "process_creation", "field": "Image", "kind": "text"}]
    assert facts["budget"]["compile_cpu_ms"] == 1_000
    (waiver,) = facts["waivers"]
    assert (waiver["signer"], waiver["reason"], waiver["expires"]) == ("Ann", "tried", "2027-01-31")


def test_text_names_needs_cost_detections_waivers_and_proof(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content_show.command(release, rules=True)
    said = capsys.readouterr().out
    for word in (
        "process_creation.Image (text)",
        "1000 ms and 1000000 bytes to compile",
        "events linux-01",
        "waived yara/slow-pattern in rules/a.yar one until 2027-01-31, by Ann: tried",
        small_release().manifest.proof_sha256,
        "rule three",
    ):
        assert word in said


def test_the_packaged_release_shows_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    content_show.command(None)
    said = capsys.readouterr().out
    assert "\nneeds_events     -\n" in said
    assert "waived" not in said


def test_a_damaged_release_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.release"
    path.write_bytes(encode_release(small_release())[:-9])
    with pytest.raises(ContentRefused, match=r"damaged\.release"):
        content_show.command(path)
