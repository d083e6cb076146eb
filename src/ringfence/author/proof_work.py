"""What a prover's worker does: the host's own decoder, compiler and scanner, on inputs that are made to hurt.

It runs in a host's sandbox (`programs/proof_worker.py`) and may be killed at any instant; whoever asked then knows
which rules were in hand.  Times are CPU times of this process.  A probe over its bound is measured again before it is
believed, because another tenant of the machine can make it look slower, never faster.
"""

import resource
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import yara_x

from ringfence.author.proof_archives import hostile_archives
from ringfence.author.proof_inputs import Probe, general_probes, own_probes, own_sample
from ringfence.author.proof_tasks import (
    Agreed,
    Agreement,
    Answer,
    Loaded,
    ProbeCost,
    ScannedFiles,
    Task,
    TaskKind,
    Tried,
    Trouble,
)
from ringfence.author.proof_units import UnitReader
from ringfence.author.recorded_events import decode_events
from ringfence.author.sigma_recorded import Replayed, replay_part
from ringfence.author.sigma_trial import try_rule, try_together
from ringfence.decide.inspection import inspect_whole
from ringfence.detect.byte_source import CalledBytes, HeldBytes
from ringfence.detect.file_type import FileClass, classify
from ringfence.detect.findings import ScanFindings
from ringfence.detect.needs import check_declared, needs_of, outlines_of
from ringfence.detect.self_tests import broken_self_tests, what_is_broken
from ringfence.detect.yara import CompiledContent, ContentScanner, compile_release, is_engine_failure
from ringfence.model.detection import Detections
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import (
    FINDING_RULES_MAX,
    PROOF_ARCHIVE_MS_MAX,
    PROOF_EASY_MS_MAX,
    PROOF_FILE_TIMEOUT_S,
    PROOF_HOPELESS_RATIO,
    PROOF_PROBE_TIMEOUT_S,
    PROOF_PROBE_USES_MAX,
    PROOF_RULE_COMPILE_MS_MAX,
    PROOF_SLOW_MS_MAX,
    PROOF_WHOLE_MS_MAX,
    SYNC_SCAN_BYTES_MAX,
)
from ringfence.model.release import YARA_VARIABLES
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire.detection_ir import decode_detections
from ringfence.wire.release import decode_release

ENGINE_FAILED: Final = frozenset({UnknownReason.ENGINE_TIMEOUT, UnknownReason.ENGINE_PANIC})

Read = Callable[[int, int], bytes]
"""`read(length, offset)` of a task's files, one behind the other."""


