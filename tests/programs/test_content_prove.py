"""`ringfence content prove` as a person runs it: real workers in the real sandbox, real engine, real files."""

import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
import yara_x
from tests.programs.test_up import COMMAND
from tests.unit.author.content_fixtures import META, write_content
from tests.unit.author.sigma_texts import GOOD, IDENTIFIER
from tests.unit.author.test_sigma_tests import TESTS as EVENT_TESTS
from tests.unit.wire.contract_fixtures import process_creation, renamed, sensor
from tests.unit.wire.release_fixtures import make_pack, make_rule

from ringfence.host.engine_version import engine_version
from ringfence.model.proof import CheckName, CheckOutcome, Proof, Verdict
from ringfence.model.records import RuleAction
from ringfence.model.release import Contract, Manifest, Release
from ringfence.programs.own_contract import own_contract, own_contract_bytes
from ringfence.trust.proof_check import Asker, reasons_against
from ringfence.wire.contract import contract_digest, encode_contract
from ringfence.wire.manifest import proof_subject
from ringfence.wire.proof import decode_proof
from ringfence.wire.release import decode_release, encode_release

ROOT = Path(__file__).parents[2]
OLDER_ENGINE = "1.22.1"
PATIENCE_S = 170
ALERTS = META.replace('"block"', '"alert"')
"""For rules without self-tests, which may only alert."""

RARE = 'rule Rare {{ {meta} strings: $a = "ringfence-" $b = "-prove-{number}" condition: all of them }}\n'
TESTS = 'Rare:\n  matches:\n    - ["ringfence-", "-prove-1"]\n  ignores:\n    - "ringfence-"\n'

pytestmark = pytest.mark.timeout(400)


def content(directory: Path, rules: str = "", tests: str = TESTS) -> Path:
    """A content directory with one good rule, and others."""
    return write_content(directory, rules=RARE.format(meta=META, number=1) + rules, tests=tests)


