"""The lint of a built release, for whoever proves one whose author's files are not there.

1. Every pack is checked as a file of rules of an author's directory is (`author/lint.py`), with its rules' self-tests;
   places are those in the pack.
2. A waiver is for a text of the author's, which a pack need not repeat to the letter: it excuses nothing here.  What
   needs one is proven from its directory.
3. Rules over events were read when the release was built; the proof replays them (`author/prove_events.py`).
"""

from collections.abc import Callable, Sequence

from ringfence.author.authored_tests import AuthoredTest
from ringfence.author.finding import Finding
from ringfence.author.lint import LintResult, bounded, check_contract, check_rules, missing_tests
from ringfence.author.lint_engine import EngineChild
from ringfence.author.lint_yara import LintedFile
from ringfence.author.strict_yaml import Place
from ringfence.author.yara_file import read_yara
from ringfence.model.contract import SensorContract
from ringfence.model.release import Release
from ringfence.model.waiver import WaiverBook
from ringfence.wire.manifest import MANIFEST_NAME

_NOWHERE = Place(1, 1)


def lint_release(
    release: Release, contracts: Sequence[SensorContract], progress: Callable[[str], None] = lambda _: None
) -> LintResult:
    """Check what `release` holds against every contract given."""
    files = [LintedFile(pack.entry.path, pack.source, read_yara(pack.source)) for pack in release.packs]
    samples = {sample.sha256: sample.content for sample in release.samples}
    tests = [
        AuthoredTest(one.rule, samples[one.sample_sha256], one.expects_match, MANIFEST_NAME, _NOWHERE, _NOWHERE)
        for one in release.manifest.self_tests
    ]
    findings: list[Finding] = []
    with EngineChild() as engine:
        for file in files:
            progress(file.name)
            findings += check_rules(file, engine)
    findings += missing_tests(files, tests)
    findings += check_contract(files, contracts)
    rules = sum(len(file.parsed.rules) for file in files)
    return LintResult(bounded(findings), WaiverBook((), ()), len(files), rules)
