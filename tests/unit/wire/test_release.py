"""The release format: what goes in comes out, and everything else is refused with its place."""

import dataclasses
import io
import struct
import tarfile

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wire.release_fixtures import (
    archive_of,
    blocks,
    compress,
    decompress,
    digest,
    header,
    make_detections,
    make_pack,
    make_rule,
    small_release,
)

from ringfence.model import limits
from ringfence.model.errors import ContentRefused
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Contract, Manifest, Release, RuleEntry, Sample, SelfTest
from ringfence.wire.manifest import encode_manifest
from ringfence.wire.release import decode_release, encode_release

RELEASE = small_release()
DATA = encode_release(RELEASE)
ARCHIVE = decompress(DATA)


def members_of(release: Release) -> list[tuple[bytes, bytes]]:
    """The members of `release` in canonical order."""
    others = [(f"samples/{sample.sha256}".encode(), sample.content) for sample in release.samples]
    others += [(pack.entry.path.encode(), pack.source.encode()) for pack in release.packs]
    others += [(pack.entry.path.encode(), pack.data) for pack in release.detections]
    others += [(b"waivers.json", release.waivers), (b"proof.json", release.proof)]
    return [(b"manifest.json", encode_manifest(release.manifest)), *sorted(others)]


def refused(data: bytes, *words: str) -> ContentRefused:
    """The refusal of `data`, which must say all `words`."""
    with pytest.raises(ContentRefused) as caught:
        decode_release(data)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.way_out
    return caught.value


def test_comes_back_as_it_was() -> None:
    assert decode_release(DATA) == RELEASE
    assert encode_release(decode_release(DATA)) == DATA


def test_other_tools_read_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE)) as archive:
        assert archive.getnames()[0] == "manifest.json"
        assert {member.mode for member in archive.getmembers()} == {0o644}


def test_the_fixture_writes_the_same_tar() -> None:
    assert archive_of(members_of(RELEASE)) == ARCHIVE


def test_another_packing_of_the_same_tar_is_accepted() -> None:
    assert decode_release(compress(ARCHIVE, level=3)) == RELEASE


@pytest.mark.parametrize("size", [*range(64), len(DATA) // 2, len(DATA) - 5, len(DATA) - 1])
def test_refuses_every_truncation(size: int) -> None:
    refused(DATA[:size], "release")


@pytest.mark.parametrize("tail", [b"\0", b"x" * 1024, DATA, compress(b"")], ids=["zero", "text", "twice", "frame"])
def test_refuses_bytes_after_the_frame(tail: bytes) -> None:
    refused(DATA + tail, "release", "after its end")


def test_refuses_a_skippable_frame_in_front() -> None:
    refused(struct.pack("<II", 0x184D2A50, 4) + b"junk" + DATA, "release")


def test_refuses_a_frame_without_size_or_checksum_or_with_a_large_window() -> None:
    sized = zstandard.ZstdCompressor(write_content_size=False, write_checksum=True)
    refused(sized.compress(ARCHIVE), "does not say its unpacked size")
    refused(zstandard.ZstdCompressor(write_checksum=False).compress(ARCHIVE), "no checksum")
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_checksum=1, write_content_size=1)
    refused(zstandard.ZstdCompressor(compression_params=wide).compress(bytes(1 << 25) + b"x"), "release")


def test_refuses_bombs_before_unpacking() -> None:
    refused(compress(bytes(limits.RELEASE_RATIO_FREE_BYTES + 1)), "times its size")
    claims = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(b"x"))
    huge = bytes(claims[:4]) + b"\xe4" + struct.pack("<Q", limits.RELEASE_UNPACKED_BYTES_MAX + 1) + bytes(claims[6:])
    refused(huge, "would unpack to")


def test_refuses_a_release_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.wire.release.RELEASE_BYTES_MAX", len(DATA) - 1)
    refused(DATA, "more than the")


def test_refuses_bytes_after_the_tar_and_a_missing_end() -> None:
    for tail in (bytes(512), b"x", bytes(10240)):
        refused(compress(ARCHIVE + tail), "two blocks of zeros")
    refused(compress(ARCHIVE[:-512]), "two blocks of zeros")
    refused(compress(ARCHIVE[:-1024]), "two blocks of zeros")
    refused(compress(bytes(1024)), "is empty")


