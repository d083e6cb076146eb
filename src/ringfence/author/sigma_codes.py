"""The codes of checks on Sigma rules, with what is wrong and what harm it does."""

from typing import Final

SIGMA_CODES: Final[dict[str, str]] = {
    "sigma/bound": "A text is longer than hosts take, or a field cannot have that name: the host's loader refuses it.",
    "sigma/broad-alternative": "One alternative says hardly anything: through it the rule matches most events.",
    "sigma/collection": "The file is a part of an old collection: what it means depends on other files.",
    "sigma/condition": "The condition cannot be read, or names no selection: the rule can never match.",
    "sigma/contradiction": "The rule does not say what its author means: a selection is not used, or modifiers clash.",
    "sigma/correlation": "The rule counts or joins events, and hosts evaluate one: it would match each of them.",
    "sigma/depth": "The condition is nested too deeply: whatever walks it on a host would run out of stack.",
    "sigma/duplicate-id": "Two rules have one id: alerts of one would be taken for the other's.",
    "sigma/empty-list": "A list without values means that the field is missing: it matches what was not meant.",
    "sigma/field-reference": "The rule compares with a part of another field, which hosts cannot.",
    "sigma/filter": "The file is a filter for other rules, not a rule.",
    "sigma/invalid": "pySigma does not understand the rule.",
    "sigma/logsource": "The log source names no type of event: no host would ever ask the rule.",
    "sigma/matches-empty": "The rule matches an event without any field: it alerts on all that lack something.",
    "sigma/matches-everything": "A keyword that is nothing is in every event: the rule alerts on all of them.",
    "sigma/metadata": "id, title, author, license or level is missing: an alert could not say whose it is.",
    "sigma/no-test": "A field that the rule reads is never tried with a value of its own, or a test is missing.",
    "sigma/no-witness": "No text must be present for the rule to match: it is asked at every event.",
    "sigma/not-supplied": "A sensor of the fleet does not supply the event or the field: the rule is blind there.",
    "sigma/placeholder": "A placeholder must be filled by its user: as it stands it matches nothing, or anything.",
    "sigma/private-network": "The rule asks for an address of a private network: inside one that is all traffic.",
    "sigma/regex": "RE2 does not take the expression, or not within its memory: the host refuses it.",
    "sigma/self-test": "A self-test does not hold or cannot be read: the rule does not do what its author says.",
    "sigma/short-witness": "The text that must be present has less than three characters: the rule is asked often.",
    "sigma/size": "The file or its condition is larger than hosts take: it would cost every host dearly.",
    "sigma/status": "The rule is deprecated or unsupported: its own author has taken it back.",
    "sigma/style": "A validator of pySigma or SigmaHQ advises to write the rule in another way.",
    "sigma/suspicion": "A validator of pySigma or SigmaHQ suspects a mistake.",
    "sigma/value": "The rule asks for something that hosts do not evaluate, such as a time of day.",
    "sigma/wide-network": "A network holds a large part of all addresses: the rule matches most events with one.",
    "sigma/wildcards": "A text has too many wildcards: the host's loader refuses it.",
    "sigma/yaml": "The file is no strict YAML: readers disagree on what it says, or it is a bomb.",
}
"""Code -> what is wrong, and what harm it does."""
