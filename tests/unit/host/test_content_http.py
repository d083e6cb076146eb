"""Fetching by HTTP from servers that lie, stall and never end."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from ringfence.host.content_http import ContentHttp, NotFetched, NotServed, whole_wait_s
from ringfence.model import limits

Answer = Callable[[socket.socket], None]


@contextmanager
def _server(*answers: Answer) -> Iterator[str]:
    """A server that gives one connection after the other to `answers`; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    end = listener.accept()[0]
                except OSError:
                    return  # the test has ended before it asked so often
                with end, suppress(OSError):
                    _request(end)
                    answer(end)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _request(end: socket.socket) -> bytes:
    seen = b""
    while b"\r\n\r\n" not in seen and (more := end.recv(4096)):
        seen += more
    return seen


def _plain(body: bytes, head: str = "") -> Answer:
    return lambda end: end.sendall(
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{head}\r\n".encode() + body
    )


def _fetch(server: str, bytes_max: int = 1_000) -> bytes:
    return b"".join(ContentHttp(server, None).get("/repository/metadata/timestamp.json", bytes_max))


def test_a_file_comes_in_pieces_within_a_frame() -> None:
    body = bytes(range(256)) * 1_000
    with _server(_plain(body)) as server:
        pieces = list(ContentHttp(server, None).get("/x", len(body)))
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= limits.FETCH_PIECE_BYTES < limits.FRAME_BODY_BYTES_MAX


@pytest.mark.parametrize("status", [204, 301, 403, 404, 500])
def test_another_status_is_said_and_no_redirect_followed(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with _server(lambda end: end.sendall(head.encode())) as server, pytest.raises(NotServed) as refused:
        _fetch(server)
    assert refused.value.status == status


def test_a_length_over_the_bound_is_refused_before_a_byte_is_read() -> None:
    with _server(_plain(bytes(1_001))) as server, pytest.raises(NotFetched, match="1001 bytes where 1000"):
        _fetch(server)


def test_a_body_without_end_is_cut_at_the_bound() -> None:
    def endless(end: socket.socket) -> None:
        end.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            end.sendall(bytes(4_096))

    with _server(endless) as server, pytest.raises(NotFetched, match="more than the 1000 bytes"):
        _fetch(server)


def test_chunks_without_end_are_cut_at_the_bound() -> None:
    def endless(end: socket.socket) -> None:
        end.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            end.sendall(b"400\r\n" + bytes(0x400) + b"\r\n")

    with _server(endless) as server, pytest.raises(NotFetched, match="more than the 1000 bytes"):
        _fetch(server)


def test_a_body_that_is_cut_short_is_not_a_whole_one() -> None:
    def short(end: socket.socket) -> None:
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    with _server(short) as server, pytest.raises(NotFetched):
        _fetch(server)


@pytest.mark.parametrize("head", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n"])
def test_what_is_no_answer_is_said(head: bytes) -> None:
    with _server(lambda end: end.sendall(head), lambda end: end.sendall(head)) as server, pytest.raises(NotFetched):
        _fetch(server)


def test_an_exchange_is_ended_from_another_thread_whatever_it_waits_for() -> None:
    """A server that says its head byte by byte, for ever."""
    begun, over = threading.Event(), threading.Event()

    def drip(end: socket.socket) -> None:
        end.sendall(b"HTTP/1.1 200 OK\r\nx-")
        begun.set()
        over.wait()

    with _server(drip) as server:
        client = ContentHttp(server, None)
        failed: list[Exception] = []

        def fetch() -> None:
            try:
                list(client.get("/x", 10))
            except NotFetched as error:
                failed.append(error)

        thread = threading.Thread(target=fetch, daemon=True)
        thread.start()
        begun.wait()
        client.abort()
        thread.join()
        over.set()
    assert len(failed) == 1


def test_a_kept_connection_that_ended_is_opened_anew() -> None:
    def kept(end: socket.socket) -> None:
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with _server(kept, kept) as server:
        client = ContentHttp(server, None)
        assert [b"".join(client.get("/x", 10)) for _ in range(2)] == [b"ok", b"ok"]
        client.close()


def test_the_time_for_a_file_grows_with_its_length() -> None:
    assert whole_wait_s(0) == limits.FETCH_WHOLE_S
    assert whole_wait_s(limits.RELEASE_BYTES_MAX) == limits.FETCH_WHOLE_S + 64 * limits.FETCH_SECONDS_PER_MIB


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(NotFetched):
        _fetch(address)
