"""Every code that a check may give, with what it means: the document of `ringfence content lint` is made from it.

A code never changes its meaning.  Each code of an error has an example in `tests/content/harmful`.
"""

from typing import Final

from ringfence.author.prove_codes import PROVE_CODES
from ringfence.author.sigma_codes import SIGMA_CODES

YARA_CODES: Final[dict[str, str]] = {
    "yara/compile-cost": "Compiling takes more time or memory than a host gives: no host would ever run the release.",
    "yara/condition-too-long": "The condition has so many words that the engine gives up on it, slowly.",
    "yara/costly-loop": "A digest or a statistic is taken in a loop: minutes for one file, and the pack is silent.",
    "yara/duplicate-rule": "Two rules have one name: alerts of one would be taken for the other's.",
    "yara/engine-warning": "The engine's compiler warns of something that harms nobody.",
    "yara/expression": "The regular expression is none that the engine takes.",
    "yara/include": "The file includes another: a host would read a file of its own into the rules, or fail.",
    "yara/invariant": "The condition, or a part of it, is always true: the rule matches every file.",
    "yara/metadata-invalid": "A line of metadata is not what its name says: an alert could not be shown or sorted.",
    "yara/metadata-missing": "An alert could not say who wrote the rule, what it means, or under which licence.",
    "yara/metadata-repeated": "The same metadata stands twice: readers disagree on which holds, `action` among them.",
    "yara/module": "The rule imports a module that content may not use: a side channel, or one that no sensor has.",
    "yara/nested-loop": "A loop stands in a loop: the cost is a product, and a slow rule silences its whole pack.",
    "yara/no-evidence": "The rule looks at sizes and kinds of files only: it matches ordinary ones.",
    "yara/no-negative-test": "No self-test shows that the rule leaves anything alone.",
    "yara/no-positive-test": "No self-test shows that the rule matches anything.",
    "yara/pattern-too-long": "A pattern is longer than any that people write or read: compiling it costs hosts dearly.",
    "yara/refused": "The engine's compiler refuses the rule: the release would not load on any host.",
    "yara/rule-name": "The rule's name is longer than records and tables take.",
    "yara/slow-loop": "A loop runs over the whole file: the larger the file, the longer every open of it waits.",
    "yara/slow-pattern": "A pattern has no fixed part to look for: every byte of every file is a candidate.",
    "yara/syntax": "The file is not YARA: the release would not load on any host.",
    "yara/too-deep": "The condition is nested too deeply for people, and for engines that recurse.",
    "yara/too-many-alternatives": "One place of a pattern has more alternatives than anybody reads or engines like.",
    "yara/too-many-iterations": "A loop has so many rounds that the engine times out: the whole pack is silent.",
    "yara/too-many-patterns": "Compiling takes the square of the patterns of a rule: a minute for 100,000.",
    "yara/too-many-variants": "Modifiers multiply the patterns: compiling takes memory that a host does not give.",
    "yara/unknown-name": "The rule names something that nothing declares.",
    "yara/unsatisfiable": "The condition, or a part of it, is never true: the rule protects nobody.",
    "yara/unspecific": "One alternative is met by so few bytes that ordinary files have them: they would be blocked.",
    "yara/unused-pattern": "A pattern is not used in the condition: the rule does not say what its author means.",
}

INDICATOR_CODES: Final[dict[str, str]] = {
    "indicator/empty-file-hash": "The digest is that of nothing: every empty file has it.",
    "indicator/known-good-hash": "The digest is that of a file that is known to be good.",
    "indicator/popular-domain": "The name is in everybody's files: through it alone the rule matches ordinary ones.",
    "indicator/private-address": "The address exists in every network, and in every manual and test.",
    "indicator/public-suffix": "Anybody can have a name under this suffix: it says nothing about one of them.",
    "indicator/reserved-name": "The name is reserved for examples and tests, which are full of it.",
    "indicator/shared-address": "The address serves everybody: a resolver, or a delivery network.",
}

CONTRACT_CODES: Final[dict[str, str]] = {
    "contract/not-exercised": "No self-test gives the input a value: nobody has seen what the rule does with one.",
    "contract/not-supplied": "A sensor of the fleet does not supply the input: Channel File 291, or a blind rule.",
}

SOURCE_CODES: Final[dict[str, str]] = {
    "source/build": "The content cannot be built: no release came of it that could be tried.",
    "source/file": "A file is too large, not text, or one of too many.",
    "source/head": "`content.yaml` does not say what a release must say.",
    "source/self-test": "A self-test cannot be read, contradicts another, or is for a rule that is not there.",
    "source/too-many-findings": "One file has more findings than anybody reads: the rest is only counted.",
    "source/yaml": "The file is no strict YAML: readers disagree on what it says, or it is a bomb.",
}

WAIVER_CODES: Final[dict[str, str]] = {
    "waiver/bad-signature": "The waiver was changed after it was signed, or signed by nobody.",
    "waiver/expired": "The waiver's last day is over: what it excused must be corrected.",
    "waiver/final": "The waiver is for something that nobody can excuse.",
    "waiver/foreign-key": "The waiver is signed by a key that `content.yaml` does not name.",
    "waiver/malformed": "The file is no waiver.",
    "waiver/not-yet": "The waiver's first day has not come, or the clock of this machine is wrong.",
    "waiver/stale": "The text that the waiver is about has changed since it was signed.",
    "waiver/too-many": "There are more waivers than a release may carry.",
    "waiver/unused": "The waiver excuses nothing any more.",
}

CODES: Final[dict[str, str]] = {
    **YARA_CODES,
    **INDICATOR_CODES,
    **CONTRACT_CODES,
    **SOURCE_CODES,
    **WAIVER_CODES,
    **SIGMA_CODES,
    **PROVE_CODES,
}
"""Code -> what is wrong, and what harm it does, in one sentence."""
