"""Recorded events are read strictly, with file and line, and cut into parts that lose none."""

from pathlib import Path

import pytest

from ringfence.author import recorded_events
from ringfence.author.recorded_events import decode_events, read_recordings
from ringfence.detect.events import Event
from ringfence.model.errors import ContentRefused, PathRefused

LINE = b'{"type": "process_creation", "fields": {"Image": "/bin/ls", "Pid": 7, "Ok": true, "Gone": null}}\n'


def line(number: int) -> bytes:
    """One event."""
    return b'{"type": "t", "fields": {"n": %d}}\n' % number


def test_values_become_the_text_that_a_sensor_would_make_of_them() -> None:
    (event,) = decode_events(LINE, "f")
    assert event == Event("process_creation", {"Image": "/bin/ls", "Ok": "true", "Pid": "7"})


def test_a_file_is_cut_into_parts_that_know_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_events, "RECORDED_PART_EVENTS_MAX", 3)
    path, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    path.write_bytes(b"".join(line(number) for number in range(7))[:-1])  # the last line is not closed
    other.write_bytes(line(7))
    parts = read_recordings([path, other])
    assert [(part.events, part.first_line) for part in parts] == [(3, 1), (3, 4), (1, 7), (1, 1)]
    found = [event.fields["n"] for part in parts for event in decode_events(part.data, part.file)]
    assert found == [str(number) for number in range(8)]
    assert parts[1].place(2) == f"{path}:6"
    assert parts[2].place(99) == f"{path}:7"


def test_a_part_ends_also_by_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_events, "RECORDED_PART_BYTES_MAX", 2 * len(line(0)) - 1)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line(number) for number in range(5)))
    assert [part.events for part in read_recordings([path])] == [2, 2, 1]


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "is not JSON"),
    "an empty line": (b"", "is not JSON"),
    "no text": (b'{"type": "\xff", "fields": {}}', "is not JSON"),
    "too deep": (b"[" * 200_000, "is not JSON"),
    "a list": (b"[]", "no object of type and fields"),
    "a field more": (b'{"type": "t", "fields": {}, "more": 1}', "no object of type and fields"),
    "a name twice": (b'{"type": "t", "fields": {"a": 1, "a": 2}}', "a name twice"),
    "no number": (b'{"type": "t", "fields": {"a": NaN}}', "NaN is no number"),
    "no type": (b'{"type": "", "fields": {}}', "has no type"),
    "a long type": (b'{"type": "%s", "fields": {}}' % (b"t" * 65), "has no type"),
    "no fields": (b'{"type": "t", "fields": []}', "has no fields"),
    "a nested value": (b'{"type": "t", "fields": {"a": [1]}}', "neither text nor a number"),
    "a field without a name": (b'{"type": "t", "fields": {"": 1}}', "without a name"),
    "a long value": (b'{"type": "t", "fields": {"a": "%s"}}' % (b"x" * 131_073), "characters allowed"),
    "many fields": (
        b'{"type": "t", "fields": {%s}}' % b", ".join(b'"f%d": 1' % number for number in range(129)),
        "more than the 128",
    ),
    "a long line": (b" " * 1_048_577, "bytes allowed"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_event_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.jsonl"
    bad, why = BAD[name]
    path.write_bytes(LINE * 2 + bad + b"\n" + LINE)
    with pytest.raises(ContentRefused, match=why) as refusal:
        read_recordings([path])
    assert (refusal.value.file, refusal.value.position) == (str(path), "3")


def test_nothing_empty_means_yes(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    with pytest.raises(ContentRefused, match="holds no event"):
        read_recordings([tmp_path / "a.jsonl"])
    with pytest.raises(PathRefused):
        read_recordings([tmp_path / "b.jsonl"])
    assert read_recordings([]) == ()


def test_too_many_events_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_events, "RECORDED_EVENTS_MAX", 3)
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE * 4)
    with pytest.raises(ContentRefused, match="more than the 3 events"):
        read_recordings([path])
