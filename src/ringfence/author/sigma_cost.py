"""How much a Sigma rule becomes when it is read, estimated before anybody reads it.

A file of one megabyte can ask for gigabytes: `windash` writes a value once for each kind of each of its dashes,
`base64offset` three times, and the condition repeats a selection at each mention.  The estimate is never too low for
those, and too high by little for honest rules.

>>> expansion_of({"s": {"A|windash|contains": ["-a", "-b -c"]}, "condition": "1 of s* or s"})
93
"""

import re
from typing import Final

WORDS_OF: Final = re.compile(r"[^\s()]+")
DASHES: Final = re.compile(r"[-/\u2013\u2014\u2015]")
DASH_KINDS: Final = 5
DASHES_REPLACED: Final = 3
"""pySigma replaces no more dashes than that in one value."""

OFFSETS: Final = 3


def expansion_of(detection: dict[str, object]) -> int:
    """An upper bound of the nodes and values that the rule's tree has when everything is written out."""
    sizes = {name: _values(part, ()) for name, part in detection.items() if name != "condition"}
    everything = sum(sizes.values())
    conditions = detection.get("condition")
    nodes = everything
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        for word in WORDS_OF.findall(condition) if isinstance(condition, str) else ():
            nodes += everything if word == "of" else sizes.get(word, 1)
    return nodes


def _values(part: object, modifiers: tuple[str, ...]) -> int:
    if isinstance(part, dict):
        return sum(_values(value, tuple(str(key).split("|")[1:])) for key, value in part.items())
    if isinstance(part, list):
        return sum(_values(value, modifiers) for value in part)
    many = 1
    for modifier in modifiers:
        if modifier == "windash":
            many *= DASH_KINDS ** min(len(DASHES.findall(str(part))), DASHES_REPLACED)
        elif modifier == "base64offset":
            many *= OFFSETS
    return many
