"""`ringfence content prove` refuses all the harmful of the catalogue and accepts all the fine, as a person runs it.

On our own files only: what the packages of a machine add is tried with the packaged release (`make content`).
"""

import datetime as dt
import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from tests.content.catalogue import Case, cases
from tests.programs.test_up import COMMAND

PATIENCE_S = 500
"""For one case on a machine that does much else."""

FINE = cases("fine")
HARMFUL = cases("harmful")

pytestmark = pytest.mark.timeout(600)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The command with these words."""
    return subprocess.run([*COMMAND, *words], check=False, capture_output=True, text=True, timeout=PATIENCE_S)


def prove(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Prove one case, against its own contracts where it brings some."""
    contracts = ["--contracts", str(directory / "contracts")] if (directory / "contracts").is_dir() else []
    return run("content", "prove", str(directory), "--no-packages", "--no-cache", *contracts, *words)


def waive_again(directory: Path, keys: Path) -> None:
    """Sign the case's waivers anew: those that are kept with it end on some day, the test does not."""
    assert run("keys", "create", "Ann", "-o", str(keys / "ann.key"), "--online").returncode == 0
    public = json.loads((keys / "ann.pub").read_bytes())["public"]
    head = directory / "content.yaml"
    head.write_text(re.sub(r'public: "[0-9a-f]{64}"', f'public: "{public}"', head.read_text("utf-8")), "utf-8")
    until = (dt.datetime.fromtimestamp(time.time(), dt.UTC) + dt.timedelta(days=2)).date()
    for path in (directory / "waivers").iterdir():
        waiver = json.loads(path.read_bytes())["waiver"]
        path.unlink()
        words = (waiver["code"], waiver["rule"], "--reason", waiver["reason"], "--until", until.isoformat())
        done = run("content", "waive", str(directory), *words, "--key", str(keys / "ann.key"))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", FINE, ids=lambda case: case.name)
def test_the_fine_is_proven(case: Case, tmp_path: Path) -> None:
    placed = case.placed(tmp_path)
    if (placed / "waivers").is_dir():
        waive_again(placed, tmp_path)
    done = prove(placed)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("case", HARMFUL, ids=lambda case: case.name)
def test_the_harmful_is_refused(case: Case, tmp_path: Path) -> None:
    done = prove(case.placed(tmp_path), "--sarif")
    assert done.returncode == 1, done.stderr
    results = json.loads(done.stdout)["runs"][0]["results"]
    assert case.code in {result["ruleId"] for result in results}
