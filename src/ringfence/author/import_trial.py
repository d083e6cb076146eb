"""What an imported rule may do: the lint that its content must pass says so, and a sample made of the rule's own texts.

1. Rules that belong together are checked as `content lint` checks a file (`author/lint.py`), as they are going to be
   written.  One that must not block, only alerts; one that must not even alert is refused.
2. A rule that blocks needs self-tests, and public packs have none.  So a sample is put together of its own texts
   (`author/proof_inputs.py`), and the engine says in a child whether the rule matches it, and that it leaves
   `IGNORED_SAMPLE` alone.  Where that cannot be shown the rule only alerts.
"""

import dataclasses
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import yara_x

from ringfence.author.asked_child import AskedChild
from ringfence.author.lint import text_findings
from ringfence.author.lint_yara import LintedFile
from ringfence.author.probe import compiler_of_rules
from ringfence.author.proof_inputs import own_sample
from ringfence.author.yara_file import read_yara
from ringfence.author.yara_source import SourceRule, literal_text
from ringfence.detect.rule_outline import outline
from ringfence.detect.rule_text import read_rule
from ringfence.model.limits import (
    RULE_PROBE_ADDRESS_SPACE_BYTES_MAX,
    RULE_PROBE_TIMEOUT_S,
    RULE_PROBE_WAIT_S,
    SAMPLE_BYTES_MAX,
)
from ringfence.model.records import RuleAction

IGNORED_SAMPLE: Final = b"nothing that any rule looks for\n"
"""What no imported rule may match."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of rules that belong together, by name."""

    samples: Mapping[str, bytes]
    """Rules that may block, each with a sample that it matches."""

    only_alert: Mapping[str, str]
    """Rules that were to block and must not, with the reason."""

    refused: Mapping[str, str]
    """Rules that must not even alert, with the reason; "" for all of them."""


class SampleChild(AskedChild):
    """The child that matches samples.  Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def matched(self, source: str, samples: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
        """The first of its samples that each rule of `source` matches, where it leaves `IGNORED_SAMPLE` alone.

        Empty when the child dies of them, or is late.
        """
        if not samples:
            return {}
        try:
            places: dict[str, int] = self.exchange((source, dict(samples)), RULE_PROBE_WAIT_S)
        except (OSError, EOFError):
            return {}
        return {rule: samples[rule][place] for rule, place in places.items()}


def file_text(rules: Sequence[SourceRule]) -> str:
    """A file of these rules with what they import."""
    modules = sorted({module for rule in rules for module in rule.modules})
    return "".join(f'import "{module}"\n' for module in modules) + "\n".join(rule.text() for rule in rules)


def with_action(rule: SourceRule, action: RuleAction) -> SourceRule:
    """`rule`, which has our metadata, with another action."""
    metadata = [(key, literal_text(action.value) if key == "action" else value) for key, value in rule.metadata]
    return dataclasses.replace(rule, metadata=tuple(metadata))


def try_rules(rules: Sequence[SourceRule], action: RuleAction, file_class: str, child: SampleChild) -> Trial:
    """Judge rules that belong together and are about files of one class; they have our metadata and `action`."""
    only_alert: dict[str, str] = {}
    samples: dict[str, bytes] = {}
    if action is RuleAction.BLOCK:
        reporting = [rule.identifier for rule in rules if not rule.private]
        wrong = _errors(rules)
        source = file_text(rules)
        samples = child.matched(source, _samples(source, [rule for rule in reporting if rule not in wrong], file_class))
        unseen = "no sample made of its own texts shows it at work"
        only_alert = {rule: wrong.get(rule, unseen) for rule in reporting if rule not in samples}
    alerting = [with_action(rule, RuleAction.ALERT) if rule.identifier in only_alert else rule for rule in rules]
    return Trial(samples, only_alert, _errors(alerting))


def _errors(rules: Sequence[SourceRule]) -> dict[str, str]:
    """The first thing that refuses each rule."""
    text = file_text(rules)
    errors: dict[str, str] = {}
    for finding in text_findings(LintedFile("", text, read_yara(text))):
        if finding.refuses:
            errors.setdefault(finding.rule, f"{finding.code}: {finding.text}")
    return errors


def _samples(source: str, names: Sequence[str], file_class: str) -> dict[str, list[bytes]]:
    """Samples for each rule of which one can be made: its own, and one with the texts of all that it may refer to."""
    declared = outline(source).rules
    ends = [rule.start for rule in declared[1:]] + [len(source)]
    own = {}
    for rule, end in zip(declared, ends, strict=True):
        if (text := read_rule(source, rule.start, end)) is not None:
            own[rule.name] = own_sample(text, file_class)
    found = {name: [own[name]] for name in names if name in own}
    if len(own) > 1:
        for name, samples in found.items():
            others = b"".join(sample for other, sample in own.items() if other != name)
            if len(samples[0]) + len(others) <= SAMPLE_BYTES_MAX:
                samples.append(samples[0] + others)
    return found


def _serve(pipe: Connection) -> None:
    """The child: matches samples until the parent goes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    room = (RULE_PROBE_ADDRESS_SPACE_BYTES_MAX, RULE_PROBE_ADDRESS_SPACE_BYTES_MAX)
    resource.setrlimit(resource.RLIMIT_AS, room)
    while True:
        try:
            source, samples = pipe.recv()
        except EOFError:
            return
        pipe.send(_matched(source, samples))


def _matched(source: str, samples: Mapping[str, Sequence[bytes]]) -> dict[str, int]:
    compiler = compiler_of_rules()
    compiler.add_source(source)
    scanner = yara_x.Scanner(compiler.build())
    scanner.set_timeout(RULE_PROBE_TIMEOUT_S)
    too_wide = {rule.identifier for rule in scanner.scan(IGNORED_SAMPLE).matching_rules}
    found: dict[str, int] = {}
    for name in samples.keys() - too_wide:
        for place, sample in enumerate(samples[name]):
            if name in {rule.identifier for rule in scanner.scan(sample).matching_rules}:
                found[name] = place
                break
    return found
