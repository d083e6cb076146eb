"""`detect/yara.py`: compiling refuses with a place, scanning never calls unknown clean."""

import threading

import pytest
import yara_x
from tests.unit.detect.detect_releases import pack_of, release_of, rule_of

from ringfence.detect import yara
from ringfence.detect.file_type import FileClass
from ringfence.detect.findings import CLEAN
from ringfence.detect.rule_outline import DeclaredRule, PackOutline, outline
from ringfence.detect.yara import ContentScanner, View, compile_release
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import FINDING_MATCHES_MAX, FINDING_RULES_MAX, MATCH_EXCERPT_BYTES_MAX
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import FILE_CLASSES, Pack
from ringfence.model.verdict import Outcome, UnknownReason

PLAIN = pack_of(
    "plain", 'rule bad { strings: $a = "badbad" condition: $a }\nrule odd { strings: $a = "oddodd" condition: $a }'
)
SLOW = pack_of("slow", "rule slow { strings: $a = /a.*b.*c.*d.*e/s condition: $a }", "elf")


def scanner_of(*packs: Pack, alerting: frozenset[str] = frozenset()) -> ContentScanner:
    """A warm scanner of a release of `packs`."""
    scanner = compile_release(release_of(*packs, alerting=alerting)).scanner(1)
    scanner.warm()
    return scanner


def test_outcomes() -> None:
    """Blocking, alerting, nothing."""
    scanner = scanner_of(PLAIN, alerting=frozenset({"odd"}))
    assert scanner.scan(b"good") is CLEAN
    assert scanner.scan(b"") is CLEAN
    assert scanner.scan(b"xx badbad").outcome is Outcome.MALICIOUS
    assert scanner.scan(b"xx oddodd").outcome is Outcome.SUSPICIOUS
    both = scanner.scan(b"oddodd badbad")
    assert both.outcome is Outcome.MALICIOUS
    assert both.rules == (0, 1)


def test_details_of_a_hit() -> None:
    """Offsets, lengths, excerpts and the member's name."""
    found = scanner_of(pack_of("p", "rule r { strings: $a = /hit[0-9]*/ condition: #a > 1 }")).scan(
        b"..hit1..hit22" + b"2" * 100, member="inner/file"
    )
    assert [(match.pattern, match.offset_bytes, match.length_bytes, match.member) for match in found.matches] == [
        ("$a", 2, 4, "inner/file"),
        ("$a", 8, 105, "inner/file"),
    ]
    assert found.matches[0].excerpt == b"hit1"
    assert len(found.matches[1].excerpt) == MATCH_EXCERPT_BYTES_MAX


def test_the_pass_for_details_leaves_the_scanner_as_it_was() -> None:
    """A rule that counts beyond the detail pass's bound still decides right, twice."""
    scanner = scanner_of(pack_of("p", 'rule many { strings: $a = "x" condition: #a > 5000 }'))
    for _ in range(2):
        found = scanner.scan(b"x" * 6000)
        assert found.outcome is Outcome.MALICIOUS
        assert found.matches
    assert scanner.scan(b"x" * 4000) is CLEAN


def test_findings_are_bounded_and_worst_first() -> None:
    """Forty rules hit: the worst sixteen are named, and a rule that blocks is one of them."""
    source = "\n".join(f'rule r{n:02} {{ strings: $a = "same" condition: $a }}' for n in range(40))
    rules = tuple(
        rule_of(
            f"r{n:02}",
            "p",
            RuleAction.BLOCK if n == 39 else RuleAction.ALERT,
            Severity.CRITICAL if n == 38 else Severity.LOW,
        )
        for n in range(40)
    )
    content = compile_release(release_of(pack_of("p", source), rules=rules))
    found = content.scanner(1).scan(b"same" * 1000)
    assert found.outcome is Outcome.MALICIOUS
    assert found.rules[:3] == (39, 38, 0)
    assert len(found.rules) == FINDING_RULES_MAX
    assert len(found.matches) == FINDING_MATCHES_MAX
    assert content.rules[39].action is RuleAction.BLOCK