class Work:
    """The state of one worker: the release, decoded and compiled when it is first needed."""

    def __init__(self, data: bytes, programs: Sequence[bytes]) -> None:
        """`data`: the release.  `programs`: whole programs of this machine, as probes."""
        self._data = data
        self._programs = [Probe(f"program {number}", program) for number, program in enumerate(programs, 1)]
        self._units: UnitReader | None = None
        self._content: CompiledContent | None = None
        self._scanner: ContentScanner | None = None
        self._files: ContentScanner | None = None
        self._part: tuple[tuple[str, ...], CompiledContent, ContentScanner] | None = None
        self._plain: tuple[str, yara_x.Scanner] | None = None
        self._places: dict[str, int] = {}
        self._detections: list[tuple[str, Detections]] | None = None

    def do(self, task: Task, read: Read) -> Answer:
        """The answer to `task`.  Raises ContentRefused where the release does not load."""
        match task.kind:
            case TaskKind.LOAD:
                return self._load()
            case TaskKind.ALONE:
                return self._alone(task.rules)
            case TaskKind.WHOLE:
                return self._whole()
            case TaskKind.AGREE:
                return Agreed(tuple(self._agree(rule) for rule in task.rules))
            case TaskKind.SCAN:
                return self._scan(task, read)
            case TaskKind.EVENTS:
                return self._over_events(task.rules)
            case TaskKind.RECORDED:
                return self._recorded(read(sum(task.sizes), 0))

    # --- the release -----------------------------------------------------------------------------------------------

    def _reader(self) -> UnitReader:
        if self._units is None:
            self._units = UnitReader(decode_release(self._data))
        return self._units

    def _compiled(self) -> tuple[CompiledContent, ContentScanner]:
        if self._content is None or self._scanner is None:
            self._content = compile_release(self._reader().release)
            self._scanner = self._content.scanner(PROOF_PROBE_TIMEOUT_S)
        return self._content, self._scanner

    def _patient(self) -> ContentScanner:
        """A scanner for whole files: whoever asked looks at the CPU, and a busy machine convicts nobody."""
        if self._files is None:
            self._files = self._compiled()[0].scanner(PROOF_FILE_TIMEOUT_S)
        return self._files

    def _load(self) -> Loaded:
        """What a host does before it believes a release, measured."""
        before = time.process_time_ns()
        troubles: list[Trouble] = []
        scanners = self_tests = 0
        try:
            release = decode_release(self._data)
            outlines = outlines_of(release)
            needs = needs_of(release, outlines)
            check_declared(release, needs)
            content = compile_release(release, outlines)
            spent_ms = (time.process_time_ns() - before) // 1_000_000
            scanners, self_tests = content.scanner_count, len(release.manifest.self_tests)
            troubles += [
                Trouble("prove/self-test", test.rule, what_is_broken(test))
                for test in broken_self_tests(release, content)
            ]
            self._units, self._content = UnitReader(release), content
        except ContentRefused as refusal:
            spent_ms = (time.process_time_ns() - before) // 1_000_000
            troubles.append(_refusal("prove/load", "", refusal))
        resident_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Loaded(spent_ms, resident_bytes, scanners, self_tests, tuple(troubles))

    # --- rules over events -----------------------------------------------------------------------------------------

    def _over_events(self, names: Sequence[str]) -> Tried:
        """The rules named, each alone on hostile events; or all together on ordinary ones, with their self-tests."""
        packs = self._over_event_packs()
        if not names:
            trial = try_together([held for _, held in packs], time.process_time_ns)
            cost = ProbeCost("ordinary events", "ordinary events", trial.mean_us, ())
            return Tried((cost,), tuple(Trouble(one.code, one.rule, one.text) for one in trial.troubles))
        costs, troubles = [], []
        wanted = frozenset(names)
        for path, held in packs:
            for rule in held.rules:
                if rule.identifier in wanted:
                    cost_us, found = try_rule(rule, time.process_time_ns)
                    costs.append(ProbeCost(rule.identifier, "hostile events", cost_us, ()))
                    troubles += [Trouble(one.code, one.rule, one.text, path, 1) for one in found]
        return Tried(tuple(costs), tuple(troubles))

    def _over_event_packs(self) -> list[tuple[str, Detections]]:
        """The packs of rules over events with their paths, read once."""
        if self._detections is None:
            packs = self._reader().release.detections
            self._detections = [(pack.entry.path, decode_detections(pack.data, pack.entry.path)) for pack in packs]
        return self._detections

    def _recorded(self, lines: bytes) -> Replayed:
        """All rules over events on recorded ones."""
        rules = [rule for _, held in self._over_event_packs() for rule in held.rules]
        return replay_part(rules, decode_events(lines, "the recorded events"), time.process_time_ns)

    # --- each rule alone -------------------------------------------------------------------------------------------

    def _alone(self, names: Sequence[str]) -> Tried:
        """Each rule on the inputs made for it, and on the general ones.

        Rules that together stay far below the bound of one on every general input stay below it alone, too, because
        the engine then does a part of the same work.  Only where they do not is each tried on them.
        """
        together = len(names) > 1 and self._easy_together(names)
        costs, troubles = [], []
        for name in names:
            cost, trouble = self._one_alone(name, general=not together)
            costs.append(cost)
            troubles += trouble
        return Tried(tuple(costs), tuple(troubles))

    def _easy_together(self, names: Sequence[str]) -> bool:
        """Whether these rules of one class, all at once, are cheap on every general input and match none of them."""
        release = self._reader().subset(names)
        classes = {pack.entry.file_class for pack in release.packs}
        try:
            content = compile_release(release)
            scanner = content.scanner(PROOF_PROBE_TIMEOUT_S)
        except ContentRefused:
            return False
        for file_class in sorted(classes):
            programs = self._programs if file_class in (FileClass.ANY, FileClass.ELF) else []
            for probe in _chained(general_probes(file_class), programs):
                cpu_us, findings = _measured(content, scanner, probe.data, PROOF_EASY_MS_MAX)
                if cpu_us > PROOF_EASY_MS_MAX * 1_000 or findings.rules or findings.missing is not UnknownReason.NONE:
                    return False
        return True

    def _one_alone(self, name: str, *, general: bool) -> tuple[ProbeCost, list[Trouble]]:
        """The most expensive probe of one rule, and why it is refused."""
        reader = self._reader()
        release = reader.subset([name])
        before = time.process_time_ns()
        try:
            content = compile_release(release)
        except ContentRefused as refusal:
            return ProbeCost(name, "compiling", 0, ()), [_refusal("prove/compile", name, refusal)]
        compile_ms = (time.process_time_ns() - before) // 1_000_000
        if compile_ms > PROOF_RULE_COMPILE_MS_MAX:
            text = f"compiling takes {compile_ms} ms of CPU, {PROOF_RULE_COMPILE_MS_MAX} are allowed"
            return ProbeCost(name, "compiling", compile_ms * 1_000, ()), [Trouble("prove/compile-slow", name, text)]
        scanner = content.scanner(PROOF_PROBE_TIMEOUT_S)
        place = next(place for place, entry in enumerate(content.rules) if entry.identifier == name)
        file_class = release.packs[0].entry.file_class
        rule = reader.text(name)
        everybody = general_probes(file_class) if general else ()
        own = own_probes(rule, file_class) if rule is not None else ()
        programs = self._programs if general and file_class in (FileClass.ANY, FileClass.ELF) else []
        worst = ProbeCost(name, "none", 0, ())
        everything = general and file_class == FileClass.ANY
        for probe in _chained(everybody, own, programs):
            cpu_us, findings = _measured(content, scanner, probe.data, PROOF_SLOW_MS_MAX)
            worst = max(worst, ProbeCost(name, probe.name, cpu_us, ()), key=lambda cost: cost.cpu_us)
            if trouble := _slow(name, probe.name, cpu_us, findings, PROOF_SLOW_MS_MAX):
                return worst, [trouble]
            everything = everything and (probe not in everybody or place in findings.rules)
        if everything:
            return worst, [Trouble("prove/matches-everything", name, "matches zeros, text and chance alike")]
        return worst, []

    # --- the whole release -----------------------------------------------------------------------------------------

    def _whole(self) -> Tried:
        content, scanner = self._compiled()
        costs, troubles = [], []
        for kind in (FileClass.ANY, FileClass.ELF, FileClass.PE, FileClass.SCRIPT):
            for probe in _chained(general_probes(kind), self._programs if kind is FileClass.ANY else ()):
                name = probe.name if kind is FileClass.ANY else f"{probe.name}, as {kind}"
                cpu_us, findings = _measured(content, scanner, probe.data, PROOF_WHOLE_MS_MAX)
                costs.append(ProbeCost(name, name, cpu_us, tuple(sorted(findings.rules))))
                if trouble := _slow("", name, cpu_us, findings, PROOF_WHOLE_MS_MAX):
                    troubles.append(trouble)
        for probe in hostile_archives():
            before = time.process_time_ns()
            found = inspect_whole(self._patient(), HeldBytes(probe.data)).findings
            cpu_us = (time.process_time_ns() - before) // 1_000
            costs.append(ProbeCost(probe.name, probe.name, cpu_us, tuple(sorted(found.rules))))
            if trouble := _slow("", probe.name, cpu_us, found, PROOF_ARCHIVE_MS_MAX):
                troubles.append(trouble)
        return Tried(tuple(costs), tuple(troubles))

    def _agree(self, name: str) -> Agreement:
        """The host's path and the plain engine on the sample made for one rule, about the rules of its pack."""
        content, scanner = self._compiled()
        reader = self._reader()
        if not self._places:
            self._places = {entry.identifier: place for place, entry in enumerate(content.rules)}
        pack = content.rules[self._places[name]].pack
        text = reader.text(name)
        data = b"" if text is None else own_sample(text, self._class_of(pack))
        found = scanner.scan(data).rules
        fast = {content.rules[place].identifier for place in found if content.rules[place].pack == pack}
        plain = self._plainly(data, pack)
        odd = fast - plain if len(found) == FINDING_RULES_MAX else fast ^ plain
        return Agreement(name, tuple(sorted(found)), min(odd, default=""))

    def _class_of(self, pack: str) -> str:
        return next(one.entry.file_class for one in self._reader().release.packs if one.entry.name == pack)

    def _plainly(self, data: bytes, name: str) -> set[str]:
        """What the plain engine finds in `data` with one pack: no sieve, no fast mode, no plan."""
        if self._plain is None or self._plain[0] != name:
            compiler = yara_x.Compiler(includes_enabled=False)
            for variable in sorted(YARA_VARIABLES):
                compiler.define_global(variable, "")
            pack = next(one for one in self._reader().release.packs if one.entry.name == name)
            compiler.add_source(pack.source)
            self._plain = name, yara_x.Scanner(compiler.build())
        if self._class_of(name) not in (FileClass.ANY, classify(data)):
            return set()
        try:
            matching = self._plain[1].scan(data).matching_rules
        except BaseException as failure:
            if not is_engine_failure(failure):
                raise
            self._plain = None
            return set()
        return {rule.identifier for rule in matching}

    # --- files -----------------------------------------------------------------------------------------------------

    def _scan(self, task: Task, read: Read) -> ScannedFiles:
        places, scanner = self._scanner_of(task.rules)
        hits: list[int] = []
        incomplete: list[int] = []
        unopened = slowest_file = slowest_us = offset = 0
        crowded = False
        began = time.process_time_ns()
        for number, size in enumerate(task.sizes):
            source = CalledBytes(_shifted(read, offset), size)
            offset += size
            before = time.process_time_ns()
            findings = inspect_whole(scanner, source).findings
            cpu_us = (time.process_time_ns() - before) // 1_000
            if size <= SYNC_SCAN_BYTES_MAX and cpu_us > slowest_us:
                slowest_file, slowest_us = number, cpu_us
            for rule in findings.rules:
                hits += (number, places[rule])
            crowded = crowded or len(findings.rules) >= FINDING_RULES_MAX or findings.outcome is Outcome.MALICIOUS
            if findings.missing in ENGINE_FAILED:
                incomplete.append(number)
            elif findings.missing is not UnknownReason.NONE:
                unopened += 1
        return ScannedFiles(
            (time.process_time_ns() - began) // 1_000,
            offset,
            slowest_file,
            slowest_us,
            tuple(hits),
            tuple(incomplete),
            unopened,
            crowded,
        )

    def _scanner_of(self, rules: tuple[str, ...]) -> tuple[Sequence[int], ContentScanner]:
        """A scanner of these rules, or of all; and the place in the manifest of each rule that it may name."""
        if not rules:
            content, _ = self._compiled()
            return range(len(content.rules)), self._patient()
        if self._part is None or self._part[0] != rules:
            self._part = None
            content = compile_release(self._reader().subset(rules))
            self._part = rules, content, content.scanner(PROOF_FILE_TIMEOUT_S)
        every = {entry.identifier: place for place, entry in enumerate(self._reader().release.manifest.rules)}
        return [every[entry.identifier] for entry in self._part[1].rules], self._part[2]


