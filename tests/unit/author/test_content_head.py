"""`content.yaml` and self-tests: everything that is off at once, each at its path."""

import pytest
from tests.unit.author.content_fixtures import HEAD

from ringfence.author.authored_tests import read_tests
from ringfence.author.content_head import ContentHead, read_head
from ringfence.author.strict_yaml import read_document
from ringfence.model import limits
from ringfence.model.release import Budget
from ringfence.model.waiver import WaiverKey

KEY = "ab" * 32
TOO_MUCH = limits.RELEASE_COMPILE_CPU_MS_MAX + 1


def head(text: str) -> ContentHead | list[tuple[object, ...]]:
    """The head, or the paths of what is off."""
    read = read_head(read_document(text, "content.yaml"))
    return read if isinstance(read, ContentHead) else [problem.path for problem in read]


def test_reads_budget_and_keys() -> None:
    text = f'{HEAD}budget: {{compile_cpu_ms: 5000}}\nwaiver_keys: [{{name: Ann, public: "{KEY}"}}]\n'
    usual = Budget()
    assert head(text) == ContentHead(
        "tried",
        3,
        "For a test",
        Budget(5_000, usual.compile_bytes, usual.scan_us_per_mib),
        (WaiverKey("Ann", KEY),),
    )
    assert head(HEAD) == ContentHead("tried", 3, "For a test", usual, ())


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("[]", [()]),
        ("a: 1", [(), (), (), (), ("a",)]),
        (HEAD.replace("3", "true").replace("tried", "A B"), [("name",), ("version",)]),
        (HEAD.replace("format: 1", "format: true"), [("format",)]),
        (HEAD.replace("For a test", '"a\\nb"'), [("description",)]),
        (f"{HEAD}budget: []\n", [("budget",)]),
        (f"{HEAD}budget: {{scan: 1, compile_bytes: 0}}\n", [("budget", "scan"), ("budget", "compile_bytes")]),
        (
            f"{HEAD}budget: {{compile_cpu_ms: {limits.RELEASE_COMPILE_CPU_MS_MAX + 1}}}\n",
            [("budget", "compile_cpu_ms")],
        ),
        (f"{HEAD}waiver_keys: x\n", [("waiver_keys",)]),
        (f"{HEAD}waiver_keys: [x]\n", [("waiver_keys", 0)]),
        (f'{HEAD}waiver_keys: [{{name: A, public: "AB"}}]\n', [("waiver_keys", 0, "public")]),
        (f'{HEAD}waiver_keys: [{{name: "", public: "{KEY}"}}]\n', [("waiver_keys", 0)]),
        (f'{HEAD}waiver_keys: [{{name: A, public: "{KEY}"}}, {{name: B, public: "{KEY}"}}]\n', [("waiver_keys", 1)]),
    ],
)
def test_tells_all_that_is_off(text: str, paths: list[tuple[object, ...]]) -> None:
    assert head(text) == paths


def test_self_tests_tell_all_that_is_off() -> None:
    text = (
        "One: {matches: [x, {hex: zz}, [a, {zeros: -1}]], ignores: [y]}\n"
        "Two: []\nThree: {finds: [x]}\nFour: {matches: []}\nFive: {matches: [{base64: 'eA=='}]}\n"
    )
    tests, problems = read_tests(read_document(text, "t.yaml"), "t.yaml")
    assert [(test.rule, test.sample, test.expects_match) for test in tests] == [
        ("One", b"x", True),
        ("One", b"y", False),
        ("Five", b"x", True),
    ]
    assert (tests[0].place.line, tests[0].place.column) == (1, 17)
    assert tests[2].rule_place.line == 5
    assert [problem.path for problem in problems] == [
        ("One", "matches", 1),
        ("One", "matches", 2),
        ("Two",),
        ("Three",),
        ("Four", "matches"),
    ]