def test_a_timeout_is_unknown_and_other_groups_still_count() -> None:
    """The slow rule silences its own group only."""
    filler = "\n".join(f'rule f{n} {{ strings: $a = "filler{n}filler" condition: $a }}' for n in range(300))
    scanner = scanner_of(PLAIN, SLOW, pack_of("filler", filler))
    slow_bytes = b"\x7fELF" + b"abcd" * 2_000_000
    silent = scanner.scan(slow_bytes)
    assert (silent.outcome, silent.reason) == (Outcome.UNKNOWN, UnknownReason.ENGINE_TIMEOUT)
    loud = scanner.scan(slow_bytes + b"badbad")
    assert (loud.outcome, loud.missing) == (Outcome.MALICIOUS, UnknownReason.ENGINE_TIMEOUT)
    assert scanner.scan(b"\x7fELF good") is CLEAN


class PanicException(BaseException):
    """Stands for the engine's, whose class cannot be imported; its name and base are the real one's."""


class PanickingScanner:
    """An engine scanner that panics."""

    def scan(self, _: bytes) -> None:
        raise PanicException("assertion failed")


def test_a_panic_is_unknown_and_the_scanner_heals() -> None:
    """A BaseException from the engine silences the file, and the group is made anew."""
    scanner = scanner_of(PLAIN)
    scanner._scanners[0] = PanickingScanner()  # type: ignore[call-overload]
    assert scanner.scan(b"good").reason is UnknownReason.ENGINE_PANIC
    assert scanner.scan(b"good") is CLEAN


def test_the_engines_panic_is_known_by_name() -> None:
    """The real thing: use from another thread.  A change of the engine's class name must show here."""
    scanner = yara_x.Scanner(yara_x.compile("rule a { condition: true }"))
    failures: list[BaseException] = []

    def use() -> None:
        try:
            scanner.scan(b"")
        except BaseException as failure:  # noqa: BLE001 - the point of the test
            failures.append(failure)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert [yara.is_engine_failure(failure) for failure in failures] == [True]
    failures.clear()  # its traceback holds the scanner, which must die in its own thread


