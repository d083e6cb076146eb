"""The API of the real server: its schema, filters, pages, triage, and how it refuses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.control.server_process import ROOT, Host, Person, RunningServer, enrol, numbered, one_shot

ALERTS = "/api/v1/alerts"


@pytest.fixture(scope="module")
def host(server: RunningServer) -> Host:
    """A host with 25 alerts."""
    host = enrol(server)
    assert host.send(*numbered(1, 25)).status_code == 200
    return host


@pytest.fixture(scope="module")
def person(server: RunningServer, host: Host) -> Person:
    """An administrator who looks at them."""
    return server.person()


def _get(person: Person, path: str, **values: str | int) -> Any:  # noqa: ANN401  # JSON of many shapes
    answer = person.client.get(path, params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _newest(person: Person) -> dict[str, Any]:
    row = _get(person, ALERTS, limit=1)["rows"][0]
    assert isinstance(row, dict)
    return row


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inside in value.items():
            if key == "$ref":
                yield inside
            else:
                yield from _references(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _references(inside)


def test_the_schema_is_whole(person: Person) -> None:
    schema = _get(person, "/api/v1/openapi.json")
    assert schema["openapi"].startswith("3.1")
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and "default" in operation["responses"] for operation in operations)
    assert all(operation["security"] for operation in operations)
    for reference in _references(schema):
        place = schema
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_the_guide_names_every_call(person: Person) -> None:
    guide = (ROOT / "docs" / "api.md").read_text()
    paths = _get(person, "/api/v1/openapi.json")["paths"]
    calls = {f"`{method.upper()} {path}`" for path, methods in paths.items() for method in methods}
    assert {call for call in calls if call not in guide} == set()


def test_pages_hold_every_alert_once_newest_first(person: Person) -> None:
    seen: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = _get(person, ALERTS, limit=10, **before)
        seen += [row["alert_id"] for row in page["rows"]]
        if page["next_before"] is None:
            break
        before = {"before": page["next_before"]}
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == page["total"] == 25


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("severity", "high", 25), ("severity", "low", 0), ("response", "blocked", 25), ("source", "open", 0),
        ("state", "resolved", 0), ("rule", "EICAR_Test_File", 25), ("rule", "other", 0), ("release", "starter@3", 25),
        ("release", "starter", 25), ("release", "starter@4", 0), ("search", "UPLOAD/7.sh", 1),
        ("search", "eicar web-1", 25),
        ("search", "eicar nowhere", 0), ("search", "100%", 0), ("search", "_", 25), ("sha256", "ab" * 32, 25),
        ("host_id", "0" * 32, 0), ("assignee", "nobody", 0), ("since_unix_ms", "1", 25), ("until_unix_ms", "1", 0),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_names(person: Person, name: str, value: str, count: int) -> None:
    assert _get(person, ALERTS, **{name: value})["total"] == count


def test_an_alert_is_given_whole(person: Person) -> None:
    detail = _get(person, f"{ALERTS}/{_newest(person)['alert_id']}")
    assert detail["record"]["rules"][0]["author"] == "Ringfence"
    assert detail["record"]["matches"][0]["offset_bytes"] == 0
    assert detail["record"]["ancestors"][0]["executable"] == "/bin/bash"
    assert detail["same_file_count"] == 24


def test_triage_is_recorded_and_refuses_the_slower_of_two(person: Person) -> None:
    alert = _newest(person)
    path = f"{ALERTS}/{alert['alert_id']}"
    version = alert["triage_version"]
    assigned = person.post(f"{path}/assign", {"expected_version": version, "assignee": "admin"})
    assert assigned.json() == {"triage_version": version + 1}
    late = person.post(f"{path}/resolve", {"expected_version": version, "text": "gone"})
    assert (late.status_code, late.json()["code"]) == (409, "triage-stale")
    steps = (("resolve", "resolved"), ("reopen", "open"), ("false-positive", "false_positive"))
    for step, (verb, state) in enumerate(steps, start=version + 1):
        answer = person.post(f"{path}/{verb}", {"expected_version": step, "text": f"because {verb}"})
        assert answer.json() == {"triage_version": step + 1}
        assert _get(person, path)["row"]["state"] == state
    detail = _get(person, path)
    assert [note["text"] for note in detail["notes"]] == ["because resolve", "because reopen", "because false-positive"]
    assert [entry["action"] for entry in detail["history"]] == [
        "user:alert:false_positive", "user:alert:reopened", "user:alert:resolved", "user:alert:assigned",
    ]  # fmt: skip
    assert {entry["actor"] for entry in detail["history"]} == {"user:admin"}
    assert all(entry["address"] == "127.0.0.1" for entry in detail["history"])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{ALERTS}/999999", 404, "not-found"), (f"{ALERTS}/0", 422, "request-invalid"),
        (f"{ALERTS}/{2**64}", 422, "request-invalid"), (f"{ALERTS}?limit=0", 422, "request-invalid"),
        (f"{ALERTS}?limit=201", 422, "request-invalid"), (f"{ALERTS}?before=x", 422, "request-invalid"),
        (f"{ALERTS}?severity=worst", 422, "request-invalid"), (f"{ALERTS}?search={'x' * 201}", 422, "request-invalid"),
        (f"{ALERTS}?search={'x+' * 9}", 400, "request-refused"), ("/api/v1/hosts/zz", 422, "request-invalid"),
        (f"/api/v1/hosts/{'0' * 32}", 404, "not-found"), ("/api/v1/nothing", 404, "http"),
        (f"{ALERTS}/series?since_unix_ms=5&until_unix_ms=5", 400, "request-refused"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_problem_with_a_way_out(person: Person, path: str, status: int, code: str) -> None:
    answer = person.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["way_out"]


@pytest.mark.parametrize(
    "body",
    [{}, {"expected_version": "1"}, {"expected_version": 1, "text": "x" * 4_001}, {"expected_version": 1, "x": 1}],
)
def test_a_change_is_read_strictly(person: Person, body: dict[str, object]) -> None:
    assert person.post(f"{ALERTS}/1/resolve", body).status_code == 422


def test_a_body_past_the_bound_is_refused(person: Person) -> None:
    assert person.post(f"{ALERTS}/1/notes", {"text": "x" * 70_000}).status_code == 413
    pieces = (b" " * 10_000 for _ in range(20))
    token = {"x-ringfence-form-token": person.form_token}
    assert person.client.post(f"{ALERTS}/1/notes", content=pieces, headers=token).status_code >= 400


def test_nobody_sees_anything_without_a_session_or_token(server: RunningServer, person: Person) -> None:
    stranger = server.client()
    for path in _get(person, "/api/v1/openapi.json")["paths"]:
        answer = stranger.get(path.replace("{alert_id}", "1").replace("{host_id}", "0" * 32).replace("{counter}", "x"))
        assert answer.status_code in (401, 405), path
    assert stranger.get("/metrics").status_code == 401
    assert stranger.get("/events/alerts").status_code == 401


def test_an_api_token_acts_as_its_user_without_a_form_token(server: RunningServer, person: Person) -> None:
    client = server.client(authorization=f"Bearer {one_shot(server.state, '--api-token', 'admin')}")
    alert = _newest(person)
    path = f"{ALERTS}/{alert['alert_id']}/notes"
    assert client.post(path, json={"text": "by a program"}).status_code == 201
    assert _get(person, f"{ALERTS}/{alert['alert_id']}")["history"][0]["actor"] == "token:admin"
    assert server.client(authorization="Bearer wrong").get(ALERTS).status_code == 401


def test_hosts_and_their_detail(person: Person, host: Host) -> None:
    page = _get(person, "/api/v1/hosts", search="WEB")
    assert [row["host_id"] for row in page["rows"]] == [host.host_id]
    detail = _get(person, f"/api/v1/hosts/{host.host_id}")
    assert (detail["row"]["open_alerts"] <= 25, len(detail["alerts"]), detail["status"]) == (True, 25, None)


def test_the_overview_and_the_series_count_the_same(person: Person) -> None:
    overview = _get(person, "/api/v1/overview")
    newest = max(row["received_at_unix_ms"] for row in _get(person, ALERTS)["rows"])
    series = _get(person, f"{ALERTS}/series", since_unix_ms=newest - 60_000, until_unix_ms=newest + 1, buckets=6)
    assert len(series) == 6
    assert sum(sum(bucket["by_severity"].values()) for bucket in series) == overview["alerts_last_day"] == 25


def test_metrics_name_the_host_and_its_alerts(server: RunningServer, person: Person, host: Host) -> None:
    text = person.client.get("/metrics").text
    assert "ringfence_records_stored_total 25.0" in text
    assert f'ringfence_host_open_alerts{{host="web-1",host_id="{host.host_id}"}}' in text


def test_the_audit_log_pages_and_filters(person: Person) -> None:
    page = _get(person, "/api/v1/audit", action="user:session:", limit=1)
    assert [row["action"] for row in page["rows"]] == ["user:session:opened"]
    assert "$argon2" not in json.dumps(_get(person, "/api/v1/audit", limit=200))
