"""The courier: takes sightings, findings, status and events off the other processes and delivers them to the server.

Untrusted transport with a spool of its own; no privilege, no other file.  One loop reads frames and keeps the spool,
one thread talks to the server, one fetches signed content for an updater: whatever happens there, a gate waits for the
disk only.

Each turn, in this order: what gates have sent is read; *then* the findings that are there (a scanner sends its findings
before its verdict, so those of the sightings just read have come); then findings are fed before sightings, everything
is stored with one sync, and the gates are told.
"""

import contextlib
import encodings.idna  # noqa: F401 - a host's name is resolved after lock-down, when nothing can be imported
import fcntl
import os
import random
import secrets
import selectors
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Final

from ringfence.decide.courier import accepts, wake_at_ms
from ringfence.decide.courier_messages import (
    EventArrived,
    FindingsArrived,
    Now,
    SightingArrived,
    StatusArrived,
    TableArrived,
    TurnEnded,
)
from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.host.child import Arguments, run_child
from ringfence.host.content_seat import ContentSeat
from ringfence.host.courier_shell import CourierShell
from ringfence.host.durable import Directory
from ringfence.host.spool import Spool, SpoolBatch
from ringfence.host.uplink_sender import UplinkSender
from ringfence.model import limits
from ringfence.model.errors import ContentRefused, DiskFull, FrameRefused, PathRefused
from ringfence.wire import catalogue, detections
from ringfence.wire.frames import WAY_OUT
from ringfence.wire.rule_table import decode_rule_table
from ringfence.wire.sensor_reports import (
    decode_gate_socket,
    decode_rule_table_notice,
    decode_sensor_event,
    decode_status_report,
)

_NAME_SERVICE: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf")
"""What the resolver reads when the server is given by name."""

_WITH_DESCRIPTOR: Final = (detections.GATE_SOCKET, detections.RULE_TABLE, catalogue.UPDATER_SOCKET)
"""Frames of the warden that carry one."""

_LOCK_NAME: Final = "lock"


class Courier:
    """The loop."""

    def __init__(
        self, warden: Channel, findings: Channel, spool: Spool, sender: UplinkSender, content: ContentSeat
    ) -> None:
        self._warden = warden
        self._findings = findings
        self._spool = spool
        self._sender = sender
        self._content = content
        self._gates: dict[int, Channel] = {}
        self._listening: set[int] = set()
        self._sent_at_ms: int | None = None
        self._selector = selectors.DefaultSelector()
        for readable in (warden, findings, sender.wake):
            self._selector.register(readable, selectors.EVENT_READ)
        self._shell = CourierShell(
            spool,
            acknowledge=self._acknowledge,
            send=self._send,
            clock=now,
            jitter_permille=lambda: random.randrange(1_000),  # noqa: S311 - spreads load, guards nothing
        )

    def run(self) -> None:
        """Until the warden is gone."""
        while True:
            self._selector.select(self._wait_s())
            self._hear_warden()
            sightings = self._read_gates()
            for found in self._read_findings():
                self._shell.feed(FindingsArrived(found))
            for sighting in sightings:
                self._shell.feed(SightingArrived(sighting))
            if (outcome := self._sender.outcome()) is not None:
                self._sent_at_ms = None
                self._shell.sent(outcome)
            self._shell.feed(TurnEnded())
            self._listen_or_not()
            self._end_what_takes_too_long()

    def _wait_s(self) -> float | None:
        """Until something is due; None: nothing is."""
        due = [] if self._sent_at_ms is None else [self._sent_at_ms + limits.UPLINK_EXCHANGE_MS]
        if (wake := wake_at_ms(self._shell.state)) is not None:
            due.append(wake)
        return max(0, min(due) - now().monotonic_ms) / 1_000 if due else None

    def _hear_warden(self) -> None:
        while (received := self._warden.receive(wait=False)) is not None:
            body, number = received.frame.body, received.frame.type
            descriptors = list(received.descriptors)
            expected = 1 if number in _WITH_DESCRIPTOR else 0
            if len(descriptors) != expected:
                raise FrameRefused(f"a frame of type {number} carries {len(descriptors)} descriptors", WAY_OUT)
            match number:
                case detections.STATUS_REPORT:
                    self._shell.feed(StatusArrived(decode_status_report(body)))
                case catalogue.COUNT_SPOOL:
                    counts = catalogue.SPOOL_COUNTS_BODY.pack(self._spool.size_bytes, self._spool.waiting_records)
                    self._warden.try_send(catalogue.SPOOL_COUNTS, counts)
                case detections.SENSOR_EVENT:
                    self._shell.feed(EventArrived(decode_sensor_event(body)))
                case catalogue.UPDATER_SOCKET:
                    self._content.serve(descriptors[0])
                case detections.GATE_SOCKET:
                    self._add_gate(decode_gate_socket(body).gate_id, descriptors[0])
                case detections.RULE_TABLE:
                    self._read_table(decode_rule_table_notice(body).release_index, descriptors[0])
                case _:
                    raise FrameRefused(f"the warden sent a frame of type {number} to the courier", WAY_OUT)

    def _add_gate(self, gate_id: int, descriptor: int) -> None:
        if gate_id in self._gates:
            self._drop_gate(gate_id)
        self._gates[gate_id] = Channel.adopt(descriptor)

    def _drop_gate(self, gate_id: int) -> None:
        channel = self._gates.pop(gate_id)
        if gate_id in self._listening:
            self._listening.remove(gate_id)
            self._selector.unregister(channel)
        channel.close()

    def _read_table(self, release_index: int, descriptor: int) -> None:
        """Take a rule table.  One that is refused is left out: alerts then name rules by their numbers."""
        try:
            size_bytes = os.fstat(descriptor).st_size
            if size_bytes <= limits.RULE_TABLE_BYTES_MAX:
                table = decode_rule_table(os.pread(descriptor, size_bytes, 0))
                self._shell.feed(TableArrived(release_index, table))
        except ContentRefused:
            return
        finally:
            os.close(descriptor)

    def _read_gates(self) -> list[detections.Sighting]:
        """What gates have sent, bounded.  A gate that breaks the protocol loses its channel."""
        found: list[detections.Sighting] = []
        room = limits.COURIER_BATCH_FRAMES_MAX if accepts(self._shell.state) else 0
        for gate_id, channel in tuple(self._gates.items()):
            try:
                while room and (received := channel.receive(wait=False)) is not None:
                    found.append(_sighting(received, gate_id))
                    room -= 1
            except (ChannelClosed, FrameRefused):
                self._drop_gate(gate_id)
        return found

    def _read_findings(self) -> list[detections.Findings]:
        """The findings that are there.  Scanners share the channel: a bad frame is left out, it names nobody."""
        found: list[detections.Findings] = []
        for _ in range(limits.COURIER_FINDINGS_MAX):
            with contextlib.suppress(FrameRefused):
                received = self._findings.receive(wait=False)
                if received is None:
                    break
                _close(received)
                if received.frame.type == detections.FINDINGS:
                    found.append(detections.decode_findings(received.frame.body))
        return found

    def _listen_or_not(self) -> None:
        """Wait for gates only while sightings are taken; a full socket then slows nobody but itself."""
        wanted = set(self._gates) if accepts(self._shell.state) else set()
        for gate_id in self._listening - wanted:
            self._selector.unregister(self._gates[gate_id])
        for gate_id in wanted - self._listening:
            self._selector.register(self._gates[gate_id], selectors.EVENT_READ)
        self._listening = wanted

    def _acknowledge(self, gate_id: int, through: int) -> None:
        """Tell a gate.  One that does not read, or is gone, asks again or needs it no more."""
        channel = self._gates.get(gate_id)
        if channel is not None:
            body = detections.encode_sighting_ack(detections.SightingAck(gate_id, through))
            with contextlib.suppress(ChannelClosed):
                channel.try_send(detections.SIGHTING_ACK, body)

    def _send(self, batch: SpoolBatch) -> None:
        self._sent_at_ms = now().monotonic_ms
        self._sender.send(batch)

    def _end_what_takes_too_long(self) -> None:
        if self._sent_at_ms is not None and now().monotonic_ms >= self._sent_at_ms + limits.UPLINK_EXCHANGE_MS:
            self._sender.abort()
            self._sent_at_ms = now().monotonic_ms  # again, should the thread be between two waits


