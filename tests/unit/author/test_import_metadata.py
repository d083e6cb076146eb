"""Foreign metadata becomes ours; authors and licences stay."""

import pytest

from ringfence.author.content_dir import entry_of
from ringfence.author.import_metadata import NON_COMMERCIAL, severity_of, with_our_metadata
from ringfence.author.yara_source import SourceReader, SourceRule
from ringfence.model.records import RuleAction, Severity

READER = SourceReader()


def rule_with(meta: str, name: str = "MAL_Some_Thing") -> SourceRule:
    """A rule with this metadata."""
    return READER.read(f"rule {name} {{ {f'meta: {meta}' if meta else ''} condition: filesize > 1 }}", "f.yar")[0]


def test_nothing_known_is_said_to_be_unknown() -> None:
    entry = entry_of(with_our_metadata(rule_with(""), RuleAction.ALERT, ""), "pack")
    assert (entry.author, entry.licence, entry.description) == ("unknown", "unknown", "MAL Some Thing")
    assert (entry.severity, entry.action, entry.technique) == (Severity.MEDIUM, RuleAction.ALERT, "")


def test_what_is_known_is_kept() -> None:
    meta = (
        'author = "Jos\u00e9 \\"J\\" (x)" description = "a\\n  b" score = 75 license = "DRL 1.1" id = "1-2"'
        ' reference = "https://a/" mitre = "TA1 T1059.004"'
    )
    rule = with_our_metadata(rule_with(meta), RuleAction.BLOCK, "Pack licence")
    again = READER.read(rule.text(), "g.yar")[0]
    entry = entry_of(again, "pack")
    assert (entry.author, entry.description, entry.licence) == ('Jos\u00e9 "J" (x)', "a b", "DRL 1.1")
    assert (entry.severity, entry.technique, entry.reference) == (Severity.HIGH, "T1059.004", "https://a/")
    assert again.meta("id") == "1-2"
    assert again.meta("license") == ""


def test_the_packs_licence_is_used_and_odd_text_is_cleaned() -> None:
    entry = entry_of(
        with_our_metadata(rule_with(f'author = "{"a" * 3000}\\x1b"'), RuleAction.ALERT, "Pack licence"), "p"
    )
    assert entry.licence == "Pack licence"
    assert entry.author == "a" * 1024


@pytest.mark.parametrize(
    ("meta", "severity"),
    [
        ("severity = 100", Severity.CRITICAL),
        ('severity = "low"', Severity.LOW),
        ('severity = "High"', Severity.HIGH),
        ("score = 60", Severity.MEDIUM),
        ("score = 0", Severity.INFORMATIONAL),
        ('score = "many"', Severity.MEDIUM),
    ],
)
def test_severity(meta: str, severity: Severity) -> None:
    assert severity_of(rule_with(meta)) is severity


@pytest.mark.parametrize(
    "text", ["https://creativecommons.org/licenses/by-nc/4.0/", "CC BY-NC 4.0", "non-commercial use"]
)
def test_licences_against_commercial_use_are_known(text: str) -> None:
    assert NON_COMMERCIAL.search(text)
    assert not NON_COMMERCIAL.search("CC BY 4.0")
