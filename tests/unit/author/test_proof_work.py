"""A worker's tasks in this process: what hurts is found, by the host's own code."""

import dataclasses

import pytest
from tests.unit.wire.release_fixtures import digest, make_pack, make_rule

from ringfence.author.proof_tasks import Agreed, Answer, Loaded, ScannedFiles, Task, TaskKind, Tried
from ringfence.author.proof_work import Work
from ringfence.model.records import RuleAction
from ringfence.model.release import Contract, Manifest, Release, Sample, SelfTest
from ringfence.wire.release import encode_release

HIDDEN_LOOP = (
    "rule R { condition: uint32(4) == 0x12345678 and for all i in (0..filesize):"
    " (for any j in (0..filesize): (uint8(i) + uint8(j) < 900)) }"
)
GOOD = 'rule Good { strings: $a = "ringfence-good" condition: $a }\n'


def release_of(source: str, *names: str, modules: tuple[str, ...] = (), file_class: str = "any") -> Release:
    """A release of one pack."""
    pack = make_pack("any-01", file_class, source)
    rules = tuple(make_rule(name, "any-01", RuleAction.BLOCK) for name in sorted(names))
    return Release(Manifest("work", 1, "", Contract(modules, ()), (pack.entry,), rules, ()), (pack,), ())


def work_of(release: Release) -> Work:
    """A worker with that release."""
    return Work(encode_release(release), [])


def do(work: Work, kind: TaskKind, *rules: str, files: tuple[bytes, ...] = ()) -> Answer:
    """The answer to one task."""
    data = b"".join(files)
    return work.do(Task(kind, rules, tuple(map(len, files))), lambda length, at: data[at : at + length])


def alone(source: str, name: str, modules: tuple[str, ...] = ()) -> Tried:
    """One rule alone."""
    answer = do(work_of(release_of(source, name, modules=modules)), TaskKind.ALONE, name)
    assert isinstance(answer, Tried)
    return answer


def test_a_good_release_loads_with_its_figures() -> None:
    answer = do(work_of(release_of(GOOD, "Good")), TaskKind.LOAD)
    assert isinstance(answer, Loaded)
    assert (answer.troubles, answer.scanners, answer.self_tests) == ((), 1, 0)
    assert answer.resident_bytes > 1_000_000


def test_every_broken_self_test_is_told() -> None:
    release = release_of(GOOD, "Good")
    samples = tuple(Sample(digest(data), data) for data in sorted((b"other", b"ringfence-good"), key=digest))
    tests = tuple(
        SelfTest("Good", sample.sha256, expects_match=sample.content == b"other") for sample in samples
    )  # both of them the wrong way
    manifest = dataclasses.replace(release.manifest, self_tests=tests)
    answer = do(work_of(dataclasses.replace(release, manifest=manifest, samples=samples)), TaskKind.LOAD)
    assert isinstance(answer, Loaded)
    assert [trouble.code for trouble in answer.troubles] == ["prove/self-test"] * 2
    assert {trouble.rule for trouble in answer.troubles} == {"Good"}


def test_what_a_host_would_not_load_is_told_with_its_place() -> None:
    answer = do(work_of(release_of(GOOD + "rule Bad { condition: nothing }\n", "Bad", "Good")), TaskKind.LOAD)
    assert isinstance(answer, Loaded)
    (trouble,) = answer.troubles
    assert (trouble.code, trouble.file, trouble.line) == ("prove/load", "yara/any-01.yar", 2)


def test_a_module_that_the_contract_does_not_name_is_refused_as_on_a_host() -> None:
    source = 'import "math"\nrule R { condition: math.entropy(0, 4) > 7.0 }\n'
    answer = do(work_of(release_of(source, "R")), TaskKind.LOAD)
    assert isinstance(answer, Loaded)
    assert "does not name" in answer.troubles[0].text


def test_a_good_rule_alone_has_a_cost_and_no_trouble() -> None:
    answer = alone(GOOD, "Good")
    assert answer.troubles == ()
    assert answer.costs[0].cpu_us > 0


