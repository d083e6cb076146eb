"""`ringfence content prove`: what a release cannot do to a host, shown by running the host's own engine."""

import datetime as dt
import hashlib
import json
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import ringfence
from ringfence import __version__
from ringfence.author.build import build_release, with_waivers
from ringfence.author.codes import CODES
from ringfence.author.content_dir import read_directory
from ringfence.author.content_head import CONTENT_FILE
from ringfence.author.contract_files import read_contracts
from ringfence.author.finding import Finding, finding_facts, finding_line, in_order
from ringfence.author.goodware import Batch, batches_of, files_below, listed, package_files
from ringfence.author.lint import LintResult, finding_of_refusal, lint_directory, reasons_of
from ringfence.author.lint_release import lint_release
from ringfence.author.proof_cache import ProofCache
from ringfence.author.proof_tasks import Trouble
from ringfence.author.proof_units import UnitReader
from ringfence.author.prove import Judge, Places, Special, findings_of
from ringfence.author.prove_engine import EngineProver, EngineTrial
from ringfence.author.recorded_events import RecordedPart, read_recordings
from ringfence.author.sarif import sarif_log
from ringfence.author.source_cache import RememberingReader
from ringfence.detect.needs import needs_of
from ringfence.detect.supplied import ENGINE
from ringfence.host.tree_walk import shown
from ringfence.host.vital import PATHS
from ringfence.model.contract import Need, SensorContract
from ringfence.model.errors import ContentRefused, PathRefused, UsageRefused
from ringfence.model.limits import PROOF_PROGRAMS_BYTES_MAX, PROOF_WORKERS_MAX
from ringfence.model.proof import CheckName, CheckOutcome, EngineFacts, MachineFacts, Proof, Verdict
from ringfence.model.release import Release
from ringfence.programs.content_build import write_whole
from ringfence.programs.content_show import read_release_file
from ringfence.programs.in_background import InBackground
from ringfence.programs.own_contract import own_contract
from ringfence.programs.proof_page import page_of
from ringfence.programs.proof_pool import ProofPool, memory_file, memory_file_of
from ringfence.trust.eligibility import shortages
from ringfence.wire.contract import contract_digest
from ringfence.wire.manifest import proof_subject
from ringfence.wire.proof import encode_proof
from ringfence.wire.release import decode_release, encode_release

REFUSED: Final = 1
"""Exit status of a release that was refused."""

PASSED_ON_LEVEL: Final = 1
"""Compression of what only goes to the workers: the level of a release takes seconds for thousands of rules."""

PROGRAMS: Final = (
    "/bin/sh",
    "/bin/bash",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/aarch64-linux-gnu/libc.so.6",
)
"""Programs that are probes, as far as they are there."""

Step = Callable[[str, int, int], None]

Directories = Annotated[
    list[Path] | None,
    typer.Option("--goodware", metavar="DIR", help="Good files beside those of the machine's packages; repeatable."),
]
Recordings = Annotated[
    list[Path] | None,
    typer.Option(
        "--events",
        metavar="FILE.jsonl",
        help='Events of good machines for rules over events: {"type": ..., "fields": {...}} a line; repeatable.',
    ),
]
Contracts = Annotated[
    Path | None,
    typer.Option("--contracts", metavar="DIR", help="Contracts of every sensor build that must take the release."),
]
Engines = Annotated[
    list[Path] | None,
    typer.Option("--engine", metavar="PYTHON", help="Interpreter of an older sensor build; repeatable."),
]


