"""Rules that look like a public pack's, by the thousand, and releases of them: for sizes, not for matches."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Contract, Manifest, Pack, PackEntry, Release, RuleEntry
from ringfence.wire.manifest import pack_path
from ringfence.wire.release import encode_release

_WORDS: Final = ("backdoor", "loader", "stealer", "implant", "dropper", "beacon", "packer", "miner", "worm", "shell")
_PACK_RULES: Final = 200


@dataclass(frozen=True, slots=True)
class SyntheticRule:
    """One rule: its name, what its manifest entry says, and its text."""

    name: str
    description: str
    text: str


def synthetic_rules(count: int, *, seed: int, first: int = 0) -> list[SyntheticRule]:
    """`count` rules, the same for one seed; their numbers begin with `first`."""
    chance = random.Random(seed)
    return [_rule(chance, first + number) for number in range(count)]


def _rule(chance: random.Random, number: int) -> SyntheticRule:
    word = chance.choice(_WORDS)
    name = f"Synthetic_{word}_{number:05}"
    strings = "\n".join(
        f'    $s{place} = "{hashlib.sha256(chance.randbytes(8)).hexdigest()[: chance.randrange(12, 40)]}"'
        for place in range(chance.randrange(3, 9))
    )
    size = chance.randrange(100, 900)
    text = f"rule {name} {{\n  strings:\n{strings}\n  condition:\n    filesize < {size}KB and all of them\n}}\n"
    return SyntheticRule(name, f"Looks like a {word} that was seen {size} times", text)


def release_of(rules: Sequence[SyntheticRule], *, version: int, name: str = "synthetic") -> bytes:
    """A release of these rules in packs, not compiled."""
    packs: list[Pack] = []
    entries: list[RuleEntry] = []
    for place in range(0, len(rules), _PACK_RULES):
        group = rules[place : place + _PACK_RULES]
        source = "\n".join(rule.text for rule in group)
        pack = f"any-{place // _PACK_RULES:03}"
        digest = hashlib.sha256(source.encode()).hexdigest()
        packs.append(Pack(PackEntry(pack, "any", pack_path(pack), digest, len(source.encode())), source))
        entries += [
            RuleEntry(
                rule.name, pack, "nobody", rule.description, Severity.HIGH, RuleAction.ALERT, "T1059",
                f"https://example.org/{rule.name}", "Apache-2.0",
            )
            for rule in group
        ]  # fmt: skip
    manifest = Manifest(
        name=name,
        version=version,
        description="For a test of sizes",
        contract=Contract((), ()),
        packs=tuple(pack.entry for pack in packs),
        rules=tuple(sorted(entries, key=lambda entry: entry.identifier)),
        self_tests=(),
    )
    return encode_release(Release(manifest, tuple(packs), ()))
