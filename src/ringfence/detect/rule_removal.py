"""A release without some of its rules: what a host does with a rule that has hurt it, and how it finds out which.

1. A rule is left out by a stub of the same name with the condition `false`: it is not evaluated and never matches, the
   names that others refer to are still there, and every line keeps its number.
2. Rules that refer to one that is left out are left out with it: `not that_rule` would be true of every file.  So is a
   whole pack with its global rule: nothing in it was meant to speak without it.
3. A pack with a rule that `detect/rule_text.py` calls odd is one piece: it stays or goes whole, and is named by its
   first rule.

The manifest stays as it is, so that every rule keeps its index.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ringfence.detect.rule_outline import DeclaredRule, PackOutline, outline
from ringfence.detect.rule_text import RuleText, read_rule
from ringfence.model.fault import RuleName
from ringfence.model.release import Pack, Release

_STUB: Final = "rule {name} {{ condition: false }}"


@dataclass(frozen=True, slots=True)
class RuleMap:
    """The rules of a release that can be left out, in the order of their declaration, and what each of them needs."""

    rules: tuple[RuleName, ...]
    needs: Mapping[RuleName, frozenset[RuleName]]
    """All that a rule refers to, directly or not, and the global rules of its pack; no entry where that is none."""


def rule_map(release: Release) -> RuleMap:
    """The map of `release`."""
    rules: list[RuleName] = []
    needs: dict[RuleName, frozenset[RuleName]] = {}
    for pack in release.packs:
        declared = outline(pack.source)
        texts = _texts(pack.source, declared)
        name = pack.entry.name
        if texts is None:
            rules += [RuleName(name, rule.name) for rule in declared.rules[:1]]
            continue
        rules += [RuleName(name, text.name) for text in texts]
        for rule, needed in _needs(texts).items():
            if needed:
                needs[RuleName(name, rule)] = frozenset(RuleName(name, one) for one in needed)
    return RuleMap(tuple(rules), needs)


def without(release: Release, left_out: Iterable[RuleName]) -> Release:
    """`release` with stubs in the place of these rules and of those that refer to them.  Unknown names are ignored."""
    by_pack: dict[str, set[str]] = {}
    for name in left_out:
        by_pack.setdefault(name.pack, set()).add(name.rule)
    cut = (_cut(pack, by_pack.get(pack.entry.name, set())) for pack in release.packs)
    return replace(release, packs=tuple(cut))


def only(release: Release, kept: frozenset[RuleName]) -> Release:
    """`release` with just these rules, which must include all that they need; packs without any are gone.

    For trying rules out: its manifest names those packs' rules, and no self-tests.
    """
    names = {rule.pack for rule in kept}
    packs = tuple(pack for pack in release.packs if pack.entry.name in names)
    manifest = replace(
        release.manifest,
        packs=tuple(pack.entry for pack in packs),
        rules=tuple(rule for rule in release.manifest.rules if rule.pack in names),
        self_tests=(),
    )
    smaller = Release(manifest, packs, ())
    return without(smaller, (rule for rule in rule_map(smaller).rules if rule not in kept))


def silenced(release: Release, left_out: Iterable[RuleName]) -> frozenset[RuleName]:
    """Every rule that `without` puts a stub in the place of."""
    wanted = frozenset(left_out)
    found: set[RuleName] = set()
    for pack in release.packs:
        named = {one.rule for one in wanted if one.pack == pack.entry.name}
        if named:
            declared = outline(pack.source)
            gone = _gone(declared, _texts(pack.source, declared), named)
            found |= {RuleName(pack.entry.name, rule) for rule in gone}
    return frozenset(found)


def _cut(pack: Pack, named: set[str]) -> Pack:
    if not named:
        return pack
    declared = outline(pack.source)
    texts = _texts(pack.source, declared)
    gone = _gone(declared, texts, named)
    source = pack.source
    for place in range(len(declared.rules) - 1, -1, -1):  # from the end, so that offsets before it stay true
        rule = declared.rules[place]
        if rule.name in gone:
            end = texts[place].end if texts is not None else _next_start(declared, place, len(source))
            source = source[: rule.start] + _stub(rule, source[rule.start : end]) + source[end:]
    return replace(pack, source=source)


def _gone(declared: PackOutline, texts: list[RuleText] | None, named: set[str]) -> frozenset[str]:
    """Rules 2 and 3: all that goes when `named` go."""
    names = frozenset(rule.name for rule in declared.rules)
    if not named & names:
        return frozenset()
    if texts is None:
        return names
    return frozenset(rule for rule, needed in _needs(texts).items() if {rule, *needed} & named)


def _stub(rule: DeclaredRule, text: str) -> str:
    """Rule 1.  A pack that is odd goes whole, with the imports that may stand in it: nothing is left to need them."""
    private = "private " if rule.private else ""
    return private + _STUB.format(name=rule.name) + "\n" * text.count("\n")


def _next_start(declared: PackOutline, place: int, end: int) -> int:
    """Where the rule after `place` begins; everything before it belongs to the one at `place`."""
    return declared.rules[place + 1].start if place + 1 < len(declared.rules) else end


def _texts(source: str, declared: PackOutline) -> list[RuleText] | None:
    """Every rule of a pack, or None where one is odd."""
    starts = [rule.start for rule in declared.rules]
    texts: list[RuleText] = []
    for rule, end in zip(declared.rules, [*starts[1:], len(source)], strict=True):
        text = read_rule(source, rule.start, end)
        if text is None or text.name != rule.name:
            return None
        texts.append(text)
    return texts


def _needs(texts: list[RuleText]) -> dict[str, frozenset[str]]:
    """For each rule of a pack all that it refers to.  A rule refers only to rules before it: one pass is enough."""
    needs: dict[str, frozenset[str]] = {}
    always = frozenset(text.name for text in texts if "global" in text.marks)
    for text in texts:
        direct = (always | needs.keys() & set(text.condition)) - {text.name}
        needs[text.name] = direct.union(*(needs[one] for one in direct if one in needs)) - {text.name}
    return needs