def test_what_is_not_the_engines_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours, or Ctrl-C, goes through."""
    assert not yara.is_engine_failure(KeyboardInterrupt())
    scanner = scanner_of(PLAIN)
    with pytest.raises(TypeError):
        scanner.scan("text")  # type: ignore[arg-type]
    monkeypatch.setattr(yara, "is_engine_failure", lambda _: True)
    assert scanner.scan("text" + "\x00").outcome is Outcome.UNKNOWN  # type: ignore[arg-type]


def test_files_meet_only_their_class() -> None:
    """Rules of a class meet files of the class; `any` meets all; a part has the class of its file."""
    scanner = scanner_of(PLAIN, pack_of("programs", 'rule prog { strings: $a = "progprog" condition: $a }', "elf"))
    assert scanner.scan(b"progprog") is CLEAN
    assert scanner.scan(b"\x7fELFprogprog").outcome is Outcome.MALICIOUS
    assert scanner.scan(b"\x7fELFbadbad").outcome is Outcome.MALICIOUS
    assert scanner.scan(b"progprog", view=View.PART, kind=FileClass.ELF).outcome is Outcome.MALICIOUS


def test_matches_outside_a_rules_scope_are_not_believed() -> None:
    """`filesize` and positions lie in a part of a file."""
    source = """
    rule small { strings: $a = "aaaa" condition: $a and filesize < 100 }
    rule first { strings: $a = "aaaa" condition: $a at 0 }
    rule there { strings: $a = "aaaa" condition: $a }"""
    content = compile_release(release_of(pack_of("p", source)))
    scanner = content.scanner(1)
    names = {view: {content.rules[rule].identifier for rule in scanner.scan(b"aaaa", view=view).rules} for view in View}
    assert names == {View.WHOLE: {"small", "first", "there"}, View.START: {"first", "there"}, View.PART: {"there"}}


def test_many_packs_become_few_groups() -> None:
    """Small contents share one scanner per class; large ones are cut; expensive modules stay apart."""
    small = compile_release(release_of(PLAIN, SLOW))
    assert len(small.groups_for(FileClass.ELF)) == len(small.groups_for(FileClass.OTHER)) == 1
    packs = [
        pack_of(f"p{n}", "\n".join(f"rule r{n}_{m} {{ condition: false }}" for m in range(200))) for n in range(11)
    ]
    module = pack_of("module", 'import "pe"\nrule m { condition: pe.number_of_sections == 3 }')
    large = compile_release(release_of(*packs, module, SLOW))
    assert len(large.groups_for(FileClass.OTHER)) == 4
    assert len(large.groups_for(FileClass.ELF)) == 5
    assert large.scanner_count == 5


@pytest.mark.parametrize(
    ("source", "position", "text"),
    [
        ("rule good { condition: true }\nrule x { condition: nope }", "2", "nope"),
        ('include "/etc/passwd"\nrule x { condition: true }', "1", "include"),
        ("rule a { condition: true } rule a { condition: true }", "1", "duplicate"),
        ('import "nope" rule a { condition: true }', "1", "nope"),
        ("rule a { condition: true", "1", "syntax"),
        ("rule a { strings: $a = /(/ condition: $a }", "1", "regular expression"),
    ],
)
def test_refusals_name_pack_and_line(source: str, position: str, text: str) -> None:
    """What the engine refuses is refused with its place."""
    with pytest.raises(ContentRefused) as refusal:
        compile_release(release_of(pack_of("wrong", source)))
    assert refusal.value.file == "yara/wrong.yar"
    assert refusal.value.position == position
    assert text in refusal.value.what
    assert "root:" not in refusal.value.what


def test_an_include_leaks_no_file() -> None:
    """The engine prints the first line of an included file in its error."""
    with pytest.raises(ContentRefused) as refusal:
        compile_release(release_of(pack_of("p", 'include "/etc/passwd"\nrule a { condition: true }')))
    assert "root:" not in str(refusal.value)


def test_manifest_and_sources_must_name_the_same_rules() -> None:
    """Else a hit could not be named, or a listed rule would never speak."""
    pack = pack_of("p", "rule a { condition: true }")
    with pytest.raises(ContentRefused, match="not in the manifest"):
        compile_release(release_of(pack, rules=(rule_of("b", "p"),)))
    with pytest.raises(ContentRefused, match="no source declares"):
        compile_release(release_of(pack, rules=(rule_of("a", "p"), rule_of("b", "p"))))


def test_private_rules_stay_private_and_variables_are_empty_text() -> None:
    """A private rule never reports; the variables that public packs expect exist."""
    source = """
    private rule helper { condition: true }
    rule named { strings: $a = "aaaa" condition: helper and $a and filename == "" and extension == "" and
      filepath == "" and filetype == "" and owner == "" }"""
    content = compile_release(release_of(pack_of("p", source)))
    found = content.scanner(1).scan(b"aaaa")
    assert [content.rules[rule].identifier for rule in found.rules] == ["named"]


def test_a_release_without_rules_compiles_and_says_clean() -> None:
    """No rules: nothing to find."""
    assert compile_release(release_of()).scanner(1).scan(b"x") is CLEAN


def test_the_classes_are_those_of_the_release_format() -> None:
    """A class that only one side knows would never be scanned."""
    assert {str(kind) for kind in FileClass} == FILE_CLASSES


def test_timeout_zero_is_refused() -> None:
    """The engine takes 0 as "at once": every file would be unknown."""
    with pytest.raises(ValueError, match="whole seconds"):
        compile_release(release_of(PLAIN)).scanner(0)


def test_the_reader_of_declarations_must_agree_with_the_engine() -> None:
    """If the engine finds a rule that the outline missed, the release is refused, not half loaded."""
    source = "rule a { condition: true }\nrule b { condition: true }"
    missed = PackOutline(frozenset(), yara_first(source))
    with pytest.raises(ContentRefused, match="disagree about b"):
        compile_release(release_of(pack_of("p", source), rules=(rule_of("a", "p"),)), [missed])


def test_source_that_overwhelms_the_compiler_is_refused() -> None:
    """A hundred thousand `not`: some engines die of that."""
    with pytest.raises(ContentRefused):
        compile_release(release_of(pack_of("p", "rule a { condition: " + "not " * 100_000 + "true }")))


def yara_first(source: str) -> tuple[DeclaredRule, ...]:
    """Only the first rule that `source` declares."""
    return outline(source).rules[:1]
