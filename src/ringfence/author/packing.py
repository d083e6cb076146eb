"""Rules -> packs: by file class and module, bounded, with every rule beside the rules that it refers to.

1. A rule that reports moves together with the rules that report and refer to each other.
2. Private rules are copied into each pack that needs them; those that nobody needs are left out.
3. A file with a global rule stays whole, in a pack of its own: a global rule speaks for all its neighbours.
4. Rules that import a module which parses every file it meets (pe, elf, ...) stand in packs of their own, so that
   others do not pay for them.
5. The order is fixed (class, modules, file, place in the file): the same rules give the same packs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from ringfence.author.partition import required_class
from ringfence.author.yara_source import SourceRule, referred
from ringfence.detect.file_type import FileClass
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import PACK_RULES_MAX, PACK_SOURCE_BYTES_MAX

CHEAP_MODULES: Final = frozenset({"hash", "math", "string", "time"})
"""Modules that do nothing until a condition calls them."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rules that must stand in one pack, in the order of their file."""

    rules: tuple[SourceRule, ...]
    file_class: FileClass
    alone: bool

    @property
    def modules(self) -> frozenset[str]:
        """Modules that the rules use."""
        return frozenset(chain.from_iterable(rule.modules for rule in self.rules))

    @property
    def key(self) -> tuple[str, str]:
        """Which packs it may go into."""
        return self.file_class.value, "-".join(sorted(self.modules - CHEAP_MODULES)) or "plain"


@dataclass(slots=True)
class _Filling:
    """A pack being filled."""

    texts: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    reporting: list[str] = field(default_factory=list)
    size_bytes: int = 0
    closed: bool = False

    def has_room(self, rules: Sequence[tuple[str, str]], size_bytes: int) -> bool:
        """Whether `rules` (name, text) fit, without two texts under one name."""
        return (
            not self.closed
            and len(self.texts) + len(rules) <= PACK_RULES_MAX
            and self.size_bytes + size_bytes < PACK_SOURCE_BYTES_MAX // 2
            and all(self.texts.get(name, text) == text for name, text in rules)
        )


@dataclass(frozen=True, slots=True)
class PackedSource:
    """A pack's name, class, source, and the rules in it that report."""

    name: str
    file_class: FileClass
    source: str
    reporting: tuple[str, ...]
    modules: frozenset[str]


def clusters_of(rules: Sequence[SourceRule]) -> list[Cluster]:
    """The clusters of one file."""
    classes: dict[str, FileClass] = {}
    for rule in rules:
        classes[rule.identifier] = required_class(rule, classes)
    if any(rule.is_global for rule in rules):
        kinds = {classes[rule.identifier] for rule in rules if not rule.private}
        return [Cluster(tuple(rules), kinds.pop() if len(kinds) == 1 else FileClass.ANY, alone=True)]
    return [_cluster(group, rules, classes) for group in _groups(rules)]


def pack_up(clusters: Iterable[Cluster]) -> list[PackedSource]:
    """Put `clusters` into packs.  Raises ContentRefused for a cluster that is larger than a pack may be."""
    filling: dict[tuple[str, str], list[_Filling]] = {}
    for cluster in clusters:
        rules = [(rule.identifier, rule.text()) for rule in cluster.rules]
        size = sum(len(text.encode(errors="surrogatepass")) + 1 for _, text in rules)
        if size >= PACK_SOURCE_BYTES_MAX // 2 or len(rules) > PACK_RULES_MAX:
            raise ContentRefused(
                f"{len(rules)} rules that belong together have {size} bytes: too much for a pack",
                "cut the references between the rules",
                file=cluster.rules[0].file,
            )
        packs = filling.setdefault(cluster.key, [])
        pack = None if cluster.alone else next((one for one in packs if one.has_room(rules, size)), None)
        if pack is None:
            packs.append(pack := _Filling(closed=cluster.alone))
        pack.texts.update(rules)
        pack.modules |= cluster.modules
        pack.reporting += [rule.identifier for rule in cluster.rules if not rule.private]
        pack.size_bytes += size
    return [
        _packed(f"{kind}-{modules}-{number:02}", FileClass(kind), pack)
        for (kind, modules), packs in sorted(filling.items())
        for number, pack in enumerate(packs, 1)
    ]


def _packed(name: str, kind: FileClass, pack: _Filling) -> PackedSource:
    imports = "".join(f'import "{module}"\n' for module in sorted(pack.modules))
    source = imports + "\n".join(("", *pack.texts.values())) if imports else "\n".join(pack.texts.values())
    return PackedSource(name, kind, source, tuple(sorted(pack.reporting)), frozenset(pack.modules))


def _groups(rules: Sequence[SourceRule]) -> list[list[SourceRule]]:
    """Reporting rules that refer to each other, directly or through private rules."""
    public = [rule for rule in rules if not rule.private]
    leader = {rule.identifier: rule.identifier for rule in public}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for rule in public:
        for name in _needed([rule], rules):
            if name in leader:
                leader[find(rule.identifier)] = find(name)
    groups: dict[str, list[SourceRule]] = {}
    for rule in public:
        groups.setdefault(find(rule.identifier), []).append(rule)
    return list(groups.values())


def _needed(roots: Sequence[SourceRule], rules: Sequence[SourceRule]) -> set[str]:
    """The names of `roots` and of all that they refer to, at any distance."""
    by_name = {rule.identifier: rule for rule in rules}
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        rule = waiting.pop()
        if rule.identifier not in found:
            found.add(rule.identifier)
            waiting += [by_name[name] for name in referred(rule, by_name)]
    return found


def _cluster(group: Sequence[SourceRule], rules: Sequence[SourceRule], classes: dict[str, FileClass]) -> Cluster:
    needed = _needed(group, rules)
    kinds = {classes[rule.identifier] for rule in group}
    return Cluster(
        tuple(rule for rule in rules if rule.identifier in needed),
        kinds.pop() if len(kinds) == 1 else FileClass.ANY,
        alone=False,
    )
