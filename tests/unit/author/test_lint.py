"""The lint: everything at once, each at its very place, and nothing excused but by a waiver that holds."""

import datetime as dt
from pathlib import Path

import pytest
from tests.unit.author.content_fixtures import (
    HEAD,
    KEY,
    META,
    OTHER_KEY,
    RULES,
    SIGNING_HEAD,
    write_content,
    write_short,
    write_sound,
)
from tests.unit.wire.contract_fixtures import renamed, sensor

from ringfence.author.build import build_bytes
from ringfence.author.finding import Level
from ringfence.author.lint import LintResult, lint_directory, reasons_of
from ringfence.author.waivers import text_digest
from ringfence.model.contract import SensorContract
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.waiver import SignedWaiver, Waiver
from ringfence.trust.keys import sign_with, signer
from ringfence.wire.release import decode_release
from ringfence.wire.waiver import decode_waivers, encode_waiver, signed_bytes, waiver_digest

TODAY = dt.date(2026, 11, 27)


def lint(directory: Path, *contracts: SensorContract, today: dt.date = TODAY) -> LintResult:
    """Lint `directory`, by default for a build that supplies everything."""
    return lint_directory(directory, contracts or (sensor(),), today)


def errors(result: LintResult) -> list[tuple[str, str]]:
    """Place and code of what refuses."""
    return [(f"{one.file}:{one.line}:{one.column}", one.code) for one in result.findings if one.refuses]


def waive(directory: Path, key: object = KEY, **changes: object) -> SignedWaiver:
    """A waiver of the short pattern in `directory`, written there."""
    text = (directory / "rules" / "family.yar").read_text(encoding="utf-8").rstrip("\n")
    fields: dict[str, object] = {
        "code": "yara/unspecific",
        "file": "rules/family.yar",
        "rule": "One",
        "text_sha256": text_digest(text),
        "reason": "seen on no good file",
        "issued": TODAY,
        "expires": TODAY + dt.timedelta(30),
    }
    waiver = Waiver(**(fields | changes))  # type: ignore[arg-type]
    signature = sign_with(signer(key, ""), signed_bytes(waiver), "Ann").signature  # type: ignore[arg-type]
    signed = SignedWaiver(waiver, key.public.hex(), signature)  # type: ignore[attr-defined]
    (directory / "waivers").mkdir(exist_ok=True)
    (directory / "waivers" / "one.json").write_bytes(encode_waiver(signed))
    return signed


def test_a_sound_directory_has_no_findings(tmp_path: Path) -> None:
    result = lint(write_sound(tmp_path))
    assert result.findings == ()
    assert (result.refused, result.files, result.rules) == (False, 1, 1)


def test_wants_a_content_directory(tmp_path: Path) -> None:
    with pytest.raises(PathRefused, match=r"no content\.yaml"):
        lint(tmp_path)


def test_everything_is_told_at_once_and_at_its_place(tmp_path: Path) -> None:
    rules = (
        'import "console"\n'
        f"rule One {{ {META} strings: $a = /(a+)+b/ condition: $a }}\n"
        f"rule Two {{ {META.replace('high', 'grave')} condition:\n   nothing_such }}\n"
        f'rule Three {{ {META} strings: $a = "three-names-of-malware" condition: $a and owner == "root" }}\n'
        "rule Four { condition: filesize > 1 and }\n"
    )
    tests = "One: {matches: [x], ignores: [y]}\nTwo: {matches: [x], ignores: [y]}\nFive: {matches: [x]}\nSix: [x]\n"
    head = HEAD.replace("version: 3", "version: three") + "more: 1\n"
    lines = rules.split("\n")

    def at(line: int, word: str) -> str:
        return f"rules/family.yar:{line}:{lines[line - 1].index(word) + 1}"

    assert errors(lint(write_content(tmp_path, head=head, rules=rules, tests=tests))) == [
        ("content.yaml:3:1", "source/head"),
        ("content.yaml:5:1", "source/head"),
        (at(1, '"console"'), "yara/module"),
        (at(2, "$a = /"), "yara/slow-pattern"),
        (at(2, "$a }"), "yara/unspecific"),
        (at(3, "severity"), "yara/metadata-invalid"),
        (at(4, "nothing_such"), "yara/no-evidence"),
        (at(4, "nothing_such"), "yara/unknown-name"),
        (at(5, "Three"), "yara/no-negative-test"),
        (at(5, "Three"), "yara/no-positive-test"),
        (at(5, "owner"), "contract/not-supplied"),
        (at(6, "}"), "yara/syntax"),
        ("tests/family.yaml:3:1", "source/self-test"),
        ("tests/family.yaml:4:1", "source/self-test"),
    ]


def test_a_rule_that_only_alerts_may_lack_tests_and_evidence(tmp_path: Path) -> None:
    rules = "".join(RULES.replace("One", name).replace('"block"', '"alert"') for name in ("One", "Two", "Three"))
    result = lint(write_content(tmp_path, rules=rules, tests="{}"))
    assert not result.refused
    assert [(one.code, one.level, one.text.split(" ")[0]) for one in result.findings] == [
        ("yara/no-negative-test", Level.WARNING, "3"),
        ("yara/no-positive-test", Level.WARNING, "3"),
        *[("yara/unspecific", Level.WARNING, "alerts")] * 3,
    ]


