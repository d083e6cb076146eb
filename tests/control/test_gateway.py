"""Hosts at the real server's door: enrolment, batches once and in order, and everything that is refused."""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.control.server_process import (
    EPOCH,
    FACTS,
    Host,
    RunningServer,
    enrol,
    numbered,
    one_shot,
    running_server,
    steered_server,
)

from ringfence.model.limits import (
    ENROLMENT_TOKEN_LIFE_MS,
    ENROLMENTS_REFUSED_PER_ADDRESS_MAX,
    UPLINK_BODY_BYTES_MAX,
    UPLINK_ENROLMENT_BYTES_MAX,
)
from ringfence.model.records import HostEvent, HostEventKind, HostStatus, Lost, SkippedFile
from ringfence.wire import uplink


@pytest.fixture(scope="module")
def token(server: RunningServer) -> str:
    """A token for all hosts of this module."""
    return one_shot(server.state, "--enrolment-token", "--uses", "1000")


@pytest.fixture
def host(server: RunningServer, token: str) -> Host:
    """A host of this test's own."""
    return enrol(server, token)


def _accepted(host: Host, first: int, count: int = 1) -> int:
    answer = host.send(*numbered(first, count))
    assert answer.status_code == 200, answer.text
    return uplink.decode_accepted(answer.content).accepted_through


def _alert_numbers(host: Host) -> list[int]:
    rows = host.server.rows("SELECT number FROM alerts WHERE host_id = ? ORDER BY alert_id", host.host_id)
    return [number for (number,) in rows]


def _gaps(host: Host) -> list[tuple[int, int]]:
    rows = host.server.rows(
        "SELECT first_number, last_number FROM host_gaps WHERE host_id = ? ORDER BY first_number", host.host_id
    )
    return [(first, last) for first, last in rows]


def test_a_host_enrols_and_only_the_hash_of_its_credential_is_kept(server: RunningServer, host: Host) -> None:
    assert server.rows("SELECT host_name FROM hosts WHERE host_id = ?", host.host_id) == [(FACTS.host_name,)]
    for file in (server.database, server.database.with_name("ringfence.db-wal")):
        assert host.credential.encode() not in file.read_bytes()
    assert server.rows("SELECT action FROM audit_log WHERE subject = ?", f"host:{host.host_id}") == [
        ("host:host:enrolled",)
    ]


def test_a_batch_is_stored_and_accepted(host: Host) -> None:
    assert _accepted(host, 1, 3) == 3
    assert _alert_numbers(host) == [1, 2, 3]


def test_a_batch_that_comes_again_changes_nothing(host: Host) -> None:
    assert [_accepted(host, 1, 3), _accepted(host, 1, 3), _accepted(host, 2, 3)] == [3, 3, 4]
    assert _alert_numbers(host) == [1, 2, 3, 4]


def test_numbers_that_are_jumped_over_become_a_gap_and_late_ones_fill_it(host: Host) -> None:
    assert [_accepted(host, 1), _accepted(host, 5, 2)] == [1, 6]
    assert _gaps(host) == [(2, 4)]
    assert _accepted(host, 3) == 6
    assert _gaps(host) == [(2, 2), (4, 4)]
    assert _alert_numbers(host) == [1, 5, 6, 3]


def test_every_kind_of_record_is_stored(server: RunningServer, host: Host) -> None:
    status = HostStatus(1, "enforce", None, ("/srv",), (), ())
    records = [
        *numbered(1),
        *numbered(2, record=SkippedFile(1, "/srv/big", 2**40, "deadline_passed", will_rescan=True)),
        *numbered(3, record=Lost(1, "gate", 7)),
        *numbered(4, record=HostEvent(1, HostEventKind.STARTED, "warden", "")),
        *numbered(5, record=status),
    ]
    assert host.send(*records).status_code == 200
    for statement in (
        "SELECT count(*) FROM alerts WHERE host_id = ?",
        "SELECT count(*) FROM skipped_files WHERE host_id = ?",
        "SELECT count(*) FROM host_losses WHERE host_id = ?",
        "SELECT count(*) FROM host_events WHERE host_id = ?",
        "SELECT count(*) FROM host_status WHERE host_id = ?",
    ):
        assert server.rows(statement, host.host_id) == [(1,)], statement
    assert server.rows("SELECT mode FROM hosts WHERE host_id = ?", host.host_id) == [("enforce",)]


def test_epochs_are_counted_apart(host: Host) -> None:
    assert host.send(*numbered(1, 2)).status_code == 200
    assert host.send(*numbered(1, 2, epoch="00000000000000bb")).status_code == 200
    assert _alert_numbers(host) == [1, 2, 1, 2]
    assert _gaps(host) == []


def test_a_host_that_names_another_is_refused_and_written_down(server: RunningServer, token: str, host: Host) -> None:
    other = enrol(server, token)
    answer = host.send(*numbered(1), host_id=other.host_id)
    assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
    assert _alert_numbers(other) == []
    assert (f"claimed to be {other.host_id}",) in server.rows(
        "SELECT detail FROM audit_log WHERE subject = ?", f"host:{host.host_id}"
    )


def test_a_credential_that_is_not_known_is_refused_before_the_body_is_read(server: RunningServer, host: Host) -> None:
    host.credential = "0" * 64
    answer = host.send(*numbered(1))
    assert (answer.status_code, answer.json()["code"]) == (401, "not-logged-in")


