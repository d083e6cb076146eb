"""Small releases for tests: one that has something of everything, and pieces to take it apart."""

import datetime as dt
import hashlib
from collections.abc import Iterable

import zstandard

from ringfence.model.contract import EventNeed, FieldKind
from ringfence.model.detection import DetectionRule, Detections, EventTest, Operator, Predicate
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import (
    Budget,
    Contract,
    DetectionEntry,
    DetectionPack,
    Manifest,
    Pack,
    PackEntry,
    Release,
    RuleEntry,
    Sample,
    SelfTest,
)
from ringfence.model.waiver import SignedWaiver, Waiver, WaiverBook, WaiverKey
from ringfence.wire.detection_ir import encode_detections
from ringfence.wire.manifest import detection_path, pack_path
from ringfence.wire.waiver import encode_waivers


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


def make_detections(name: str, data: bytes) -> DetectionPack:
    """Rules over events with a right entry."""
    return DetectionPack(DetectionEntry(name, detection_path(name), digest(data), len(data)), data)


def event_rules(identifier: str) -> bytes:
    """A pack of one rule over events, with a self-test."""
    rule = DetectionRule(
        identifier=identifier,
        title="A shell is started",
        author="Ringfence authors",
        licence="Apache-2.0",
        level=Severity.LOW,
        techniques=("T1059.004",),
        reference="",
        event_type="process_creation",
        condition=Predicate("Image", Operator.ENDS, cased=False, values=("/sh",)),
    )
    return encode_detections(Detections((rule,), (EventTest(identifier, (("Image", "/bin/sh"),), expects_match=True),)))


def make_waiver(code: str = "yara/slow-pattern") -> SignedWaiver:
    """A waiver whose signature nobody made."""
    waiver = Waiver(code, "rules/a.yar", "one", "ab" * 32, "tried", dt.date(2026, 11, 1), dt.date(2027, 1, 31))
    return SignedWaiver(waiver, "cd" * 32, "ef" * 64)


def small_release() -> Release:
    """Two packs, three rules, three self-tests on two samples, rules over events, a waiver, and a proof."""
    events = make_detections("linux-01", event_rules("00000000-0000-0000-0000-000000000001"))
    waivers = encode_waivers(WaiverBook((WaiverKey("Ann", "cd" * 32),), (make_waiver(),)))
    proof = b'{"proof":1}'
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
        contract=Contract((), ("filename",), (EventNeed("process_creation", "Image", FieldKind.TEXT),)),
        packs=(any_pack.entry, elf_pack.entry),
        rules=(make_rule("one", "any-01", RuleAction.BLOCK), make_rule("three", "elf-01"), make_rule("two", "any-01")),
        self_tests=tuple(tests),
        detections=(events.entry,),
        budget=Budget(1_000, 1_000_000, 500),
        waivers_sha256=digest(waivers),
        proof_sha256=digest(proof),
    )
    return Release(manifest, (any_pack, elf_pack), samples, (events,), waivers, proof)


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