def main(arguments: Arguments, warden: Channel) -> None:
    """Take the courier's work up and never return."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    findings = Channel.adopt(arguments.number("findings-fd"))
    spool_path, identity = _below(Path(arguments.one("spool")), Path(arguments.one("identity")))
    _warm_up()
    readable = (".", *(name for name in _NAME_SERVICE if Path(name).exists()))
    sandbox.enter(processes.courier(str(spool_path), readable))
    warden.send(catalogue.READY, catalogue.READY_PLAINLY)
    lock = _lock(spool_path)
    sender, content = UplinkSender(identity), ContentSeat(identity)
    sender.start()
    content.start()
    Courier(warden, findings, _open_spool(spool_path, warden), sender, content).run()
    os.close(lock)


def now() -> Now:
    """The moment."""
    return Now(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


def _below(spool: Path, identity: Path) -> tuple[Path, Path]:
    """Both paths from the directory that is now the working one: whoever we become may not pass those above it."""
    os.chdir(identity.parent)
    return Path(os.path.relpath(spool, identity.parent)), Path(identity.name)


def _warm_up() -> None:
    """Load what is loaded lazily while there still are files to load from."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(OSError):
        socket.getaddrinfo("localhost", 443)


def _lock(spool: Path) -> int:
    """Hold the spool alone.  Raises PathRefused when another courier does."""
    descriptor = os.open(spool / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PathRefused(f"{spool} is used by another courier", "stop the other sensor first") from error
    return descriptor


def _open_spool(path: Path, warden: Channel) -> Spool:
    """The spool, as soon as the disk has room for a segment.  Raises ChannelClosed when the warden goes first."""
    storage = Directory(path)
    while True:
        try:
            return Spool(storage, lambda: secrets.token_hex(8), now().unix_ms)
        except DiskFull:
            if _hung_up(warden, limits.COURIER_APPEND_RETRY_MS):
                raise ChannelClosed from None


def _hung_up(warden: Channel, wait_ms: int) -> bool:
    """Wait; whether the warden has gone meanwhile.  Its frames stay where they are."""
    time.sleep(wait_ms / 1_000)
    try:
        return warden.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


def _sighting(received: Received, gate_id: int) -> detections.Sighting:
    """The sighting in a gate's frame.  Raises FrameRefused, also when it speaks for another gate."""
    _close(received)
    if received.frame.type != detections.SIGHTING:
        raise FrameRefused(f"a gate sent a frame of type {received.frame.type}", WAY_OUT)
    sighting = detections.decode_sighting(received.frame.body)
    if sighting.gate_id != gate_id:
        raise FrameRefused("a gate speaks for another", WAY_OUT)
    return sighting


def _close(received: Received) -> None:
    for descriptor in received.descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    run_child(main)