def test_a_revoked_host_is_refused_and_what_it_sent_stays(server: RunningServer, host: Host) -> None:
    assert _accepted(host, 1) == 1
    assert server.person().post(f"/api/v1/hosts/{host.host_id}/revoke", {}).status_code == 204
    assert host.send(*numbered(2)).status_code == 403
    assert _alert_numbers(host) == [1]


@pytest.mark.parametrize("body", [b"", b"{}\n", b"\x00" * 100, b"[" * 100_000, b'{"format":1}\n{"type":"alert"}\n'])
def test_garbage_is_refused(host: Host, body: bytes) -> None:
    answer = host.send_bytes(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "uplink-refused")


def test_a_batch_with_one_bad_record_stores_nothing(host: Host) -> None:
    body = uplink.encode_batch(host.host_id, EPOCH, numbered(1, 3)).replace(b'"number":3', b'"number":0')
    assert host.send_bytes(body).status_code == 400
    assert _alert_numbers(host) == []


def test_a_body_past_the_bound_is_refused_whether_declared_or_not(host: Host) -> None:
    too_much = b"x" * (UPLINK_BODY_BYTES_MAX + 1)
    assert host.send_bytes(too_much).status_code == 413
    pieces = (too_much[at : at + 65_536] for at in range(0, len(too_much), 65_536))
    assert host.client.post(uplink.RECORDS_PATH, content=pieces, headers=host.headers).status_code == 413
    enrolment = host.client.post(uplink.ENROL_PATH, content=b"x" * (UPLINK_ENROLMENT_BYTES_MAX + 1))
    assert enrolment.status_code == 413


def test_another_method_path_or_kind_of_body_is_refused(host: Host) -> None:
    assert host.client.get(uplink.RECORDS_PATH).status_code == 405
    assert host.client.post("/uplink/v2/records").status_code == 404
    headers = host.headers | {"content-type": "application/json"}
    assert host.client.post(uplink.RECORDS_PATH, content=b"", headers=headers).status_code == 415


def _half_sent(host: Host) -> ssl.SSLSocket:
    """A connection on which half a batch has been sent, and taken in."""
    body = uplink.encode_batch(host.host_id, EPOCH, numbered(1, 2))
    where = urlsplit(host.server.address)
    connection = host.server.tls().wrap_socket(
        socket.create_connection((where.hostname or "", where.port or 0)), server_hostname=where.hostname
    )
    head = f"POST {uplink.RECORDS_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in host.headers.items())
    connection.sendall(head.encode() + b"\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 100"), "the server reads the body: the batch has its place"
    connection.sendall(body[: len(body) // 2])
    return connection


def test_a_host_has_one_batch_at_a_time_and_others_go_on(server: RunningServer, token: str, host: Host) -> None:
    connection = _half_sent(host)
    with connection:
        answer = host.send(*numbered(1))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert _accepted(enrol(server, token), 1) == 1


def test_a_batch_that_is_cut_short_stores_nothing_and_frees_its_place(host: Host) -> None:
    with _half_sent(host):
        pass
    answer = host.send(*numbered(7))
    while answer.status_code == 503:
        answer = host.send(*numbered(7))
    assert answer.status_code == 200
    assert _alert_numbers(host) == [7]


def test_a_token_enrols_as_many_hosts_as_it_says(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        token = one_shot(server.state, "--enrolment-token", "--uses", "2")
        assert enrol(server, token).host_id != enrol(server, token).host_id
        request = uplink.encode_enrol_request(uplink.EnrolRequest(token, FACTS))
        answer = server.client().post(uplink.ENROL_PATH, content=request)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")


def test_refused_enrolments_of_one_address_are_limited(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        client = server.client()
        request = uplink.encode_enrol_request(uplink.EnrolRequest("f" * 64, FACTS))
        statuses = [
            client.post(uplink.ENROL_PATH, content=request).status_code
            for _ in range(ENROLMENTS_REFUSED_PER_ADDRESS_MAX + 2)
        ]
        assert statuses == [403] * ENROLMENTS_REFUSED_PER_ADDRESS_MAX + [429, 429]
        refused = server.rows("SELECT count(*) FROM audit_log WHERE action = 'host:enrolment:refused'")
        assert refused == [(ENROLMENTS_REFUSED_PER_ADDRESS_MAX,)]


def test_a_token_expires(tmp_path: Path, clock: Path) -> None:
    with steered_server(tmp_path / "state", clock) as server:
        clock.write_text(str(ENROLMENT_TOKEN_LIFE_MS + 1))
        request = uplink.encode_enrol_request(uplink.EnrolRequest(server.token, FACTS))
        assert server.client().post(uplink.ENROL_PATH, content=request).status_code == 403


@pytest.mark.parametrize(("fault", "stored"), [("die_after_commit", [1, 2]), ("die_before_commit", [])])
def test_a_server_that_dies_around_the_commit_loses_and_repeats_nothing(
    tmp_path: Path, clock: Path, fault: str, stored: list[int]
) -> None:
    state = tmp_path / "state"
    with running_server(state) as healthy:
        host = enrol(healthy)
        healthy.kill()
    with steered_server(state, clock, fault) as dying:
        body = uplink.encode_batch(host.host_id, EPOCH, numbered(1, 2))
        with pytest.raises(Exception, match=r"(?i)disconnect|closed|reset|eof|aborted"):
            dying.client().post(uplink.RECORDS_PATH, content=body, headers=host.headers)
        assert dying.process.wait(60) == -9
    with running_server(state) as again:
        host = Host(again, host.host_id, host.credential, again.client())
        assert _alert_numbers(host) == stored
        assert _accepted(host, 1, 2) == 2
        assert (_alert_numbers(host), _gaps(host)) == ([1, 2], [])
