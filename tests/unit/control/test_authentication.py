"""Passwords and sessions on a real database with a clock of the test's own."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.unit.control.opened import opened

from ringfence.control import users
from ringfence.control.authentication import form_token_of, hash_password
from ringfence.control.refusals import NotLoggedIn, RequestRefused, TooManyAttempts
from ringfence.control.schema import LOGIN_ATTEMPTS, SESSIONS
from ringfence.control.views import Role
from ringfence.model.limits import (
    API_TOKEN_LIFE_MS,
    LOGIN_REFUSALS_PER_USER_MAX,
    LOGIN_WAITING_MAX,
    SESSION_IDLE_MS,
    SESSIONS_PER_USER_MAX,
)

PLACE = {"address": "192.0.2.1", "user_agent": "test"}


def test_guessing_in_parallel_gains_nothing(tmp_path: Path) -> None:
    async def scene() -> list[str]:
        async with opened(tmp_path) as (services, clock):
            await users.ensure_first_user(services.database, now_unix_ms=clock())
            guesses = [services.authentication.log_in("admin", str(n), **PLACE) for n in range(LOGIN_WAITING_MAX)]
            answers = await asyncio.gather(*guesses, return_exceptions=True)
            return [type(answer).__name__ for answer in answers]

    names = asyncio.run(scene())
    assert names.count("NotLoggedIn") == LOGIN_REFUSALS_PER_USER_MAX
    assert names.count("TooManyAttempts") == LOGIN_WAITING_MAX - LOGIN_REFUSALS_PER_USER_MAX


def test_log_ins_that_wait_are_bounded(tmp_path: Path) -> None:
    async def scene() -> int:
        async with opened(tmp_path) as (services, _):
            guesses = [services.authentication.log_in(str(n), "x", **PLACE) for n in range(LOGIN_WAITING_MAX + 3)]
            answers = await asyncio.gather(*guesses, return_exceptions=True)
            return sum(isinstance(answer, TooManyAttempts) for answer in answers)

    assert asyncio.run(scene()) == 3


def test_a_right_password_takes_the_refusals_of_its_address_back(tmp_path: Path) -> None:
    async def scene() -> int | None:
        async with opened(tmp_path) as (services, clock):
            password = await users.ensure_first_user(services.database, now_unix_ms=clock()) or ""
            with pytest.raises(NotLoggedIn):
                await services.authentication.log_in("admin", "wrong", **PLACE)
            await services.authentication.log_in("admin", password, **PLACE)
            async with services.database.reading() as connection:
                return await connection.scalar(select(func.count()).select_from(LOGIN_ATTEMPTS))

    assert asyncio.run(scene()) == 0


def test_sessions_of_a_user_are_bounded_and_the_oldest_ends(tmp_path: Path) -> None:
    async def scene() -> tuple[int | None, bool, bool]:
        async with opened(tmp_path) as (services, clock):
            password = await users.ensure_first_user(services.database, now_unix_ms=clock()) or ""
            sessions = []
            for _ in range(SESSIONS_PER_USER_MAX + 1):
                clock.now_unix_ms += 1
                sessions.append(await services.authentication.log_in("admin", password, **PLACE))
            async with services.database.reading() as connection:
                count = await connection.scalar(select(func.count()).select_from(SESSIONS))
            oldest, newest = [await services.authentication.session_of(s.token) for s in (sessions[0], sessions[-1])]
            return count, oldest is None, newest is None

    assert asyncio.run(scene()) == (SESSIONS_PER_USER_MAX, True, False)


def test_watching_does_not_keep_a_session_alive(tmp_path: Path) -> None:
    async def scene() -> list[bool]:
        async with opened(tmp_path) as (services, clock):
            password = await users.ensure_first_user(services.database, now_unix_ms=clock()) or ""
            session = await services.authentication.log_in("admin", password, **PLACE)
            found = []
            for _ in range(3):
                clock.now_unix_ms += SESSION_IDLE_MS // 2
                found.append(await services.authentication.session_of(session.token, counts_as_use=False) is not None)
            return found

    assert asyncio.run(scene()) == [True, False, False]


def test_an_api_token_ends(tmp_path: Path) -> None:
    async def scene() -> list[bool]:
        async with opened(tmp_path) as (services, clock):
            await users.ensure_first_user(services.database, now_unix_ms=clock())
            token = await users.create_api_token(
                services.database, name="admin", label="t", life_ms=API_TOKEN_LIFE_MS, now_unix_ms=clock()
            )
            found = [await services.authentication.bearer_of(token) is not None]
            clock.now_unix_ms += API_TOKEN_LIFE_MS
            return [*found, await services.authentication.bearer_of(token) is not None]

    assert asyncio.run(scene()) == [True, False]


@pytest.mark.parametrize(
    ("name", "password"), [("", "long enough password"), ("a\n", "long enough password"), ("b", "short")]
)
def test_a_user_needs_a_name_and_a_long_password(tmp_path: Path, name: str, password: str) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as (services, clock):
            await users.create_user(
                services.database, name=name, password=password, role=Role.READER, now_unix_ms=clock()
            )

    with pytest.raises(RequestRefused):
        asyncio.run(scene())


def test_tokens_and_passwords_are_each_their_own() -> None:
    assert form_token_of("a") != form_token_of("b")
    assert users.new_password() != users.new_password()
    assert hash_password("x") != hash_password("x")
