"""The real courier: its own process, uid and sandbox, real sockets, real disk, a real TLS server on the loopback."""

import dataclasses
import http.server
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires
from tests.unit.wire.detection_examples import FINDINGS, SIGHTING
from tests.unit.wire.record_examples import RULE

from ringfence.control.tls import TlsFiles, prepare_certificates
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.enrolment import enrol_once, facts
from ringfence.host.processes import UID_COURIER
from ringfence.model.errors import CredentialRefused, FrameRefused, PathRefused
from ringfence.model.records import Alert, HostEvent, HostEventKind, HostStatus, Record, ReleaseReference
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue, detections, uplink
from ringfence.wire.frames import encode_frame
from ringfence.wire.host_identity import HostIdentity, decode_identity, encode_identity
from ringfence.wire.rule_table import RuleTable, encode_rule_table
from ringfence.wire.sensor_reports import (
    GateSocket,
    RuleTableNotice,
    SeenRelease,
    SensorEvent,
    StatusReport,
    encode_gate_socket,
    encode_rule_table_notice,
    encode_sensor_event,
    encode_status_report,
)

HOST = "ab" * 16
CREDENTIAL = "cd" * 32
DEADLINE_S = 30


class Server(http.server.ThreadingHTTPServer):
    """Keeps what it is sent.  `status` is what it answers to records."""

    daemon_threads = True

    def __init__(self, files: TlsFiles) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.stored: dict[tuple[str, int], Record] = {}
        self.status = 200
        self.stuck = threading.Event()
        self.news = threading.Condition()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def wait_for(self, count: int) -> list[Record]:
        """The records, in order, once there are `count`."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.stored) >= count, DEADLINE_S), len(self.stored)
            return list(self.stored.values())

    def handle_error(self, request: object, client_address: object) -> None:
        """A courier was killed in the middle: that is the test."""


class Handler(http.server.BaseHTTPRequestHandler):
    """The two paths of the uplink."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == uplink.ENROL_PATH:
            request = uplink.decode_enrol_request(body)
            answer = uplink.encode_enrol_answer(uplink.EnrolAnswer(HOST, CREDENTIAL))
            self.answer(201 if request.token == "good" else 403, answer if request.token == "good" else b"")
            return
        self.server.stuck.wait(0.5 if self.server.status == 0 else 0)
        if self.server.status != 200:
            self.answer(self.server.status or 503, b"no")
            return
        assert self.headers["Authorization"] == f"Bearer {CREDENTIAL}"
        batch = uplink.decode_batch(body)
        with self.server.news:
            for numbered in batch.records:
                self.server.stored.setdefault((batch.epoch, numbered.key.number), numbered.record)
            self.server.news.notify_all()
        self.answer(200, uplink.encode_accepted(uplink.Accepted(batch.records[-1].key.number)))

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Warden:
    """Starts couriers as the warden does, and plays gate and scanner."""

    def __init__(self, directory: Path) -> None:
        self.spool = directory / "host" / "spool"
        self.identity = directory / "host" / "identity.json"
        self.spool.mkdir(parents=True)
        directory.chmod(0o711)
        (directory / "host").chmod(0o711)
        os.chown(self.spool, UID_COURIER, UID_COURIER)
        self.scanner, self.findings = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gate, self.courier_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gate.settimeout(DEADLINE_S)
        self.gate = Channel(gate)
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None

    def start(self) -> Channel:
        ours, theirs = Channel.pair()
        ours.socket.settimeout(DEADLINE_S)
        words = ["--warden-fd", str(theirs.fileno()), "--findings-fd", str(self.findings.fileno())]
        words += ["--spool", str(self.spool), "--identity", str(self.identity)]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-m", "ringfence.programs.courier", *words],
            pass_fds=[theirs.fileno(), self.findings.fileno()],
            env={},
        )
        theirs.close()
        self.channel = ours
        received = ours.receive()
        assert received is not None
        assert received.frame.type == catalogue.READY, received.frame.body
        self.introduce(ours)
        return ours

    def introduce(self, courier: Channel) -> None:
        table = os.memfd_create("rules")
        os.write(table, encode_rule_table(RuleTable(ReleaseReference("starter", 3, "cd" * 32), (RULE,))))
        courier.send(detections.RULE_TABLE, encode_rule_table_notice(RuleTableNotice(5)), (table,))
        os.close(table)
        courier.send(detections.GATE_SOCKET, encode_gate_socket(GateSocket(7)), (self.courier_end.fileno(),))

    def sight(self, number: int, oldest_kept: int = 1) -> None:
        found = dataclasses.replace(SIGHTING, number=number, oldest_kept=oldest_kept)
        self.gate.send(detections.SIGHTING, detections.encode_sighting(found))

    def acknowledged(self) -> int:
        received = self.gate.receive()
        assert received is not None, "no acknowledgement in time"
        assert received.frame.type == detections.SIGHTING_ACK
        return detections.decode_sighting_ack(received.frame.body).accepted_through

    def wait_for_acknowledgement(self, through: int) -> None:
        while self.acknowledged() < through:
            pass

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.channel is not None:
            self.channel.close()


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    found = TlsFiles.below(tmp_path)
    prepare_certificates(found, names=(), now_unix_ms=time.time_ns() // 1_000_000)
    return found


@pytest.fixture
def server(files: TlsFiles) -> Iterator[Server]:
    with Server(files) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield running
        running.stuck.set()
        running.shutdown()


@pytest.fixture
def warden(tmp_path: Path) -> Iterator[Warden]:
    kernel_requires("root", "landlock", "seccomp", "loopback")
    made = Warden(tmp_path / "state")
    yield made
    made.kill()
    for end in (made.scanner, made.findings, made.courier_end):
        end.close()
    made.gate.close()


def enrol(warden: Warden, server: Server, files: TlsFiles, tmp_path: Path, *, good: bool = True) -> HostIdentity:
    (tmp_path / "token").write_text("good\n" if good else "bad\n")
    return enrol_once(warden.identity, server.url, files.ca_certificate, tmp_path / "token")


def alerts(records: list[Record]) -> list[Alert]:
    return [record for record in records if isinstance(record, Alert)]


def test_an_alert_travels_from_the_gate_to_the_server(
    warden: Warden, server: Server, files: TlsFiles, tmp_path: Path
) -> None:
    enrol(warden, server, files, tmp_path)
    courier = warden.start()
    warden.scanner.send(
        encode_frame(detections.FINDINGS, detections.encode_findings(dataclasses.replace(FINDINGS, rules=(0,))))
    )
    warden.sight(1)
    assert warden.acknowledged() == 1
    (found,) = alerts(server.wait_for(1))
    assert found.rules == (RULE,)
    assert found.file.sha256 == bytes(range(32)).hex()
    assert found.release.name == "starter"
    release = SeenRelease(5, b"starter", 1, bytes(32))
    status = StatusReport(9, Mode.ENFORCE, release, (b"/srv",), (), ())
    courier.send(detections.STATUS_REPORT, encode_status_report(status))
    courier.send(detections.SENSOR_EVENT, encode_sensor_event(SensorEvent(9, HostEventKind.STARTED, b"gate", b"\xff")))
    kinds = {type(record) for record in server.wait_for(3)}
    assert kinds == {Alert, HostStatus, HostEvent}


def test_the_courier_holds_nothing(warden: Warden, server: Server, files: TlsFiles, tmp_path: Path) -> None:
    enrol(warden, server, files, tmp_path)
    warden.start()
    warden.sight(1)
    warden.wait_for_acknowledgement(1)
    assert warden.process is not None
    status = Path(f"/proc/{warden.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == [str(UID_COURIER)] * 4
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


def test_nothing_acknowledged_is_lost_when_the_courier_is_killed_again_and_again(
    warden: Warden, server: Server, files: TlsFiles, tmp_path: Path
) -> None:
    enrol(warden, server, files, tmp_path)
    number = 0
    for life in range(4):
        warden.start()
        for _ in range(5):
            number += 1
            warden.sight(number)
        if life % 2:
            warden.wait_for_acknowledgement(number)
        warden.kill()
    warden.start()
    for again in range(1, number + 1):  # what a gate does when it hears nothing
        warden.sight(again)
    warden.wait_for_acknowledgement(number)
    server.wait_for(number)
    warden.sight(number + 1)
    assert len(alerts(server.wait_for(number + 1))) == number + 1


def test_a_server_that_hangs_delays_no_acknowledgement(
    warden: Warden, server: Server, files: TlsFiles, tmp_path: Path
) -> None:
    enrol(warden, server, files, tmp_path)
    server.status = 0
    warden.start()
    for number in range(1, 20):
        warden.sight(number)
        warden.wait_for_acknowledgement(number)
    server.status = 200
    server.stuck.set()
    assert len(alerts(server.wait_for(19))) == 19


def test_without_enrolment_it_keeps_and_later_delivers(
    warden: Warden, server: Server, files: TlsFiles, tmp_path: Path
) -> None:
    warden.start()
    warden.sight(1)
    warden.wait_for_acknowledgement(1)
    enrol(warden, server, files, tmp_path)
    server.wait_for(1)


def test_a_gate_that_breaks_the_protocol_loses_its_channel(warden: Warden) -> None:
    warden.start()
    warden.gate.send(detections.SIGHTING, b"\0" * 40)
    warden.courier_end.close()
    with pytest.raises(ChannelClosed):
        warden.gate.receive()


def test_a_courier_ends_when_its_warden_breaks_the_protocol(warden: Warden) -> None:
    courier = warden.start()
    courier.send(detections.SIGHTING_ACK, bytes(16))
    received = courier.receive()
    assert received is not None
    assert received.frame.type == catalogue.FAILED
    assert received.frame.body.startswith(FrameRefused.code.encode())
    assert warden.process is not None
    assert warden.process.wait(DEADLINE_S) == FrameRefused.exit_status


def test_garbage_on_the_scanners_channel_is_left_out(
    warden: Warden, server: Server, files: TlsFiles, tmp_path: Path
) -> None:
    enrol(warden, server, files, tmp_path)
    warden.start()
    warden.scanner.send(b"garbage")
    warden.scanner.send(encode_frame(detections.FINDINGS, b"\xff" * 100))
    warden.sight(1)
    warden.wait_for_acknowledgement(1)
    server.wait_for(1)


def test_two_couriers_never_share_a_spool(warden: Warden) -> None:
    warden.start()
    warden.sight(1)
    warden.wait_for_acknowledgement(1)
    other = Channel.pair()
    second = subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-m",
            "ringfence.programs.courier",
            *("--warden-fd", str(other[1].fileno()), "--findings-fd", str(warden.findings.fileno())),
            *("--spool", str(warden.spool), "--identity", str(warden.identity)),
        ],
        pass_fds=[other[1].fileno(), warden.findings.fileno()],
        env={},
    )
    other[1].close()
    assert second.wait(DEADLINE_S) == PathRefused.exit_status
    other[0].close()


