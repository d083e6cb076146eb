"""Addresses to listen on, and connections that say nothing."""

import asyncio
import socket

import pytest
import uvicorn

from ringfence.control import listening
from ringfence.control.listening import PatientProtocol, listen, parse_address
from ringfence.model.errors import AddressInUse, PathRefused, UsageRefused


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8443", ("127.0.0.1", 8443)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65_535))],
)
def test_an_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", ":", "8443", "a:", ":1", "a:-1", "a:65536", "a:\u0661", "a:99999999999"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageRefused, match="no address"):
        parse_address(text)


def test_a_port_in_use_and_an_address_of_another_machine_are_refused() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(AddressInUse):
        listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(PathRefused):
        listen("203.0.113.1", 8443)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_without_a_whole_head_is_closed(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "SERVER_IDLE_S", 0.05)

    async def application(_scope: object, _receive: object, _send: object) -> None:
        raise AssertionError("no request was made")

    async def scene() -> bytes:
        configuration = uvicorn.Config(
            application, http=PatientProtocol, lifespan="off", log_config=None, ws="none", interface="asgi3"
        )
        server = uvicorn.Server(configuration)
        listener = socket.create_server(("127.0.0.1", 0))
        configuration.load()
        server.lifespan = configuration.lifespan_class(configuration)
        await server.startup([listener])
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(said)
        answer = await reader.read()
        writer.close()
        await server.shutdown([listener])
        return answer

    assert asyncio.run(scene()) == b""
