"""The courier's second thread: files of the repository for whoever asked last, nothing for whoever breaks the rules."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.content_http import ContentHttp
from ringfence.host.content_seat import REPOSITORY_PATH, ContentSeat
from ringfence.wire import catalogue
from ringfence.wire.update_frames import Fetch, decode_fetched, encode_fetch

BODY = bytes(range(256)) * 500


class Handler(http.server.BaseHTTPRequestHandler):
    """One file, and one that never comes."""

    protocol_version = "HTTP/1.1"
    stuck = threading.Event()
    over = threading.Event()

    def do_GET(self) -> None:
        if self.path == f"{REPOSITORY_PATH}metadata/stuck.json":
            Handler.stuck.set()
            Handler.over.wait(60)
            return
        found = self.path == f"{REPOSITORY_PATH}metadata/1.root.json"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(BODY) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def address() -> Iterator[str]:
    Handler.stuck.clear()
    Handler.over.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Handler.over.set()
        server.shutdown()
        thread.join()


def _seat(address: str) -> ContentSeat:
    seat = ContentSeat(Path(os.devnull), lambda _: ContentHttp(address, None))
    seat.start()
    return seat


def _updater(seat: ContentSeat) -> Channel:
    ours, theirs = Channel.pair()
    ours.socket.settimeout(60)
    seat.serve(os.dup(theirs.fileno()))
    theirs.close()
    return ours


def _fetch(channel: Channel, number: int, name: bytes, bytes_max: int = 1_000_000) -> tuple[int, bytes]:
    """The last status and all data."""
    channel.send(catalogue.FETCH, encode_fetch(Fetch(number, bytes_max, b"metadata/" + name)))
    data = b""
    while True:
        received = channel.receive()
        assert received is not None
        piece = decode_fetched(received.frame.body)
        assert piece.number == number
        data += piece.data
        if piece.last:
            return piece.status, data


def test_files_come_in_pieces_one_after_the_other(address: str) -> None:
    channel = _updater(_seat(address))
    assert _fetch(channel, 1, b"1.root.json") == (200, BODY)
    assert _fetch(channel, 2, b"2.root.json") == (404, b"")
    assert _fetch(channel, 3, b"1.root.json") == (200, BODY)
    channel.close()


def test_more_than_was_asked_for_is_not_passed_on(address: str) -> None:
    channel = _updater(_seat(address))
    assert _fetch(channel, 1, b"1.root.json", len(BODY) - 1) == (0, b"")
    channel.close()


def test_a_server_that_is_not_there_is_said(tmp_path: Path) -> None:
    seat = ContentSeat(tmp_path / "identity.json")
    seat.start()
    channel = _updater(seat)
    assert _fetch(channel, 1, b"1.root.json") == (0, b"")
    channel.close()


def test_the_newest_updater_is_served_whatever_the_last_one_waits_for(address: str) -> None:
    seat = _seat(address)
    first = _updater(seat)
    first.send(catalogue.FETCH, encode_fetch(Fetch(1, 100, b"metadata/stuck.json")))
    assert Handler.stuck.wait(60)
    second = _updater(seat)
    assert _fetch(second, 1, b"1.root.json") == (200, BODY)
    with pytest.raises(ChannelClosed):
        _drain(first)
    first.close()
    second.close()


def _drain(channel: Channel) -> None:
    while channel.receive() is not None:
        pass


@pytest.mark.parametrize("spoil", ["type", "noise", "path"])
def test_who_breaks_the_protocol_is_left(address: str, spoil: str) -> None:
    seat = _seat(address)
    channel = _updater(seat)
    body = encode_fetch(Fetch(1, 100, b"metadata/1.root.json"))
    match spoil:
        case "type":
            channel.send(catalogue.READY, body)
        case "noise":
            channel.socket.send(b"\xff" * 64)
        case "path":
            channel.send(catalogue.FETCH, body.replace(b"metadata", b"../../.."))
    with pytest.raises(ChannelClosed):
        channel.receive()
    channel.close()
    again = _updater(seat)
    assert _fetch(again, 1, b"1.root.json") == (200, BODY)
    again.close()