def test_enrolment_happens_once_and_follows_the_server(
    warden: Warden, server: Server, files: TlsFiles, tmp_path: Path
) -> None:
    with pytest.raises(CredentialRefused):
        enrol(warden, server, files, tmp_path, good=False)
    identity = enrol(warden, server, files, tmp_path)
    assert (identity.host_id, identity.credential) == (HOST, CREDENTIAL)
    assert warden.identity.stat().st_uid == UID_COURIER
    assert warden.identity.stat().st_mode & 0o777 == 0o600
    moved = enrol_once(warden.identity, "https://127.0.0.1:1", files.ca_certificate, tmp_path / "no token is needed")
    assert moved == dataclasses.replace(identity, server="https://127.0.0.1:1")
    assert decode_identity(encode_identity(moved)) == moved


def test_a_server_of_another_ca_is_not_trusted(warden: Warden, server: Server, tmp_path: Path, files: TlsFiles) -> None:
    (tmp_path / "other").mkdir()
    other = TlsFiles.below(tmp_path / "other")
    prepare_certificates(other, names=(), now_unix_ms=time.time_ns() // 1_000_000)
    (tmp_path / "token").write_text("good")
    with pytest.raises(CredentialRefused, match="certificate verify failed"):
        enrol_once(warden.identity, server.url, other.ca_certificate, tmp_path / "token")


def test_facts_fit_the_uplink() -> None:
    request = uplink.EnrolRequest("t", facts())
    assert uplink.decode_enrol_request(uplink.encode_enrol_request(request)) == request
