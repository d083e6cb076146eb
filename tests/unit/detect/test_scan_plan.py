"""`detect/scan_plan.py`: what stands behind a sieve, what always runs, and that no finding depends on it."""

import pytest
import yara_x
from bench.pack import FAMILIES, rule_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.detect.detect_releases import pack_of, release_of
from tests.unit.detect.test_witness import CONDITIONS, PATTERNS

from ringfence.detect import scan_plan
from ringfence.detect.file_type import FileClass
from ringfence.detect.findings import CLEAN
from ringfence.detect.rule_outline import outline
from ringfence.detect.scan_plan import SIEVE_NAMESPACE, ScanPlan, plan_scanners
from ringfence.detect.yara import CompiledContent, ContentScanner, compile_release
from ringfence.model.limits import ENGINE_SCANNERS_MAX, RULES_MERGED_MAX, SIEVE_PATTERNS_MAX
from ringfence.model.release import Pack
from ringfence.model.verdict import Outcome, UnknownReason

COUNT = RULES_MERGED_MAX + 1


def rules_text(count: int = COUNT, start: int = 0) -> str:
    """So many rules, each with a rare pattern."""
    return "\n".join(
        f'rule r{n} {{ strings: $a = "rare text {n:05}" condition: $a }}' for n in range(start, start + count)
    )


def plan_of(*packs: Pack) -> ScanPlan:
    """The plan of these packs."""
    return plan_scanners(packs, [outline(pack.source) for pack in packs])


def shape(plan: ScanPlan, kind: FileClass = FileClass.OTHER) -> list[tuple[list[str], int]]:
    """For each scanner that comes first its namespaces, and how many stand behind it."""
    scanners = [plan.scanners[number] for number in plan.first[kind]]
    return [([part.namespace for part in one.parts], len(set(one.guards.values()))) for one in scanners]


def test_few_rules_have_no_sieve() -> None:
    """A small release is one scanner for each class, as if there were no sieves."""
    plan = plan_of(pack_of("small", rules_text(RULES_MERGED_MAX - 1)), pack_of("own", rules_text(1, 900), "elf"))
    assert shape(plan) == [(["small"], 0)]
    assert shape(plan, FileClass.ELF) == [(["small", "own"], 0)]


def test_many_rules_stand_behind_a_sieve() -> None:
    """Expensive modules apart; a small set of a class is run as it is, unless its module is expensive."""
    plan = plan_of(
        pack_of("many", rules_text()),
        pack_of("module", 'import "pe" rule m { strings: $a = "rare module" condition: $a and pe.is_pe }'),
        pack_of("few", 'rule few { strings: $a = "rare few" condition: $a }', "script"),
        pack_of("elf", 'import "elf" rule own { strings: $a = "rare own" condition: $a and elf.type == 1 }', "elf"),
    )
    assert shape(plan) == [([SIEVE_NAMESPACE], 2)]
    assert shape(plan, FileClass.SCRIPT) == [([SIEVE_NAMESPACE], 2), (["few"], 0)]
    assert shape(plan, FileClass.ELF) == [([SIEVE_NAMESPACE], 2), ([SIEVE_NAMESPACE], 1)]


def test_rules_without_a_witness_are_copied_with_what_they_name() -> None:
    """And with no import that they do not use."""
    source = f"""
import "pe" import "math" // imports
rule unused {{ condition: false and pe.is_pe }}
private rule base {{ strings: $a = "rare base" condition: $a or filesize > 3 }}
private rule over {{ condition: base or true }} // between
rule always {{ condition: over and math.abs(1) == 1 }} /* between */
{rules_text()}"""
    plan = plan_of(pack_of("many", source))
    assert shape(plan) == [([SIEVE_NAMESPACE, "many"], 1)]
    copied = plan.scanners[plan.first[FileClass.OTHER][0]].parts[1]
    assert copied.rules == {"base", "over", "always"}
    assert copied.imports == {"math"}
    assert "between" not in copied.source
    assert [rule.private for rule in outline(copied.source).rules] == [True, True, False]
    compile_release(release_of(pack_of("many", source)))


@pytest.mark.parametrize(
    "odd",
    [
        "global rule g { condition: true }",
        'rule odd { meta: m = """x""" condition: true }',
        "rule odd { condition: true };",
        "\n".join(f"rule a{n} {{ condition: filesize > {n} }}" for n in range(COUNT + 1)),
    ],
)
def test_a_pack_with_anything_odd_always_runs_whole(odd: str) -> None:
    plan = plan_of(pack_of("odd", rules_text() + odd), pack_of("plain", rules_text(1, 900)))
    assert shape(plan) == [([SIEVE_NAMESPACE, "odd"], 1)]
    assert plan.scanners[plan.first[FileClass.OTHER][0]].parts[1].source.endswith(odd)


def test_nothing_behind_a_sieve_is_no_sieve() -> None:
    plan = plan_of(pack_of("many", "\n".join(f"rule a{n} {{ condition: filesize > {n} }}" for n in range(COUNT))))
    assert shape(plan) == [(["many"], 0)]


def test_patterns_of_a_sieve_are_cut_into_several_rules() -> None:
    plan = plan_of(pack_of("many", rules_text(SIEVE_PATTERNS_MAX + 1)))
    sieve = plan.scanners[plan.first[FileClass.OTHER][0]]
    assert sieve.guards == {"sieve_0": 0, "sieve_1": 0}


