"""Small releases for tests: one that has something of everything, and pieces to take it apart."""

import hashlib
from collections.abc import Iterable

import zstandard

from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import (
    Contract,
    Manifest,
    Pack,
    PackEntry,
    Release,
    RuleEntry,
    Sample,
    SelfTest,
)
from ringfence.wire.manifest import pack_path


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def make_pack(name: str, file_class: str, source: str) -> Pack:
    """A pack with a right entry."""
    content = source.encode()
    return Pack(PackEntry(name, file_class, pack_path(name), digest(content), len(content)), source)


def make_rule(identifier: str, pack: str, action: RuleAction = RuleAction.ALERT) -> RuleEntry:
    """A rule's entry."""
    return RuleEntry(
        identifier=identifier,
        pack=pack,
        author="Ringfence authors",
        description="d\u00e9tecte un essai",
        severity=Severity.HIGH,
        action=action,
        technique="T1505.003",
        reference="https://example.org/",
        licence="Apache-2.0",
    )


def small_release() -> Release:
    """Two packs, three rules, three self-tests on two samples."""
    any_pack = make_pack(
        "any-01", "any", 'rule one { strings: $a = "one" condition: $a }\nrule two { condition: false }\n'
    )
    elf_pack = make_pack("elf-01", "elf", "rule three { condition: uint32(0) == 0x464c457f }\n")
    samples = tuple(Sample(digest(content), content) for content in sorted((b"one", b"\x7fELF"), key=digest))
    one, elf = digest(b"one"), digest(b"\x7fELF")
    tests = sorted(
        (
            SelfTest("one", one, expects_match=True),
            SelfTest("one", elf, expects_match=False),
            SelfTest("three", elf, True),
        ),
        key=lambda test: (test.rule, test.sample_sha256),
    )
    manifest = Manifest(
        name="small",
        version=7,
        description="A small release",
        contract=Contract((), ("filename",)),
        packs=(any_pack.entry, elf_pack.entry),
        rules=(make_rule("one", "any-01", RuleAction.BLOCK), make_rule("three", "elf-01"), make_rule("two", "any-01")),
        self_tests=tuple(tests),
    )
    return Release(manifest, (any_pack, elf_pack), samples)


def compress(archive: bytes, *, level: int = 1) -> bytes:
    """`archive` in a frame that the loader accepts."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True).compress(archive)


def decompress(data: bytes) -> bytes:
    """The tar in the frame `data`."""
    return zstandard.ZstdDecompressor().decompress(data)


def blocks(archive: bytes) -> list[bytes]:
    """The 512-byte blocks of a tar."""
    return [archive[at : at + 512] for at in range(0, len(archive), 512)]


def header(name: bytes, size_bytes: int, **changes: bytes) -> bytes:
    """A tar header with a right checksum.  `changes`: fields by name (mode, uid, mtime, kind, link, prefix, magic)."""
    fields = {
        "mode": b"0000644\0",
        "uid": b"0000000\0",
        "gid": b"0000000\0",
        "size": b"%011o\0" % size_bytes,
        "mtime": b"%011o\0" % 0,
        "sum": b" " * 8,
        "kind": b"0",
        "link": bytes(100),
        "magic": b"ustar\x0000",
        "owner": bytes(64),
        "device": b"0000000\0" * 2,
        "prefix": bytes(155),
        "rest": bytes(12),
    } | changes
    made = name.ljust(100, b"\0") + b"".join(fields.values())
    return made[:148] + b"%06o\0 " % sum(made) + made[156:]


def archive_of(members: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A tar of `members` in the given order, right in every other way."""
    parts = [header(name, len(content)) + content + bytes(-len(content) % 512) for name, content in members]
    return b"".join(parts) + bytes(1024)
