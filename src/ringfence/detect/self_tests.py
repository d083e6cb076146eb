"""The self-tests of a release: what must match, and what must not.  Author and host run the same code."""

from collections.abc import Iterator
from typing import Final

from ringfence.detect.rule_removal import silenced
from ringfence.detect.yara import CompiledContent
from ringfence.model.errors import ContentRefused
from ringfence.model.fault import RuleName
from ringfence.model.limits import ENGINE_TIMEOUT_S
from ringfence.model.release import Release, SelfTest

WAY_OUT: Final = "correct the rule or its self-test and build the release again"


def check_self_tests(
    release: Release, compiled: CompiledContent, left_out: frozenset[RuleName] = frozenset()
) -> None:
    """Run every self-test but those of rules that this host leaves out, which match nothing.

    Raises ContentRefused for the first that does not hold.
    """
    for test in broken_self_tests(release, compiled, left_out):
        raise ContentRefused(what_is_broken(test), WAY_OUT)


def broken_self_tests(
    release: Release, compiled: CompiledContent, left_out: frozenset[RuleName] = frozenset()
) -> Iterator[SelfTest]:
    """Every self-test that does not hold, in their order."""
    scanner = compiled.scanner(ENGINE_TIMEOUT_S)
    samples = {sample.sha256: sample.content for sample in release.samples}
    found: dict[str, frozenset[str]] = {}
    silent = {name.rule for name in silenced(release, left_out)}
    for test in release.manifest.self_tests:
        if test.rule in silent:
            continue
        if test.sample_sha256 not in found:
            findings = scanner.scan(samples[test.sample_sha256])
            names = (compiled.rules[index].identifier for index in findings.rules)
            found[test.sample_sha256] = frozenset(names)
        if (test.rule in found[test.sample_sha256]) is not test.expects_match:
            yield test


def what_is_broken(test: SelfTest) -> str:
    """What a person is told about a self-test that does not hold."""
    wanted = "match" if test.expects_match else "ignore"
    return f"rule {test.rule} does not {wanted} the sample {test.sample_sha256[:16]} as its self-test demands"