@pytest.mark.parametrize(
    "name",
    [
        b"../etc/passwd",
        b"/etc/passwd",
        b"yara/../../x.yar",
        b"yara/.yar",
        b"yara/a/b.yar",
        b"yara/a.yar/",
        b"./manifest.json",
        b"samples/" + b"A" * 64,
        b"yara/\xff.yar",
        b"yara/a\nb.yar",
        b"yara/a\0b.yar",
        b"",
        b"policy.json",
    ],
)
def test_refuses_other_names(name: bytes) -> None:
    refused(compress(archive_of([members_of(RELEASE)[0], (name, b"x")])), "byte 2")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": b"2", "link": b"/etc/passwd".ljust(100, b"\0")},
        {"kind": b"1", "link": b"manifest.json".ljust(100, b"\0")},
        {"kind": b"5"},
        {"kind": b"3"},
        {"kind": b"L"},
        {"kind": b"x"},
        {"kind": b"g"},
        {"kind": b"S"},
        {"kind": b"\0"},
        {"mode": b"0004755\0"},
        {"uid": b"0001750\0"},
        {"mtime": b"%011o\0" % 1},
        {"magic": b"ustar  \0"},
        {"prefix": b"yara".ljust(155, b"\0")},
        {"rest": b"x" * 12},
        {"size": b"\x80" + bytes(10) + b"\x05"},
        {"size": b"        12 \0"},
        {"size": b"77777777777\0"},
    ],
    ids=str,
)
def test_refuses_every_other_header(changes: dict[str, bytes]) -> None:
    first, second, *_ = members_of(RELEASE)
    body = second[1] + bytes(-len(second[1]) % 512)
    archive = archive_of([first])[:-1024] + header(second[0], len(second[1]), **changes) + body + bytes(1024)
    assert refused(compress(archive)).file == second[0].decode()


def test_refuses_a_wrong_header_checksum() -> None:
    changed = bytearray(ARCHIVE)
    changed[150] ^= 1
    refused(compress(bytes(changed)), "manifest.json", "not canonical")


def test_refuses_padding_with_content() -> None:
    members = members_of(RELEASE)
    changed = bytearray(ARCHIVE)
    changed[512 + len(members[0][1])] = 1
    refused(compress(bytes(changed)), "padded")


def test_refuses_wrong_order_and_repetition() -> None:
    members = members_of(RELEASE)
    refused(compress(archive_of(members[1:])), "first member")
    refused(compress(archive_of([*members, members[0]])), "first member")
    refused(compress(archive_of([members[0], members[2], members[1], *members[3:]])), "sorted")
    refused(compress(archive_of([members[0], members[1], members[1], *members[2:]])), "repetition")


def test_refuses_missing_foreign_and_changed_members() -> None:
    members = members_of(RELEASE)
    for index in range(1, len(members)):
        refused(compress(archive_of(members[:index] + members[index + 1 :])), "not there")
        name, content = members[index]
        changed = bytes([content[0] ^ 1]) + content[1:]
        refused(compress(archive_of([*members[:index], (name, changed), *members[index + 1 :]])), "SHA-256")
    refused(compress(archive_of([*members, (b"yara/z.yar", b"x")])), "not named")
    longer = (members[-1][0], members[-1][1] + b" ")
    refused(compress(archive_of([*members[:-1], longer])), "where the manifest says")


def test_refuses_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.wire.release.RELEASE_MEMBERS_MAX", 3)
    refused(DATA, "more than 3 members")


def test_refuses_source_that_is_not_text() -> None:
    content = b"rule \xff"
    pack = make_pack("any-01", "any", "")
    entry = dataclasses.replace(pack.entry, sha256=digest(content), size_bytes=len(content))
    manifest = dataclasses.replace(RELEASE.manifest, packs=(entry,), rules=(make_rule("one", "any-01"),), self_tests=())
    archive = archive_of([(b"manifest.json", encode_manifest(manifest)), (b"yara/any-01.yar", content)])
    assert refused(compress(archive)).position == "byte 5"


def with_member(name: str, content: bytes) -> bytes:
    """The small release with another member `name`, and a manifest that agrees with it."""
    entry = dataclasses.replace(RELEASE.detections[0].entry, sha256=digest(content), size_bytes=len(content))
    changes: dict[str, object] = {
        "detections/linux-01.json": {"detections": (entry,)},
        "waivers.json": {"waivers_sha256": digest(content)},
        "proof.json": {"proof_sha256": digest(content)},
    }
    manifest = dataclasses.replace(RELEASE.manifest, **changes[name])  # type: ignore[arg-type]
    members = dict(members_of(RELEASE)) | {name.encode(): content, b"manifest.json": encode_manifest(manifest)}
    return compress(archive_of([(b"manifest.json", members.pop(b"manifest.json")), *sorted(members.items())]))


def test_refuses_a_rule_that_stands_in_two_packs() -> None:
    again = make_detections("other-01", RELEASE.detections[0].data)
    both = dataclasses.replace(
        RELEASE,
        manifest=dataclasses.replace(RELEASE.manifest, detections=(RELEASE.manifest.detections[0], again.entry)),
        detections=(*RELEASE.detections, again),
    )
    assert (
        refused(compress(archive_of(members_of(both))), "stands in detections/linux-01.json").file == again.entry.path
    )


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("detections/linux-01.json", b"{", "is not JSON"),
        ("detections/linux-01.json", b"[ ]", "not canonical"),
        ("detections/linux-01.json", b'{"a":1,"a":1}', "repeats the key"),
        ("detections/linux-01.json", b"[1.5]", "not an integer"),
        ("detections/linux-01.json", b"[" * 65 + b"]" * 65, "nested deeper"),
        ("detections/linux-01.json", b'{"format":1,"rules":[]}', "lacks the field 'tests'"),
        ("waivers.json", b"{}", "lacks the field"),
        ("waivers.json", b"", "is empty"),
        ("proof.json", b"", "is empty"),
    ],
)
def test_refuses_members_that_are_not_what_they_say(name: str, content: bytes, word: str) -> None:
    assert refused(with_member(name, content), word).file == name