def _measured(
    content: CompiledContent, scanner: ContentScanner, data: bytes, bound_ms: int
) -> tuple[int, ScanFindings]:
    """The least CPU of a scan in a few tries; one try where that is within the bound, or far beyond it.

    The engine's timeout is of the wall clock.  Where it strikes although little CPU was used, the machine was busy, and
    the next try has four times as long.
    """
    best_us, best = _timed(scanner, data)
    for number in range(1, PROOF_PROBE_USES_MAX):
        complete = best.missing is UnknownReason.NONE
        if best_us <= bound_ms * 1_000 if complete else best_us > PROOF_HOPELESS_RATIO * bound_ms * 1_000:
            break
        patient = scanner if complete else content.scanner(PROOF_PROBE_TIMEOUT_S * 4**number)
        cpu_us, findings = _timed(patient, data)
        if (findings.missing is UnknownReason.NONE, -cpu_us) > (complete, -best_us):
            best_us, best = cpu_us, findings
    return best_us, best


def _timed(scanner: ContentScanner, data: bytes) -> tuple[int, ScanFindings]:
    before = time.process_time_ns()
    findings = scanner.scan(data)
    return (time.process_time_ns() - before) // 1_000, findings


def _slow(rule: str, probe: str, cpu_us: int, findings: ScanFindings, bound_ms: int) -> Trouble | None:
    """Why a probe refuses, if it does."""
    if findings.missing is UnknownReason.ENGINE_PANIC:
        return Trouble("prove/engine-panic", rule, f"the engine failed on the probe {probe}")
    if findings.missing is UnknownReason.ENGINE_TIMEOUT:
        text = f"the engine does not finish the probe {probe} within {PROOF_PROBE_TIMEOUT_S} s: all rules fall silent"
        return Trouble("prove/timeout", rule, text)
    if cpu_us > bound_ms * 1_000:
        return Trouble("prove/slow", rule, f"{cpu_us // 1_000} ms of CPU on the probe {probe}, {bound_ms} are allowed")
    return None


def _refusal(code: str, rule: str, refusal: ContentRefused) -> Trouble:
    line = int(refusal.position) if refusal.position.isdecimal() else 0
    return Trouble(code, rule, refusal.what.removeprefix(f"{refusal.file}:{refusal.position}: "), refusal.file, line)


def _chained(*several: Iterable[Probe]) -> Iterable[Probe]:
    for probes in several:
        yield from probes


def _shifted(read: Read, offset: int) -> Read:
    return lambda length, at: read(length, offset + at)
