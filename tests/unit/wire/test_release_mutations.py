"""More than 100,000 damaged releases: each is refused, or is itself a canonical release; nothing else ever happens.

Damage is done at four depths, so that it does not stop at the first checksum: the frame's bytes; the tar's bytes, in a
fresh frame; the members, in a fresh and right tar; the manifest's values, with sizes and digests made right again.
"""

import copy
import json
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from tests.unit.wire.release_fixtures import archive_of, blocks, compress, decompress, digest, small_release

from ringfence.model.errors import ContentRefused
from ringfence.wire import canonical
from ringfence.wire.release import decode_release, encode_release

SEEDS: Final = range(12)
MUTANTS_PER_SEED: Final = 10_000

DATA: Final = encode_release(small_release())
ARCHIVE: Final = decompress(DATA)
ODD_BYTES: Final = (b"\0", b"\xff", b'"', b"{", b"[", b"}", b"\\ud800", b"1e9", b"NaN", b"-", b"9" * 30, b"../", b"\n")
ODD_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0,
    2**53 - 1,
    "",
    "../x",
    "a" * 2000,
    "\x1b[2J",
    [],
    {},
    [[]],
    {"a": 1},
    "one",
    "any-01",
)

Mutation = Callable[[random.Random], bytes]


def damaged(chance: random.Random, data: bytes) -> bytes:
    """`data` after one to four small accidents."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        until = min(len(changed), at + chance.choice((1, 2, 8, 64, 512, 4096)))
        match chance.randrange(7):
            case 0 | 1 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                del changed[at:]
            case 3:
                del changed[at:until]
            case 4:
                source = chance.randrange(len(changed) + 1)
                changed[at:at] = changed[source : source + until - at]
            case 5:
                changed[at:until] = chance.choice(ODD_BYTES)
            case _:
                changed[at:until] = chance.randbytes(until - at)
    return bytes(changed)


def damaged_frame(chance: random.Random) -> bytes:
    """Accidents to the travelling bytes."""
    return damaged(chance, DATA)


def damaged_tar(chance: random.Random) -> bytes:
    """Accidents to the tar, in a frame with a right checksum; sometimes whole blocks move."""
    if chance.random() < 0.5:
        return compress(damaged(chance, ARCHIVE))
    parts = blocks(ARCHIVE)
    for _ in range(chance.randint(1, 3)):
        chance.choice((lambda: parts.insert(chance.randrange(len(parts) + 1), chance.choice(parts)), parts.pop))()
    if chance.random() < 0.3:
        chance.shuffle(parts)
    return compress(b"".join(parts))


def damaged_members(chance: random.Random) -> bytes:
    """Accidents to one member, or members lost, doubled, renamed and moved, in a right tar."""
    members = members_of(ARCHIVE)
    at = chance.randrange(len(members))
    name, content = members[at]
    match chance.randrange(6):
        case 0:
            members[at] = (damaged(chance, name)[:100], content)
        case 1:
            members.pop(at)
        case 2:
            members.insert(chance.randrange(len(members) + 1), (name, content))
        case 3:
            chance.shuffle(members)
        case _:
            members[at] = (name, damaged(chance, content))
    return compress(archive_of(members))


def damaged_values(chance: random.Random) -> bytes:
    """Other values in a canonical manifest; sources changed with their digests and sizes following."""
    members = dict(members_of(ARCHIVE))
    manifest = json.loads(members[b"manifest.json"])
    for _ in range(chance.randint(1, 2)):
        change_value(chance, manifest)
    if chance.random() < 0.3:
        change_source(chance, members, manifest)
    if chance.random() < 0.3:
        change_document(chance, members, manifest)
    members[b"manifest.json"] = canonical.encode(manifest)
    return compress(archive_of([(name, members[name]) for name in sorted(members)]))


def change_value(chance: random.Random, value: object) -> None:
    """Walk down to a random place in `value` and change it there."""
    while isinstance(value, list | dict) and value:
        place = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        inner = value[place]
        if not isinstance(inner, list | dict) or not inner or chance.random() < 0.15:
            match chance.randrange(4):
                case 0 if isinstance(value, dict):
                    value[chance.choice(("x", "format", "name", "\u00e9"))] = copy.deepcopy(chance.choice(ODD_VALUES))
                case 1:
                    del value[place]
                case 2 if isinstance(value, list):
                    value.insert(place, copy.deepcopy(chance.choice((inner, *ODD_VALUES))))
                case _:
                    value[place] = copy.deepcopy(chance.choice(ODD_VALUES))
            return
        value = inner


def change_source(chance: random.Random, members: dict[bytes, bytes], manifest: dict[str, Any]) -> None:
    """Damage a pack and make its entry right."""
    content = damaged(chance, members[b"yara/any-01.yar"])
    members[b"yara/any-01.yar"] = content
    packs = manifest.get("packs")
    for pack in packs if isinstance(packs, list) else ():
        if isinstance(pack, dict) and pack.get("name") == "any-01":
            pack |= {"sha256": digest(content), "size_bytes": len(content)}


def change_document(chance: random.Random, members: dict[bytes, bytes], manifest: dict[str, Any]) -> None:
    """Other values in the waivers or the rules over events, with the digests following."""
    name = chance.choice((b"waivers.json", b"detections/linux-01.json"))
    document = json.loads(members[name])
    change_value(chance, document)
    members[name] = content = canonical.encode(document)
    if name == b"waivers.json":
        manifest["waivers_sha256"] = digest(content)
        return
    packs = manifest.get("detections")
    for pack in packs if isinstance(packs, list) else ():
        if isinstance(pack, dict):
            pack |= {"sha256": digest(content), "size_bytes": len(content)}


def members_of(archive: bytes) -> list[tuple[bytes, bytes]]:
    """The members of a right tar, read in the plainest way."""
    members = []
    at = 0
    while archive[at]:
        size = int(archive[at + 124 : at + 135], 8)
        members.append((archive[at : at + 100].rstrip(b"\0"), archive[at + 512 : at + 512 + size]))
        at += 512 + size + -size % 512
    return members


MUTATIONS: Final[tuple[Mutation, ...]] = (damaged_frame, damaged_tar, damaged_members, damaged_values)


@pytest.mark.parametrize("seed", SEEDS)
def test_damage_is_refused_or_canonical(seed: int) -> None:
    chance = random.Random(seed)
    refused = 0
    told: set[tuple[bool, bool]] = set()
    for number in range(MUTANTS_PER_SEED):
        mutant = MUTATIONS[number % len(MUTATIONS)](chance)
        try:
            release = decode_release(mutant)
        except ContentRefused as error:
            refused += 1
            told.add((bool(error.file), str(error).isprintable()))
        else:
            assert decompress(encode_release(release)) == decompress(mutant)
    assert told == {(True, True)}
    assert refused > MUTANTS_PER_SEED * 9 // 10


def test_there_are_enough_mutants() -> None:
    assert len(SEEDS) * MUTANTS_PER_SEED >= 100_000