def test_an_input_that_one_build_of_the_fleet_lacks_refuses(tmp_path: Path) -> None:
    """As a literal and as a wildcard: a value that nobody looks at is an input all the same."""
    without = renamed(sensor("0.9.0"), yara_variables=())
    for condition in ('filename == "x"', "filename matches /.*/"):
        write_sound(tmp_path)
        path = tmp_path / "rules" / "family.yar"
        path.write_text(path.read_text(encoding="utf-8").replace("$a }", f"$a and {condition} }}"), encoding="utf-8")
        (short,) = lint(tmp_path, sensor(), without).findings
        assert (short.code, short.rule) == ("contract/not-supplied", "One")
        assert without.build in short.text
        assert sensor().build not in short.text
        (untried,) = lint(tmp_path, sensor()).findings
        assert untried.code == "contract/not-exercised"


def test_sigma_rules_are_checked_with_the_rest(tmp_path: Path) -> None:
    write_sound(tmp_path)
    (tmp_path / "sigma").mkdir()
    (tmp_path / "sigma" / "a.yml").write_text("title: x\ntitle: y\n", encoding="utf-8")
    (tmp_path / "tests" / "a.events.yaml").write_text("[]", encoding="utf-8")
    assert errors(lint(tmp_path)) == [("sigma/a.yml:2:1", "sigma/yaml"), ("tests/a.events.yaml:1:1", "sigma/self-test")]


def test_a_file_with_very_many_findings_keeps_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.author.lint.LINT_FINDINGS_MAX", 2)
    rules = "".join(
        RULES.replace("One", f"R{number}").replace('"block"', '"alert"' if number < 9 else '"block"')
        for number in range(10)
    )
    result = lint(write_content(tmp_path, rules=rules, tests="{}"))
    assert result.refused
    assert "source/too-many-findings" in {one.code for one in result.findings}
    assert len(result.findings) == 3


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A directory with one error: a pattern that is too short to block on."""
    directory = write_short(tmp_path)
    assert errors(lint(directory)) == [(f"rules/family.yar:1:{RULES.index('$a }') + 1}", "yara/unspecific")]
    return directory


def test_a_waiver_excuses_its_finding_and_is_told(short: Path) -> None:
    signed = waive(short)
    result = lint(short)
    (finding,) = result.findings
    assert finding.waived_by == waiver_digest(signed)
    assert not result.refused
    assert reasons_of(result.waivers) == {finding.waived_by: "seen on no good file (until 2026-12-27)"}
    release = decode_release(build_bytes(short))
    assert decode_waivers(release.waivers) == result.waivers


@pytest.mark.parametrize(
    ("changes", "today", "code"),
    [
        ({}, TODAY + dt.timedelta(31), "waiver/expired"),
        ({}, TODAY - dt.timedelta(1), "waiver/not-yet"),
        ({"text_sha256": "0" * 64}, TODAY, "waiver/stale"),
        ({"code": "waiver/expired"}, TODAY, "waiver/final"),
        ({"code": "contract/not-supplied"}, TODAY, "waiver/final"),
        ({"code": "yara/syntax"}, TODAY, "waiver/final"),
    ],
)
def test_a_waiver_that_does_not_count_is_an_error(
    short: Path, changes: dict[str, object], today: dt.date, code: str
) -> None:
    waive(short, **changes)
    found = lint(short, today=today)
    assert {one.code for one in found.findings if one.refuses} == {"yara/unspecific", code}
    assert found.waivers.waivers == ()


def test_a_waiver_of_a_foreign_key_does_not_count(short: Path) -> None:
    waive(short, OTHER_KEY)
    assert ("waivers/one.json:1:1", "waiver/foreign-key") in errors(lint(short))
    with pytest.raises(ContentRefused, match=r"content\.yaml does not name"):
        build_bytes(short)


def test_a_waiver_that_was_changed_does_not_count(short: Path) -> None:
    waive(short)
    path = short / "waivers" / "one.json"
    path.write_bytes(path.read_bytes().replace(b"no good file", b"all good file"))
    assert ("waivers/one.json:1:1", "waiver/bad-signature") in errors(lint(short))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,\n", b'{"waiver" :1}', b"\xff", b"null" * 1000])
def test_what_is_no_waiver_is_told_with_its_place(short: Path, data: bytes) -> None:
    waive(short)
    (short / "waivers" / "two.json").write_bytes(data)
    (finding,) = [one for one in lint(short).findings if one.refuses]
    assert (finding.file, finding.line, finding.code) == ("waivers/two.json", 1, "waiver/malformed")


def test_every_flipped_bit_of_a_waiver_is_refused(short: Path) -> None:
    waive(short)
    path = short / "waivers" / "one.json"
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 37):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(flipped))
        with pytest.raises(ContentRefused):
            build_bytes(short)


def test_a_changed_rule_needs_another_waiver(short: Path) -> None:
    waive(short)
    path = short / "rules" / "family.yar"
    path.write_text(path.read_text(encoding="utf-8").replace('"D"', '"E"'), encoding="utf-8")
    assert {code for _, code in errors(lint(short))} == {"yara/unspecific", "waiver/stale"}


def test_a_waiver_of_nothing_is_a_warning(tmp_path: Path) -> None:
    directory = write_content(
        write_sound(tmp_path),
        head=SIGNING_HEAD,
        rules=(tmp_path / "rules/family.yar").read_text(),
        tests=(tmp_path / "tests/family.yaml").read_text(),
    )
    waive(directory)
    (finding,) = lint(directory).findings
    assert (finding.code, finding.level) == ("waiver/unused", Level.WARNING)


def test_too_many_waivers_are_refused(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waive(short)
    monkeypatch.setattr("ringfence.author.waivers.WAIVERS_FILES_MAX", 0)
    assert "waiver/too-many" in {code for _, code in errors(lint(short))}