@pytest.mark.parametrize(
    ("source", "modules", "codes"),
    [
        ("rule R { condition: filesize > 0 }", (), {"prove/matches-everything"}),
        ("rule R { condition: nothing }", (), {"prove/compile"}),
        (
            'import "math"\nrule R { condition: for any i in (1..3000): (math.entropy(i, filesize - i) > 8.1) }',
            ("math",),
            {"prove/slow", "prove/timeout"},
        ),
        (
            'rule R { strings: $a = "ab" condition: for all i in (1..#a): (for any j in (1..#a): (i < j + 9)) }',
            (),
            {"prove/slow", "prove/timeout"},
        ),
        (
            HIDDEN_LOOP,
            (),
            {"prove/slow", "prove/timeout"},
        ),
    ],
    ids=["everything", "no rule", "entropy loop", "its own strings", "hidden behind a test"],
)
def test_what_hurts_alone_is_refused(source: str, modules: tuple[str, ...], codes: set[str]) -> None:
    answer = alone(source, "R", modules)
    (trouble,) = answer.troubles
    assert trouble.code in codes
    assert trouble.rule == "R"


def test_several_rules_together_are_judged_as_each_alone() -> None:
    names = [f"R{number}" for number in range(4)]
    source = "".join(f'rule {name} {{ strings: $a = "text-of-{name}" condition: $a }}\n' for name in names)
    answer = do(work_of(release_of(source + "rule All { condition: filesize > 0 }\n", "All", *names)),
                TaskKind.ALONE, "All", *names)  # fmt: skip
    assert isinstance(answer, Tried)
    assert [cost.name for cost in answer.costs] == ["All", *names]
    assert [(trouble.code, trouble.rule) for trouble in answer.troubles] == [("prove/matches-everything", "All")]


def test_the_whole_release_meets_probes_and_archives() -> None:
    answer = do(work_of(release_of(GOOD, "Good")), TaskKind.WHOLE)
    assert isinstance(answer, Tried)
    assert answer.troubles == ()
    names = {cost.probe for cost in answer.costs}
    assert {"zeros, 16 MiB", "chance, 96 KiB, as elf", "a gzip bomb", "a deep archive"} <= names


def test_the_sample_of_a_rule_is_found_on_both_paths() -> None:
    names = [f"R{number}" for number in range(40)]
    source = "".join(f'rule {name} {{ strings: $a = "text-of-{name}." condition: $a }}\n' for name in names)
    answer = do(work_of(release_of(source, *names)), TaskKind.AGREE, *names)
    assert isinstance(answer, Agreed)
    assert [one.plain_differs for one in answer.rules] == [""] * 40
    assert [one.found for one in answer.rules] == [(sorted(names).index(name),) for name in names]


def test_a_sample_that_hits_more_than_a_host_reports_is_no_difference() -> None:
    names = [f"R{number:02}" for number in range(30)]
    source = "".join(f'rule {name} {{ strings: $a = "the same text" condition: $a }}\n' for name in names)
    answer = do(work_of(release_of(source, *names)), TaskKind.AGREE, *names)
    assert isinstance(answer, Agreed)
    assert {one.plain_differs for one in answer.rules} == {""}


def test_files_are_scanned_each_for_itself() -> None:
    work = work_of(release_of(GOOD + 'rule Other { strings: $a = "otherwise" condition: $a }\n', "Good", "Other"))
    files = (b"nothing", b"ringfence-good", b"", b"otherwise", b"ringfence-go")
    answer = do(work, TaskKind.SCAN, files=files)
    assert isinstance(answer, ScannedFiles)
    assert answer.hits == (1, 0, 3, 1)
    assert (answer.size_bytes, answer.crowded) == (len(b"".join(files)), True)
    part = do(work, TaskKind.SCAN, "Other", files=files)
    assert isinstance(part, ScannedFiles)
    assert part.hits == (3, 1), "by its place in the whole release"
