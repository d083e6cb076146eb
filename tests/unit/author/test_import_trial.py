"""What an imported rule may do: block, only alert, or nothing."""

from collections.abc import Iterator

import pytest

from ringfence.author.import_metadata import with_our_metadata
from ringfence.author.import_trial import IGNORED_SAMPLE, SampleChild, Trial, file_text, try_rules
from ringfence.author.yara_source import SourceReader
from ringfence.model.records import RuleAction

GOOD = 'rule Good { strings: $a = "what a good rule looks for" condition: $a }\n'


@pytest.fixture(scope="module")
def child() -> Iterator[SampleChild]:
    with SampleChild() as made:
        yield made


def tried(text: str, child: SampleChild, action: RuleAction = RuleAction.BLOCK, file_class: str = "any") -> Trial:
    """The trial of the rules in `text`."""
    rules = [with_our_metadata(rule, action, "MIT") for rule in SourceReader().read(text, "a.yar")]
    return try_rules(rules, action, file_class, child)


def test_a_rule_that_says_enough_blocks_with_a_sample_that_it_matches(child: SampleChild) -> None:
    trial = tried(GOOD, child)
    assert (dict(trial.only_alert), dict(trial.refused)) == ({}, {})
    assert b"what a good rule looks for" in trial.samples["Good"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('rule Weak { strings: $a = "abcd" condition: $a }', "yara/unspecific"),
        ('rule Weak { strings: $a = "what it looks for" condition: $a and filesize > 64MB }', "no sample"),
        (f'import "hash" rule Weak {{ condition: hash.md5(0, filesize) == "{"a9b9f043" * 4}" }}', "no sample"),
    ],
)
def test_a_rule_that_says_too_little_or_is_not_seen_at_work_only_alerts(
    text: str, reason: str, child: SampleChild
) -> None:
    trial = tried(text, child)
    assert reason in trial.only_alert["Weak"]
    assert (dict(trial.samples), dict(trial.refused)) == ({}, {})
    assert tried(text, child, RuleAction.ALERT) == Trial({}, {}, {})


def test_a_rule_that_looks_at_nothing_does_not_even_alert(child: SampleChild) -> None:
    for action in RuleAction:
        trial = tried("rule Empty { condition: filesize > 100 }", child, action)
        assert "yara/no-evidence" in trial.refused["Empty"]


def test_a_rule_that_matches_what_nobody_looks_for_does_not_block(child: SampleChild) -> None:
    words = IGNORED_SAMPLE.decode().strip()
    trial = tried(f'rule Wide {{ strings: $a = "{words}" condition: $a }}', child)
    assert "no sample" in trial.only_alert["Wide"]


def test_a_rule_that_refers_to_another_is_shown_with_the_texts_of_both(child: SampleChild) -> None:
    trial = tried(GOOD + 'rule Weak { strings: $a = "abcd" condition: Good and $a }', child)
    assert set(trial.samples) == {"Good", "Weak"}, "what it refers to is evidence as well"
    assert b"what a good rule looks for" in trial.samples["Weak"]


def test_a_sample_is_one_of_its_class_of_files(child: SampleChild) -> None:
    text = 'rule Program { strings: $a = "what a program holds" condition: uint32(0) == 0x464c457f and $a }'
    assert tried(text, child, file_class="elf").samples["Program"].startswith(b"\x7fELF")


def test_a_child_that_dies_has_seen_nothing(child: SampleChild) -> None:
    assert child.matched("no rule at all", {"Good": [b"x"]}) == {}
    rules, sample = SourceReader().read(GOOD, "a.yar"), b"what a good rule looks for"
    assert child.matched(file_text(rules), {"Good": [b"x", sample]}) == {"Good": sample}
