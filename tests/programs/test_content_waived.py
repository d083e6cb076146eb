"""A waiver from its making to the proof: lint refuses, somebody signs, the proof tells who and why."""

import datetime as dt
import json
import subprocess
import time
from pathlib import Path

import pytest
from tests.programs.test_content_prove import prove
from tests.programs.test_up import COMMAND
from tests.unit.author.content_fixtures import KEY, RULES, SIGNING_HEAD, write_content

from ringfence.author.key_files import write_key_pair
from ringfence.wire.release import decode_release
from ringfence.wire.waiver import decode_waivers

PATIENCE_S = 60

pytestmark = pytest.mark.timeout(400)


def test_what_lint_refuses_is_proven_only_with_a_waiver_that_the_proof_shows(tmp_path: Path) -> None:
    rules = RULES.replace('"one"', '"qz" wide').replace("$a }", "#a > 2 }")
    sample = "q\\0z\\0" * 3
    tests = f'One:\n  matches: ["{sample}"]\n  ignores: ["two"]\n'
    source = write_content(tmp_path / "content", head=SIGNING_HEAD, rules=rules, tests=tests)
    refused = prove(source, tmp_path / "cache", "--json")
    assert refused.returncode == 1
    (finding,) = json.loads(refused.stdout)["proof"]["findings"]
    assert (finding["code"], finding["file"], finding["weight"]) == ("yara/unspecific", "rules/family.yar", "error")

    write_key_pair(KEY, tmp_path / "ann.key")
    until = (dt.datetime.fromtimestamp(time.time(), dt.UTC) + dt.timedelta(days=9)).date().isoformat()
    waive = [*COMMAND, "content", "waive", str(source), "yara/unspecific", "One", "--key", str(tmp_path / "ann.key")]
    words = ["--reason", "seen on no good file", "--until", until]
    subprocess.run([*waive, *words], check=True, capture_output=True, timeout=PATIENCE_S)

    done = prove(source, tmp_path / "cache", "--json", "-o", str(tmp_path / "out.release"))
    assert done.returncode == 0, done.stdout
    proof = json.loads(done.stdout)["proof"]
    (waiver,) = proof["waivers"]
    assert waiver["reason"] == "seen on no good file"
    assert [one["waived_by"] for one in proof["findings"]] == [waiver["sha256"]]
    release = decode_release((tmp_path / "out.release").read_bytes())
    assert [signed.waiver.rule for signed in decode_waivers(release.waivers).waivers] == ["One"]
