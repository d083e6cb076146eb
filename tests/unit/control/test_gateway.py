"""The bound on slow bodies, without waiting for it."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from ringfence.control import application, gateway
from ringfence.control.gateway import _body, _Gone, _Refused


async def _for_ever() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("never")


def test_a_body_that_does_not_arrive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "REQUEST_BODY_SECONDS_MAX", 0.01)
    with pytest.raises(_Refused) as refused:
        asyncio.run(_body({"type": "http", "headers": []}, _for_ever, 100))
    assert refused.value.answer.status == 408


def test_a_host_that_hangs_up_gets_no_answer() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(_Gone):
        asyncio.run(_body({"type": "http", "headers": []}, gone, 100))


@pytest.mark.parametrize("declared", [b"101", b"9" * 5_000])
def test_a_body_that_is_announced_too_large_is_not_waited_for(declared: bytes) -> None:
    with pytest.raises(_Refused) as refused:
        asyncio.run(_body({"type": "http", "headers": [(b"content-length", declared)]}, _for_ever, 100))
    assert refused.value.answer.status == 413


def test_a_persons_body_that_does_not_arrive_looks_like_hanging_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "REQUEST_BODY_SECONDS_MAX", 0.01)
    seen: list[Message] = []

    async def reads(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.append(await receive())

    async def sends(_message: Message) -> None:
        raise AssertionError("nothing to say")

    async def scene() -> None:
        await application._bounded(reads)({"type": "http", "headers": []}, _for_ever, sends)

    asyncio.run(scene())
    assert seen == [{"type": "http.disconnect"}]
