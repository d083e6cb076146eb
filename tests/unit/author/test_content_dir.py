"""Content directories are read strictly: what is off is named with its place."""

from pathlib import Path

import pytest
from tests.unit.author.content_fixtures import HEAD, META, RULES, write_content

from ringfence.author.content_dir import entry_of, read_directory, source_files
from ringfence.author.yara_source import SourceReader
from ringfence.model.errors import ContentRefused, PathRefused


def test_reads_all(tmp_path: Path) -> None:
    content = read_directory(write_content(tmp_path))
    assert (content.head.name, content.head.version) == ("tried", 3)
    assert [rule.identifier for rules in content.files for rule in rules] == ["One"]
    assert [(test.sample, test.expects_match) for test in content.tests] == [
        (b"one", True),
        (b"one\0\0\0", True),
        (b"two", False),
    ]


def test_wants_a_content_directory(tmp_path: Path) -> None:
    with pytest.raises(PathRefused, match=r"content\.yaml"):
        read_directory(tmp_path)
    with pytest.raises(PathRefused):
        read_directory(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "head",
    [
        "",
        "[]",
        HEAD + "more: 1\n",
        HEAD + "name: twice\n",
        HEAD.replace("format: 1", "format: 2"),
        HEAD.replace("tried", "A/B"),
        HEAD.replace("version: 3", "version: 0"),
        HEAD.replace("version: 3", "version: true"),
        HEAD.replace("version: 3", "version: 2.5"),
        HEAD.replace("For a test", '"a\\nb"'),
        HEAD.replace("tried", "&a tried") + "x: *a\n",
        "!!python/object:os.system {}\n",
        "{" * 3000,
        HEAD.replace("tried", "\x01"),
    ],
)
def test_refuses_other_heads(tmp_path: Path, head: str) -> None:
    with pytest.raises(ContentRefused) as caught:
        read_directory(write_content(tmp_path, head=head))
    assert caught.value.file == "content.yaml"


@pytest.mark.parametrize(
    "tests",
    [
        "[]",
        "One: []",
        "One: {}",
        "One: {matches: x}",
        "One: {finds: [x]}",
        "One: {matches: [{hex: zz}]}",
        "One: {matches: [{base64: '*'}]}",
        "One: {matches: [{zeros: -1}]}",
        "One: {matches: [{zeros: 99999999}]}",
        "One: {matches: [{hex: '00', zeros: 1}]}",
        "One: {matches: [3]}",
        "One: {matches: [x]}\nOne: {matches: [y]}",
    ],
)
def test_refuses_other_self_tests(tmp_path: Path, tests: str) -> None:
    with pytest.raises(ContentRefused) as caught:
        read_directory(write_content(tmp_path, tests=tests))
    assert caught.value.file == "tests/family.yaml"


def test_refuses_files_that_are_no_text_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_content(tmp_path)
    (tmp_path / "rules" / "family.yar").write_bytes(b"rule \xff")
    with pytest.raises(ContentRefused, match="not UTF-8"):
        read_directory(tmp_path)
    monkeypatch.setattr("ringfence.author.content_dir.SOURCE_FILE_BYTES_MAX", 10)
    with pytest.raises(ContentRefused, match="more than the 10 allowed"):
        read_directory(tmp_path)


def test_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yar"
    outside.write_text(RULES, encoding="utf-8")
    inside = write_content(tmp_path / "content")
    (inside / "rules" / "link.yar").symlink_to(outside)
    assert [path.name for path in source_files(inside / "rules", (".yar",))] == ["family.yar"]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('author = "A"', "", "author"),
        ('licence = "Apache-2.0"', "", "licence"),
        ('description = "D"', 'description = ""', "description"),
        ('"high"', '"grave"', "severity"),
        ('"block"', '"delete"', "action"),
        ('"T1059"', '"1059"', "technique"),
        ('"A"', '"a\\x1b[2J"', "control"),
        ('"A"', f'"{"a" * 2000}"', "too long"),
    ],
)
def test_refuses_other_metadata(old: str, new: str, word: str) -> None:
    rule = SourceReader().read(f"rule One {{ {META.replace(old, new)} condition: filesize > 1 }}", "f.yar")[0]
    with pytest.raises(ContentRefused, match=word) as caught:
        entry_of(rule, "pack")
    assert (caught.value.file, caught.value.position) == ("f.yar", "1")
