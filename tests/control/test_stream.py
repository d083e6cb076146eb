"""The live stream of the real server: alerts as they arrive, what was missed, and who may watch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.control.server_process import Host, Person, RunningServer, enrol, numbered, running_server

from ringfence.model.limits import STREAM_RESUME_EVENTS_MAX
from ringfence.model.records import HostEvent, HostEventKind

PATH = "/events/alerts"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of this test's own."""
    with running_server(tmp_path / "state") as running:
        yield running


@pytest.fixture
def person(server: RunningServer) -> Person:
    """Somebody who watches."""
    return server.person()


@pytest.fixture
def host(server: RunningServer) -> Host:
    """A host that sends."""
    return enrol(server)


@contextmanager
def _watching(person: Person, **headers: str) -> Iterator[Iterator[dict[str, str]]]:
    """The stream's events, as dictionaries of their fields; open when the block begins."""
    with person.client.stream("GET", PATH, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = _events(answer)
        assert next(events) == {"retry": "2000"}
        yield events


def _events(answer: httpx.Response) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line == "" and fields:
            yield fields
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def _data(event: dict[str, str]) -> Any:  # noqa: ANN401  # JSON of several shapes
    return json.loads(event["data"])


def test_an_alert_arrives_live_and_so_does_its_triage(person: Person, host: Host) -> None:
    with _watching(person) as events:
        host.send(*numbered(1))
        event = next(events)
        assert (event["event"], _data(event)["path"]) == ("alert", "/srv/upload/1.sh")
        alert_id = int(event["id"])
        person.post(f"/api/v1/alerts/{alert_id}/resolve", {"expected_version": 1})
        event = next(events)
        assert (event["event"], _data(event)["state"], "id" in event) == ("triaged", "resolved", False)


def test_news_of_a_sensor_arrive(person: Person, host: Host) -> None:
    with _watching(person) as events:
        host.send(*numbered(1, record=HostEvent(1, HostEventKind.GATE_REPLACED, "gate", "")))
        event = next(events)
        assert (event["event"], _data(event)) == ("host", {"host_id": host.host_id})


def test_a_watcher_who_comes_back_gets_what_was_missed_in_order(person: Person, host: Host) -> None:
    host.send(*numbered(1, 5))
    with _watching(person, **{"last-event-id": "2"}) as events:
        assert [next(events)["id"] for _ in range(3)] == ["3", "4", "5"]
        host.send(*numbered(6))
        assert next(events)["id"] == "6"


def test_a_watcher_who_missed_too_much_is_told_to_reload(person: Person, host: Host) -> None:
    host.send(*numbered(1, STREAM_RESUME_EVENTS_MAX + 5))
    with _watching(person, **{"last-event-id": "0"}) as events:
        event = next(events)
        assert (event["event"], event["id"]) == ("reload", str(STREAM_RESUME_EVENTS_MAX + 5))


@pytest.mark.parametrize("last", ["-1", "x", "9" * 40, "+1"])
def test_a_senseless_last_number_starts_at_the_newest(person: Person, host: Host, last: str) -> None:
    host.send(*numbered(1, 2))
    with _watching(person, **{"last-event-id": last}) as events:
        host.send(*numbered(3))
        assert next(events)["id"] == "3"


def test_the_end_of_the_server_ends_the_stream_and_the_exit_is_clean(server: RunningServer, person: Person) -> None:
    with _watching(person) as events:
        server.process.terminate()
        assert list(events) == []
    assert server.process.wait(60) == 0
