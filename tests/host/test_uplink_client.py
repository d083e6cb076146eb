"""The host's HTTPS client against servers that hang, lie, talk too much or close: bounded, and never trusting."""

import contextlib
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ringfence.control.tls import TlsFiles, prepare_certificates
from ringfence.decide.courier_messages import Failure
from ringfence.host import uplink_client
from ringfence.host.spool import SpoolBatch
from ringfence.host.uplink_client import Unreachable, UplinkClient
from ringfence.host.uplink_sender import UplinkSender
from ringfence.model import limits
from ringfence.model.errors import CredentialRefused, UplinkRefused
from ringfence.model.records import Lost
from ringfence.wire.host_identity import HostIdentity, encode_identity
from ringfence.wire.uplink import encode_record

HOST = "ab" * 16
BATCH = SpoolBatch("00000000000000aa", 1, 1, (encode_record(1, Lost(1, "gate", 1)),))
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + b'{"accepted_through":1}'
WAIT_S = 20


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    found = TlsFiles.below(tmp_path)
    prepare_certificates(found, names=(), now_unix_ms=time.time_ns() // 1_000_000)
    return found


@contextmanager
def serving(
    files: TlsFiles, *answers: bytes | Callable[[ssl.SSLSocket], None], address: str = "127.0.0.1"
) -> Iterator[HostIdentity]:
    """A server that gives one answer to each connection, and the identity of a host that knows it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    listener = socket.create_server((address, 0))
    listener.settimeout(WAIT_S)

    def serve() -> None:
        for answer in answers:
            raw, _ = listener.accept()
            with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
                connection.settimeout(WAIT_S)
                _read_request(connection)
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    der = ssl.PEM_cert_to_DER_cert(files.ca_certificate.read_text())
    yield HostIdentity(HOST, f"https://{address}:{listener.getsockname()[1]}", der, "cd" * 32)
    thread.join(WAIT_S)
    listener.close()


def _read_request(connection: ssl.SSLSocket) -> None:
    """Read one request to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
    while len(body) < length:
        body += connection.recv(65_536)


def send(identity: HostIdentity) -> int:
    client = UplinkClient(identity.server, identity.ca_der)
    try:
        return client.send(identity, b"body")
    finally:
        client.close()


def test_an_answer_says_how_far_the_server_is(files: TlsFiles) -> None:
    with serving(files, GOOD) as identity:
        assert send(identity) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", CredentialRefused),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", CredentialRefused),
        (b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", UplinkRefused),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", Unreachable),
        (b"HTTP/1.1 302 No\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Unreachable),
        (GOOD.replace(b"1}", b"x}"), Unreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", Unreachable),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (limits.UPLINK_ANSWER_BYTES_MAX + 9), Unreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 99_999, Unreachable),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1_000 + b"\r\n", Unreachable),
        (b"\x00\xff" * 100, Unreachable),
        (b"", Unreachable),
    ],
)
def test_every_other_answer_has_its_error(files: TlsFiles, answer: bytes, error: type[Exception]) -> None:
    with serving(files, answer) as identity, pytest.raises(error):
        send(identity)


def test_a_kept_connection_that_the_server_closed_is_opened_anew(files: TlsFiles) -> None:
    with serving(files, GOOD, GOOD) as identity:
        client = UplinkClient(identity.server, identity.ca_der)
        assert client.send(identity, b"one") == 1
        assert client.send(identity, b"two") == 1
        client.close()


def test_a_server_that_is_not_there_is_unreachable(files: TlsFiles) -> None:
    der = ssl.PEM_cert_to_DER_cert(files.ca_certificate.read_text())
    with pytest.raises(Unreachable):
        send(HostIdentity(HOST, "https://127.0.0.1:1", der, "cd" * 32))


def test_a_certificate_for_another_name_is_not_trusted(files: TlsFiles) -> None:
    with (
        serving(files, GOOD, address="127.0.0.2") as identity,
        pytest.raises(Unreachable, match="certificate verify failed"),
    ):
        send(identity)


def test_a_silent_server_is_given_up(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UPLINK_TIMEOUT_S", 0.2)
    silent = threading.Event()

    def keep_silent(_: ssl.SSLSocket) -> None:
        silent.wait(WAIT_S)

    with serving(files, keep_silent) as identity:
        with pytest.raises(Unreachable):
            send(identity)
        silent.set()


def test_an_exchange_can_be_ended_from_another_thread(files: TlsFiles) -> None:
    reached, done = threading.Event(), threading.Event()

    def hang(_: ssl.SSLSocket) -> None:
        reached.set()
        done.wait(WAIT_S)

    with serving(files, hang) as identity:
        client = UplinkClient(identity.server, identity.ca_der)

        def end() -> None:
            reached.wait(WAIT_S)
            client.abort()

        threading.Thread(target=end, daemon=True).start()
        with pytest.raises(Unreachable):
            client.send(identity, b"body")
        done.set()
        client.close()


def test_a_sender_tells_each_outcome_once_and_finds_an_identity_that_comes_later(
    files: TlsFiles, tmp_path: Path
) -> None:
    file = tmp_path / "identity.json"
    sender = UplinkSender(file)
    sender.start()
    sender.send(BATCH)
    assert _outcome(sender) is Failure.NOT_ENROLLED
    file.write_bytes(b"damaged")
    sender.send(BATCH)
    assert _outcome(sender) is Failure.UNREACHABLE
    refused = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
    with serving(files, refused, GOOD) as identity:
        file.write_bytes(encode_identity(identity))
        sender.send(BATCH)
        assert _outcome(sender) is Failure.CREDENTIAL
        sender.send(BATCH)
        assert _outcome(sender) is None
    assert sender.outcome() is None


def _outcome(sender: UplinkSender) -> Failure | None:
    """Wait for the outcome."""
    assert select.select([sender.wake], [], [], WAIT_S)[0]
    outcome = sender.outcome()
    assert outcome is not None
    return outcome.failure


def test_only_the_pinned_ca_is_trusted(files: TlsFiles) -> None:
    der = ssl.PEM_cert_to_DER_cert(files.ca_certificate.read_text())
    context = uplink_client.pinned_context(der)
    assert [found["subject"] for found in context.get_ca_certs()]
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