def test_a_release_without_proof_and_waivers_has_no_such_members() -> None:
    manifest = dataclasses.replace(RELEASE.manifest, proof_sha256="", waivers_sha256="")
    plain = dataclasses.replace(RELEASE, manifest=manifest, proof=b"", waivers=b"")
    data = encode_release(plain)
    assert decode_release(data) == plain
    with tarfile.open(fileobj=io.BytesIO(decompress(data))) as archive:
        assert not {"proof.json", "waivers.json"} & set(archive.getnames())


def test_the_proof_changes_nothing_of_what_is_proven() -> None:
    other = dataclasses.replace(RELEASE.manifest, proof_sha256=digest(b"another"))
    assert encode_manifest(dataclasses.replace(other, proof_sha256="")) == encode_manifest(
        dataclasses.replace(RELEASE.manifest, proof_sha256="")
    )


def test_what_is_packed_quickly_is_the_same_release() -> None:
    quick = encode_release(RELEASE, 1)
    assert quick != DATA
    assert decode_release(quick) == RELEASE


def test_encode_refuses_what_decode_would() -> None:
    with pytest.raises(ContentRefused):
        encode_release(dataclasses.replace(RELEASE, packs=RELEASE.packs[:1]))
    with pytest.raises(ContentRefused):
        encode_release(dataclasses.replace(RELEASE, packs=RELEASE.packs[::-1]))
    with pytest.raises(ContentRefused):
        encode_release(dataclasses.replace(RELEASE, samples=(*RELEASE.samples, Sample("0" * 64, b""))))


def test_every_block_removed_repeated_or_swapped_is_refused() -> None:
    parts = blocks(ARCHIVE)
    for index in range(len(parts)):
        refused(compress(b"".join(parts[:index] + parts[index + 1 :])))
        refused(compress(b"".join(parts[: index + 1] + parts[index:])))
        if index and parts[index] != parts[index - 1]:
            swapped = [*parts[: index - 1], parts[index], parts[index - 1], *parts[index + 1 :]]
            refused(compress(b"".join(swapped)))


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=20)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)


@st.composite
def releases(draw: st.DrawFn) -> Release:
    """Any consistent release of a few packs."""
    sources = draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=3))
    packs = tuple(
        make_pack(f"p{index}", draw(st.sampled_from(["any", "elf", "pe"])), source)
        for index, source in enumerate(sources)
    )
    names = draw(st.lists(NAMES, unique=True, min_size=len(packs), max_size=6))
    rules = tuple(
        RuleEntry(
            identifier=name,
            pack=packs[index % len(packs)].entry.name,
            author=draw(TEXTS) or "a",
            description=draw(TEXTS),
            severity=draw(st.sampled_from(Severity)),
            action=draw(st.sampled_from(RuleAction)),
            technique=draw(st.sampled_from(["", "T1059", "T1505.003"])),
            reference=draw(TEXTS),
            licence=draw(TEXTS),
        )
        for index, name in enumerate(names)
    )
    contents = draw(st.lists(st.binary(max_size=600), unique=True, max_size=3))
    tests = sorted(
        (SelfTest(draw(st.sampled_from(names)), digest(content), draw(st.booleans())) for content in contents),
        key=lambda test: (test.rule, test.sample_sha256),
    )
    manifest = Manifest(
        name="drawn",
        version=draw(st.integers(1, limits.RELEASE_VERSION_MAX)),
        description=draw(TEXTS),
        contract=Contract(("elf", "pe"), ()),
        packs=tuple(pack.entry for pack in packs),
        rules=tuple(sorted(rules, key=lambda rule: rule.identifier)),
        self_tests=tuple(tests),
    )
    samples = sorted((Sample(digest(content), content) for content in contents), key=lambda sample: sample.sha256)
    return Release(manifest, packs, tuple(samples))


@settings(max_examples=60, deadline=None)
@given(releases())
def test_every_release_comes_back(release: Release) -> None:
    data = encode_release(release)
    assert decode_release(data) == release
    assert encode_release(decode_release(data)) == data


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    for candidate in (
        data,
        b"\x28\xb5\x2f\xfd" + data,
        compress(data),
        compress(data + bytes(-len(data) % 512 + 1024)),
    ):
        with pytest.raises(ContentRefused):
            decode_release(candidate)