def prove(source: Path, cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Prove on our own files and the interpreter's library only."""
    command = [*COMMAND, "content", "prove", str(source), "--no-packages", "--cache", str(cache), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


def outcome(proof: Proof, name: CheckName) -> CheckOutcome:
    """What came of one gate."""
    return next(check.outcome for check in proof.checks if check.name is name)


def figure(proof: Proof, check: CheckName, name: str) -> int:
    """One figure of a gate."""
    return next(one.value for row in proof.checks if row.name is check for one in row.figures if one.name == name)


def test_a_good_release_is_proven_written_and_remembered(tmp_path: Path) -> None:
    source, output, page = content(tmp_path / "content"), tmp_path / "out.release", tmp_path / "page.html"
    done = prove(source, tmp_path / "cache", "-o", str(output), "--report", str(page), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    release = decode_release(output.read_bytes())
    proof = decode_proof(release.proof)
    assert facts["verdict"] == proof.verdict == Verdict.PROVEN
    asker = Asker("yara-x", engine_version(), contract_digest(own_contract()))
    subject = proof_subject(release.manifest)
    assert proof.subject_sha256 == subject
    known = reasons_against(
        proof, subject_sha256=subject, name="tried", version=3, asker=asker, now_s=proof.made_s + 60
    )
    assert known == ()
    assert "Every gate is open" in page.read_text("utf-8")
    again = prove(source, tmp_path / "cache", "--proof", str(tmp_path / "again.json"))
    assert again.returncode == 0
    second = decode_proof((tmp_path / "again.json").read_bytes())
    assert second.goodware == proof.goodware
    assert figure(proof, CheckName.ALONE, "remembered_rules") == 0
    assert figure(second, CheckName.ALONE, "remembered_rules") == 1
    assert next(check for check in second.checks if check.name is CheckName.GOODWARE).spent_ms == 0


SLOW = frozenset({"prove/slow", "prove/timeout"})
HARMFUL: dict[str, tuple[frozenset[str], str]] = {
    "Entropy_Loop": (SLOW, "condition: for any i in (1..2000): (math.entropy(i, filesize - i) > 8.1)"),
    "Hash_Loop": (SLOW, f'condition: for any i in (0..5000): (hash.md5(i, filesize - i) == "{"0" * 32}")'),
    "Squared": (
        SLOW,
        "condition: for any i in (0..filesize): (for any j in (0..filesize): (uint8(i) == 1 and i > j + 16777215))",
    ),
    "Open_Jump": (SLOW, "strings: $a = { 61 [0-] 62 [0-] 63 } condition: $a"),
    "Everything": (frozenset({"prove/matches-everything"}), "condition: filesize >= 0"),
    "Hits_Us": (frozenset({"prove/goodware-own"}), 'strings: $a = "Ringfence" condition: $a and filesize < 200KB'),
    "Timer": (frozenset({"prove/clock"}), "condition: time.now() > 1"),
}
"""Rule -> the codes of which it must be refused for one, and its body."""


def test_everything_that_hurts_is_refused_at_once_with_its_place(tmp_path: Path) -> None:
    rules = "".join(f"rule {name} {{ {META}\n {body} }}\n" for name, (_, body) in HARMFUL.items())
    source = content(tmp_path / "content")
    (source / "rules" / "harm.yar").write_text(f'import "math"\nimport "hash"\nimport "time"\n{rules}')
    output, page, alone = tmp_path / "out.release", tmp_path / "page.html", tmp_path / "proof.json"
    done = prove(source, tmp_path / "cache", "-o", str(output), "--report", str(page), "--proof", str(alone), "--sarif")
    assert (done.returncode, done.stderr) == (1, "")
    proof = decode_proof(alone.read_bytes())
    lines = {name: 4 + 2 * number for number, name in enumerate(HARMFUL)}
    for name, (codes, _) in HARMFUL.items():
        mine = [one for one in proof.findings if one.rule == name]
        assert codes & {one.code for one in mine}, name
        tried = {(one.file, one.line) for one in mine if one.code.startswith("prove/")}
        assert tried == {("rules/harm.yar", lines[name])}
        assert {one.file for one in mine} == {"rules/harm.yar"}, "the lint's own findings stand at their own places"
    assert "Rare" not in {one.rule for one in proof.findings}
    assert not output.exists()
    assert "<script" not in page.read_text("utf-8")
    log = json.loads(done.stdout)
    assert {result["ruleId"] for result in log["runs"][0]["results"]} == {one.code for one in proof.findings}


def hostile_release(path: Path, source: str, *names: str) -> Path:
    """A release that no builder of ours would make."""
    pack = make_pack("any-01", "any", source)
    rules = tuple(make_rule(name, "any-01", RuleAction.BLOCK) for name in sorted(names))
    manifest = Manifest("hostile", 1, "", Contract((), ()), (pack.entry,), rules, ())
    path.write_bytes(encode_release(Release(manifest, (pack,), ())))
    return path


def test_a_release_that_does_not_compile_is_refused_and_leaks_nothing(tmp_path: Path) -> None:
    source = 'include "/etc/passwd"\nrule Leak { condition: false }\nrule Odd { strings: $a = "x" condition: #a > }\n'
    release = hostile_release(tmp_path / "hostile.release", source, "Leak", "Odd")
    done = prove(release, tmp_path / "cache", "--json")
    assert done.returncode == 1
    assert "root:" not in done.stdout + done.stderr
    proof = json.loads(done.stdout)["proof"]
    codes = {(finding["code"], finding["rule"]) for finding in proof["findings"]}
    assert ("prove/load", "") in codes
    assert ("prove/compile", "Odd") in codes
    reasons = {check["name"]: check["reason"] for check in proof["checks"] if check["outcome"] == "not-run"}
    assert reasons["whole-release"] == "the release does not load"
    assert reasons["goodware"] == "rules that are refused alone have not met it"


def test_what_is_no_content_is_not_proven(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no release")
    assert prove(tmp_path / "file", tmp_path / "cache").returncode == 65
    assert prove(tmp_path / "nothing", tmp_path / "cache").returncode == 66
    assert prove(tmp_path, tmp_path / "cache").returncode == 66
    source = content(tmp_path / "content")
    assert prove(source, tmp_path / "cache", "--engine", str(tmp_path / "python")).returncode == 66
    assert prove(source, tmp_path / "cache", "--goodware", str(tmp_path / "nowhere")).returncode == 66
    assert prove(source, tmp_path / "cache", "--workers", "65").returncode == 2
    assert prove(source, tmp_path / "cache", "--json", "--sarif").returncode == 2


def test_of_a_directory_that_cannot_be_built_everything_is_told_and_nothing_written(tmp_path: Path) -> None:
    source = content(tmp_path / "content", 'import "console" rule Told { condition: console.log(1) }', "Nobody: []\n")
    report, output = tmp_path / "proof.html", tmp_path / "good.release"
    done = prove(source, tmp_path / "cache", "--report", str(report), "-o", str(output), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    told = json.loads(done.stdout)
    assert (told["verdict"], told["proof"], told["release_sha256"]) == ("refused", None, "")
    assert {"source/self-test", "yara/module"} <= {finding["code"] for finding in told["findings"]}
    assert not report.exists()
    assert not output.exists()
    plain = prove(source, tmp_path / "cache")
    assert plain.returncode == 1
    assert "nothing of it was tried and no proof is written" in plain.stdout


def test_what_the_lint_refuses_is_refused_in_a_built_release_as_well(tmp_path: Path) -> None:
    weak = f'rule Weak {{ {META} strings: $a = "q~z" condition: $a }}'
    source = content(tmp_path / "content", weak, TESTS + 'Weak:\n  matches: ["q~z"]\n  ignores: ["none"]\n')
    release = tmp_path / "weak.release"
    built = subprocess.run([*COMMAND, "content", "build", str(source), "-o", str(release)], check=False)
    assert built.returncode == 0
    done = prove(release, tmp_path / "cache", "--json")
    assert done.returncode == 1
    (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "error"]
    assert (finding["code"], finding["rule"]) == ("yara/unspecific", "Weak")
    assert finding["file"].startswith("yara/")


def test_a_supported_build_whose_engine_is_not_given_closes_its_gate(tmp_path: Path) -> None:
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "own.json").write_bytes(own_contract_bytes())
    source = content(tmp_path / "content")
    words = ("--contracts", str(contracts), "--proof", str(tmp_path / "proof.json"))
    assert prove(source, tmp_path / "cache", *words).returncode == 0
    older_engine = renamed(own_contract(), engine_version=OLDER_ENGINE)
    (contracts / "old.json").write_bytes(encode_contract(older_engine))
    assert prove(source, tmp_path / "cache", *words).returncode == 1
    proof = decode_proof((tmp_path / "proof.json").read_bytes())
    assert outcome(proof, CheckName.ENGINES) is CheckOutcome.NOT_RUN


def lines_in(cache: Path) -> int:
    """Results that a cache holds."""
    file = cache / "results"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_a_proof_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    rules = "".join(
        f'rule More_{number} {{ {ALERTS} strings: $a = "more-{number}-ringfence" condition: $a }}\n'
        for number in range(60)
    )  # fmt: skip
    source, cache = content(tmp_path / "content", rules), tmp_path / "cache"
    command = [*COMMAND, "content", "prove", str(source), "--no-packages", "--cache", str(cache)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while lines_in(cache) < 16 and running.poll() is None and time.monotonic() < deadline:
        os.sched_yield()
    running.send_signal(signal.SIGKILL)
    running.wait()
    before = lines_in(cache)
    assert before >= 16
    done = prove(source, cache, "--proof", str(tmp_path / "proof.json"))
    assert (done.returncode, done.stderr) == (0, "")
    proof = decode_proof((tmp_path / "proof.json").read_bytes())
    assert figure(proof, CheckName.ALONE, "remembered_rules") >= 16


def test_rules_over_events_are_proven_for_a_fleet_that_supplies_them(tmp_path: Path) -> None:
    source, contracts = content(tmp_path / "content"), tmp_path / "contracts"
    (source / "sigma").mkdir()
    (source / "sigma" / "shell.yml").write_text(GOOD)
    (source / "tests" / "shell.events.yaml").write_text(EVENT_TESTS)
    contracts.mkdir()
    events = (process_creation("ParentImage"),)
    (contracts / "detector.json").write_bytes(encode_contract(sensor(events=events)))
    alone = prove(source, tmp_path / "cache", "--proof", str(tmp_path / "alone.json"))
    assert alone.returncode == 1
    assert "prove/contract" in alone.stdout
    words = ("--contracts", str(contracts), "--proof", str(tmp_path / "proof.json"))
    done = prove(source, tmp_path / "cache", *words)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    proof = decode_proof((tmp_path / "proof.json").read_bytes())
    assert figure(proof, CheckName.ALONE, "event_rules") == 1
    assert [engine.contract_sha256 for engine in proof.engines] == [contract_digest(sensor(events=events))]
    day = tmp_path / "day.jsonl"
    quiet = {"type": "process_creation", "fields": {"Image": "/usr/bin/make", "ParentImage": "/bin/sh"}}
    day.write_text(3 * f"{json.dumps(quiet)}\n")
    assert prove(source, tmp_path / "cache", *words, "--events", str(day)).returncode == 0
    proof = decode_proof((tmp_path / "proof.json").read_bytes())
    assert figure(proof, CheckName.GOODWARE, "recorded_events") == 3
    loud = {"type": "process_creation", "fields": {"Image": "/bin/sh", "ParentImage": "/usr/sbin/nginx"}}
    day.write_text(3 * f"{json.dumps(quiet)}\n" + json.dumps(loud))
    noisy = prove(source, tmp_path / "cache", *words, "--events", str(day))
    assert noisy.returncode == 1
    assert "sigma/shell.yml:2:1: sigma/recorded-noise: matches 1 of 4 recorded events" in noisy.stdout
    assert f"{day}:4" in noisy.stdout
    day.write_text("{}\n")
    assert prove(source, tmp_path / "cache", *words, "--events", str(day)).returncode == 65
    older = sensor("0.9.0", events=(process_creation(),))
    (contracts / "older.json").write_bytes(encode_contract(older))
    refused = prove(source, tmp_path / "cache", *words)
    assert refused.returncode == 1
    proof = decode_proof((tmp_path / "proof.json").read_bytes())
    short = [one for one in proof.findings if one.code == "prove/contract"]
    assert [(one.file, one.rule) for one in short] == [("sigma/shell.yml", IDENTIFIER)]
    assert "process_creation.ParentImage" in short[0].text
    assert older.build in short[0].text
    assert sensor(events=events).build not in short[0].text
    assert outcome(proof, CheckName.LOAD) is CheckOutcome.REFUSED


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a sensor build with an older engine: this very code, and the engine before this one's."""
    place = tmp_path_factory.mktemp("older")
    venv.create(place, with_pip=False, symlinks=True)
    packages = place / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages)]
    subprocess.run([*install, f"yara-x=={OLDER_ENGINE}"], check=True, timeout=PATIENCE_S)
    (packages / "ringfence.pth").write_text(f"{Path(yara_x.__file__).parents[1]}\n{ROOT / 'src'}\n")
    return place / "bin" / "python"


def test_an_older_engine_is_put_through_every_gate(older: Path, tmp_path: Path) -> None:
    source = content(tmp_path / "content")
    done = prove(source, tmp_path / "cache", "--engine", str(older), "--proof", str(tmp_path / "proof.json"))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    proof = decode_proof((tmp_path / "proof.json").read_bytes())
    assert [engine.engine_version for engine in proof.engines] == [engine_version(), OLDER_ENGINE]
    check = next(check for check in proof.checks if check.name is CheckName.ENGINES)
    assert figure(proof, CheckName.ENGINES, "engines") == 1
    assert check.spent_ms > 0
    bad = content(tmp_path / "bad", f"rule Everything {{ {META} condition: filesize >= 0 }}\n")
    refused = prove(bad, tmp_path / "cache", "--engine", str(older))
    assert refused.returncode == 1
    assert f"[engine {OLDER_ENGINE}]" in refused.stdout


def test_an_interpreter_without_ringfence_ends_the_proof_with_an_error(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    done = prove(content(tmp_path / "content"), tmp_path / "cache", "--engine", str(tmp_path / "bare/bin/python"))
    assert done.returncode == 70
    assert "no worker starts with" in done.stderr