def command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A content directory, or a release.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RELEASE", help="Write the release with its proof inside, if proven."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page for people, also when refused.")
    ] = None,
    proof_file: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE.json", help="Write the proof alone, also when refused.")
    ] = None,
    goodware: Directories = None,
    events: Recordings = None,
    contracts: Contracts = None,
    engine: Engines = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Where results are remembered; default: ~/.cache.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes; 0: one for each processor.")] = 0,
    *,
    packages: Annotated[
        bool, typer.Option("--packages/--no-packages", help="Take the files of the machine's packages as goodware.")
    ] = True,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember nothing, believe nothing remembered.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the proof and where it was written as JSON.")] = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print the findings as SARIF 2.1.0.")] = False,
) -> None:
    r"""Prove that a release cannot hurt: the host's own engine, sandbox and limits, on everything that could go wrong.

    Each rule alone and all together on hostile inputs; every file of this machine's packages; self-tests; the same
    result twice; the fast path against the plain engine; every older engine named.  A step that is skipped is a gate
    that failed.  What was done before an interruption is not done again.  Of a directory that cannot be built every
    finding is told, and nothing is written.

    \b
    Example:
      ringfence content prove content/starter -o starter.release --report proof.html

    \b
    Exit status:
      0   proven: a host may take RELEASE
      1   refused: every reason is printed as file:line:column: code: text
      65  SOURCE is a file and no release, or a recording holds no events
      66  SOURCE, or a directory, interpreter or recording named, is not there
    """
    _check_usage(workers, as_json=as_json, as_sarif=as_sarif)
    engines = [_interpreter(path) for path in engine or []]
    inventory = read_contracts(contracts) if contracts is not None else ()
    recorded = read_recordings(events or [])
    with _bar() as step, ProofCache(_cache_directory(cache, no_cache=no_cache)) as memory:
        fleet = inventory or (own_contract(),)
        try:
            release, places = _read(source, memory, step)
        except ContentRefused as refusal:
            if not source.is_dir():
                raise
            lint = _lint(source, None, fleet, memory, lambda name: step(f"checking {name}", 0, 0))
            raise _unbuilt(source, lint, refusal, as_json=as_json, as_sarif=as_sarif) from refusal
        checks = InBackground(lambda: Checks(_lint(source, release, fleet, memory), tuple(needs_of(release))))
        batches = _goodware(goodware or [], packages=packages)
        proof = _prove(release, places, checks, batches, recorded, memory, engines, inventory,
                       workers or os.cpu_count() or 1, step)  # fmt: skip
    data = encode_proof(proof)
    written = _write(release, proof, data, output, proof_file)
    if report is not None:
        write_whole(report, page_of(proof).encode())
    _tell(proof, data, written, as_json=as_json, as_sarif=as_sarif)
    if proof.verdict is not Verdict.PROVEN:
        raise SystemExit(REFUSED)


def _check_usage(workers: int, *, as_json: bool, as_sarif: bool) -> None:
    if not 0 <= workers <= PROOF_WORKERS_MAX:
        raise UsageRefused(f"--workers {workers} is not from 0 to {PROOF_WORKERS_MAX}", "leave it out")
    if as_json and as_sarif:
        raise UsageRefused("--json and --sarif both want the output", "name one of them")


def _read(source: Path, cache: ProofCache, step: Step) -> tuple[Release, Places]:
    """The release in a file, or of a content directory with the places of its rules."""
    if not source.is_dir():
        return decode_release(read_release_file(source)), Places({})
    content = read_directory(source, lambda name: step(f"reading {name}", 0, 0), RememberingReader(cache))
    places = {rule.identifier: (rule.file, rule.line) for rules in content.files for rule in rules}
    for rule in content.sigma.sources if content.sigma else ():
        places[rule.name] = (rule.file, rule.document.place("id").line if rule.document else 1)
    return with_waivers(build_release(content), source), Places(places)


@dataclass(frozen=True, slots=True)
class Checks:
    """What is found out in this process while the workers try the release."""

    lint: LintResult
    needs: tuple[Need, ...]


def _lint(
    source: Path,
    release: Release | None,
    contracts: Sequence[SensorContract],
    cache: ProofCache,
    progress: Callable[[str], None] = lambda _: None,
) -> LintResult:
    """What the lint says today of a content directory, or of the release where there is only that."""
    if release is not None and not source.is_dir():
        return lint_release(release, contracts, progress)
    today = dt.datetime.fromtimestamp(time.time(), dt.UTC).date()
    return lint_directory(source, contracts, today, progress, cache)