def test_first_bytes_of_a_program_are_asked_by_the_sieve() -> None:
    """Behind a sieve of programs they would say nothing: there such a rule always runs."""
    text = rules_text() + "rule p { condition: uint16(0) == 0x5A4D and filesize < 100 }"
    for file_class, kind, always in (("any", FileClass.OTHER, []), ("pe", FileClass.PE, ["many"])):
        assert shape(plan_of(pack_of("many", text, file_class)), kind) == [([SIEVE_NAMESPACE, *always], 1)]
    content = compile_release(release_of(pack_of("many", text)))
    assert content.scanner(1).scan(b"MZ").outcome is Outcome.MALICIOUS
    assert content.scanner(1).scan(b"ZM") is CLEAN


def test_too_many_scanners_are_planned_without_sieves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_plan, "ENGINE_SCANNERS_MAX", 1)
    assert shape(plan_of(pack_of("many", rules_text()))) == [(["many"], 0)]
    assert ENGINE_SCANNERS_MAX > 1


class CountingScanner:
    """An engine scanner that counts its scans."""

    def __init__(self, scanner: yara_x.Scanner) -> None:
        self.scanner = scanner
        self.scans = 0

    def scan(self, data: bytes) -> object:
        """As the engine's."""
        self.scans += 1
        return self.scanner.scan(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self.scanner, name)


class FailingScanner:
    """An engine scanner that fails."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def scan(self, _: bytes) -> None:
        """Raise."""
        raise self.failure


def counted(content: CompiledContent) -> tuple[ContentScanner, dict[int, CountingScanner]]:
    """A scanner, and the counters of those that stand behind a sieve."""
    scanner = content.scanner(1)
    first = {number for kind in FileClass for number in content.groups_for(kind)}
    counters = {number: CountingScanner(one) for number, one in enumerate(scanner._scanners) if number not in first}
    for number, counter in counters.items():
        scanner._scanners[number] = counter  # type: ignore[call-overload]
    return scanner, counters


def test_a_clean_file_runs_no_group_of_a_pack_in_the_public_layout() -> None:
    """And a file with patterns of a rule runs the group of that rule."""
    texts = [rule_text(number, FAMILIES[number % len(FAMILIES)]) for number in range(600)]
    imports = "".join(f'import "{name}"\n' for name in ("pe", "elf", "hash", "math"))
    rule = 'rule found { strings: $a = "one rare text" condition: $a }'
    content = compile_release(release_of(pack_of("pack", imports + "\n".join(texts)), pack_of("plain", rule)))
    scanner, counters = counted(content)
    assert len(counters) == 2
    assert scanner.scan(b"int main(void) { return include(function, request); }\n" * 100) is CLEAN
    assert scanner.scan(b"\x7fELF" + bytes(range(256)) * 100) is CLEAN
    assert [counter.scans for counter in counters.values()] == [0, 0]
    assert scanner.scan(b"one rare text, not for the other group").rules != ()


class PanicException(BaseException):
    """Stands for the engine's, as in the tests of `detect/yara.py`."""


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (PanicException("assertion failed"), UnknownReason.ENGINE_PANIC),
        (yara_x.TimeoutError("timeout"), UnknownReason.ENGINE_TIMEOUT),
    ],
)
def test_a_sieve_that_fails_runs_what_it_guards(failure: BaseException, reason: UnknownReason) -> None:
    """Malware is found all the same, and a file is never called clean: rules that always run were silenced."""
    content = compile_release(release_of(pack_of("many", rules_text())))
    for data, outcome in ((b"rare text 00007", Outcome.MALICIOUS), (b"good", Outcome.UNKNOWN)):
        scanner, counters = counted(content)
        (sieve,) = content.groups_for(FileClass.OTHER)
        scanner._scanners[sieve] = FailingScanner(failure)  # type: ignore[call-overload]
        found = scanner.scan(data)
        assert (found.outcome, found.missing) == (outcome, reason)
        assert [counter.scans > 0 for counter in counters.values()] == [True]
        if reason is UnknownReason.ENGINE_PANIC:
            assert scanner.scan(b"good") is CLEAN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(CONDITIONS, min_size=3, max_size=3),
    st.tuples(PATTERNS, PATTERNS, PATTERNS),
    st.lists(st.text(alphabet="abcAB \x00", max_size=12), min_size=1, max_size=6),
    st.sampled_from(("", "private ", "global ")),
)
def test_no_finding_depends_on_the_sieve(
    monkeypatch: pytest.MonkeyPatch,
    conditions: list[str],
    patterns: tuple[tuple[str, str], ...],
    texts: list[str],
    mark: str,
) -> None:
    """Outcome, rules, matches and what is missing are the same with and without; any pattern may be a witness."""
    strings = "strings: " + " ".join(
        f"${name} = {text.format(*name * 3)} {modifier}" for name, (text, modifier) in zip("abc", patterns, strict=True)
    )
    known = ("first", "second", "third")
    rules = []
    for place, (name, condition) in enumerate(zip(known, conditions, strict=True)):
        allowed = condition
        for later in known[place:]:
            allowed = allowed.replace(later, "true")
        rules.append(f"rule {name} {{ {strings} condition: ({allowed}) and (any of them or true) }}")
    release = release_of(pack_of("p", mark * (mark != "") + "\n".join(rules)), pack_of("q", rules_text(3)))
    plain = compile_release(release)
    with monkeypatch.context() as bounds:
        bounds.setattr(scan_plan, "RULES_MERGED_MAX", 0)
        bounds.setattr(scan_plan, "SIEVE_RULES_MIN", 0)
        bounds.setattr(scan_plan, "is_rare", lambda _: True)
        sieved = compile_release(release)
    assert sieved.scanner_count > plain.scanner_count
    one, other = plain.scanner(5), sieved.scanner(5)
    for text in texts:
        data = text.encode("latin-1")
        assert one.scan(data) == other.scan(data)