def _goodware(directories: Sequence[Path], *, packages: bool) -> list[Batch]:
    """The goodware of this machine: packages, our own files, and what was named."""
    names = package_files() if packages else []
    for directory in (*directories, *_own_trees()):
        if not directory.is_dir():
            raise PathRefused(f"{directory} is not a directory", "name a directory of good files")
        names += files_below(directory.resolve())
    content = str(_own_trees()[0] / "content_files")
    return batches_of(listed(name for name in names if not name.startswith(content)))


def _own_trees() -> tuple[Path, ...]:
    """Ringfence itself, and the library of the interpreter that runs it."""
    return Path(str(ringfence.__file__)).resolve().parent, Path(sysconfig.get_path("stdlib")).resolve()


def _prove(
    release: Release,
    places: Places,
    checks: InBackground[Checks],
    batches: Sequence[Batch],
    recorded: Sequence[RecordedPart],
    cache: ProofCache,
    engines: Sequence[str],
    inventory: Sequence[SensorContract],
    workers: int,
    step: Step,
) -> Proof:
    unproven = replace(release, manifest=replace(release.manifest, proof_sha256=""), proof=b"")
    subject = proof_subject(release.manifest)
    reader = UnitReader(unproven)
    programs = _programs()
    digest = hashlib.sha256(b"".join(programs)).hexdigest()
    trials: list[EngineTrial] = []
    with ExitStack() as stack:
        files = (memory_file(encode_release(unproven, PASSED_ON_LEVEL)), memory_file_of(programs))
        for file in files:
            stack.callback(os.close, file)
        for python in (sys.executable, *engines):
            with ProofPool(*files, workers, python) as pool:
                trials.append(EngineProver(reader, batches, cache, digest, step, recorded).run(pool))
    lint, needs = checks.result().lint, checks.result().needs
    for short in shortages(needs, inventory or (own_contract(),)):
        trials[0].troubles.append(Trouble("prove/contract", short.need.rule, short.text))
        trials[0].failed.add(CheckName.LOAD)
    tried = {trial.engine_version for trial in trials}
    lacking = [one.build for one in inventory if one.engine != ENGINE or one.engine_version not in tried]
    special = Special(frozenset(os.path.realpath(path) for path in PATHS), (f"{_own_trees()[0]}/",))
    return Judge(reader, places, special).proof(
        subject,
        trials,
        engines=_engines(needs, trials, inventory),
        unproven_builds=lacking,
        machine=_machine(),
        made_s=int(time.time()),
        lint=lint,
    )


def _engines(
    needs: Sequence[Need], trials: Sequence[EngineTrial], inventory: Sequence[SensorContract]
) -> list[EngineFacts]:
    """For whom the proof holds: the builds that ran, where they supply what is needed, and those of the inventory that
    have the same engine.  What the release does to an engine does not depend on the contract.
    """
    facts = [EngineFacts(one.build, ENGINE, one.engine_version, one.contract_sha256) for one in trials]
    if inventory and shortages(needs, (own_contract(),)):
        facts = facts[1:]
    tried = {trial.engine_version for trial in trials}
    facts += [
        EngineFacts(one.build, one.engine, one.engine_version, contract_digest(one))
        for one in inventory
        if one.engine == ENGINE and one.engine_version in tried
    ]
    return list({(fact.engine_version, fact.contract_sha256): fact for fact in facts}.values())


def _programs() -> list[bytes]:
    """Programs of this machine that are probes, up to their bound."""
    found: list[bytes] = []
    left = PROOF_PROGRAMS_BYTES_MAX
    for name in dict.fromkeys(os.path.realpath(path) for path in (*PROGRAMS, sys.executable)):
        path = Path(name)
        if path.is_file() and path.stat().st_size < left // 2:
            found.append(path.read_bytes())
            left -= len(found[-1])
    return found


def _machine() -> MachineFacts:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return MachineFacts(platform.machine().lower() or "unknown", os.cpu_count() or 1, memory_bytes)


def _interpreter(path: Path) -> str:
    if not os.access(path, os.X_OK) or not path.is_file():
        raise PathRefused(f"{path} is not an interpreter", "name the `python` of the older build's environment")
    return str(path.absolute())


def _cache_directory(named: Path | None, *, no_cache: bool) -> Path | None:
    if no_cache:
        return None
    if named is not None:
        return named
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringfence" / "proof"


def _write(release: Release, proof: Proof, data: bytes, output: Path | None, proof_file: Path | None) -> str:
    """Write what is wanted; returns the digest of the written release, "" if there is none."""
    if proof_file is not None:
        write_whole(proof_file, data)
    if output is None or proof.verdict is not Verdict.PROVEN:
        return ""
    manifest = replace(release.manifest, proof_sha256=hashlib.sha256(data).hexdigest())
    whole = encode_release(replace(release, manifest=manifest, proof=data))
    write_whole(output, whole)
    return hashlib.sha256(whole).hexdigest()


def _tell(proof: Proof, data: bytes, written: str, *, as_json: bool, as_sarif: bool) -> None:
    findings = findings_of(proof)
    if as_sarif:
        _tell_sarif(findings, {waiver.sha256: waiver.reason for waiver in proof.waivers})
        return
    if as_json:
        _tell_json(proof.verdict, findings, hashlib.sha256(data).hexdigest(), json.loads(data), written)
        return
    for finding in findings:
        print(shown(finding_line(finding)))
    for check in proof.checks:
        figures = ", ".join(f"{figure.name} {figure.value}" for figure in check.figures)
        line = f"{check.name:<16} {check.outcome:<8} {check.spent_ms / 1000:8.1f} s CPU  {check.reason or figures}"
        print(shown(line.rstrip()))
    refusing = sum(check.outcome is not CheckOutcome.PASSED for check in proof.checks)
    print(f"{proof.name} version {proof.version}: {proof.verdict}" + (f", {refusing} gates closed" if refusing else ""))
    if written:
        print(f"sha256 {written}")


def _unbuilt(source: Path, lint: LintResult, refusal: ContentRefused, *, as_json: bool, as_sarif: bool) -> SystemExit:
    """Tell what is wrong with a directory of which no release comes: what the lint says of it, which is all at once,
    and what the build stumbled over where the lint is content.
    """
    findings = lint.findings
    if not lint.refused:
        findings = in_order([*findings, finding_of_refusal(refusal, refusal.file or CONTENT_FILE, "source/build")])
    if as_sarif:
        _tell_sarif(findings, reasons_of(lint.waivers))
    elif as_json:
        _tell_json(Verdict.REFUSED, findings, "", None, "")
    else:
        for finding in findings:
            print(shown(finding_line(finding)))
        print(f"{shown(str(source))}: refused: it cannot be built, so nothing of it was tried and no proof is written")
    return SystemExit(REFUSED)


def _tell_sarif(findings: Sequence[Finding], reasons: Mapping[str, str]) -> None:
    log = sarif_log(findings, tool="ringfence content prove", version=__version__, codes=CODES, reasons=reasons)
    print(json.dumps(log))


def _tell_json(
    verdict: Verdict, findings: Sequence[Finding], proof_sha256: str, proof: dict[str, Any] | None, written: str
) -> None:
    facts = {
        "verdict": verdict,
        "release_sha256": written,
        "proof_sha256": proof_sha256,
        "proof": proof,
        "findings": [finding_facts(finding) for finding in findings],
    }
    print(json.dumps(facts))


@contextmanager
def _bar() -> Iterator[Step]:
    """A progress bar on a terminal's standard error; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda what, done, total: progress.update(task, description=shown(what), completed=done, total=total)
