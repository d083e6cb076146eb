"""Who may in: passwords, sessions, form tokens, API tokens, and the limit on guessing.

1. A password is compared by argon2id, in a thread, `LOGIN_HASHES_AT_ONCE_MAX` at a time; an unknown user costs as much.
2. An attempt is written down, durably, *before* the password is looked at, and taken back when it was right: a guesser
   gains nothing by asking in parallel or by killing the server.
3. A session is a random token of 256 bits in a cookie; the database knows its SHA-256 only.
4. The form token is HMAC-SHA-256 of a constant under the session's token: bound to it, and nothing to store.
5. Every way in and every refusal is a line of the audit log.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.audit import AuditAction, write_audit
from ringfence.control.clock import Clock
from ringfence.control.database import Database, new_row_number
from ringfence.control.refusal_limit import RefusalLimit
from ringfence.control.refusals import NotLoggedIn, TooManyAttempts
from ringfence.control.schema import API_TOKENS, LOGIN_ATTEMPTS, SESSIONS, USERS
from ringfence.control.views import Actor, Role, User
from ringfence.model.errors import DiskFull
from ringfence.model.limits import (
    LOGIN_HASHES_AT_ONCE_MAX,
    LOGIN_REFUSALS_PER_ADDRESS_MAX,
    LOGIN_REFUSALS_PER_USER_MAX,
    LOGIN_RETRY_AFTER_S,
    LOGIN_WAITING_MAX,
    LOGIN_WINDOW_MS,
    PASSWORD_CHARACTERS_MAX,
    SESSION_ABSOLUTE_MS,
    SESSION_IDLE_MS,
    SESSION_TOUCH_MS,
    SESSIONS_PER_USER_MAX,
    USER_NAME_CHARACTERS_MAX,
)

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's smaller setting: 19 MiB, because two at once must fit beside everything else on one machine."""

_NOBODY_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
_FORM_TOKEN_PURPOSE: Final = b"ringfence form token 1"
_LOGIN_REFUSED: Final = "user name or password is wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in.  `form_token` is "" for an API token, which browsers do not send by themselves."""

    user: User
    source: str
    expires_at_unix_ms: int
    token: str = field(repr=False)
    form_token: str = field(repr=False)

    def actor(self, address: str) -> Actor:
        """Who this is, for the audit log."""
        return Actor(source=self.source, name=self.user.name, address=address, role=self.user.role)


def hash_password(password: str) -> str:
    """The argon2id hash that the database keeps.  Slow on purpose: call it in a thread."""
    return _HASHER.hash(password)


def digest(token: str) -> str:
    """SHA-256 of a random token, which is all that the database knows of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token_of(session_token: str) -> str:
    """The token that every form of this session carries."""
    return hmac.new(session_token.encode(), _FORM_TOKEN_PURPOSE, hashlib.sha256).hexdigest()


class Authentication:
    """Logs in and out, and finds out who a token belongs to."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._written_limits = RefusalLimit(most=1, window_ms=LOGIN_WINDOW_MS)
        self._hashing = asyncio.Semaphore(LOGIN_HASHES_AT_ONCE_MAX)
        self._waiting = 0

    async def log_in(self, name: str, password: str, *, address: str, user_agent: str) -> Session:
        """Open a session.

        Raises `NotLoggedIn` when name or password is wrong (it does not say which) and `TooManyAttempts` when the user
        name or the address has been refused too often, or too many log-ins are waiting.
        """
        if self._waiting >= LOGIN_WAITING_MAX:
            raise TooManyAttempts(
                "too many log-ins at once", "try again in a few seconds", retry_after_s=LOGIN_RETRY_AFTER_S
            )
        self._waiting += 1
        try:
            return await self._log_in(name[:USER_NAME_CHARACTERS_MAX], password, address, user_agent)
        finally:
            self._waiting -= 1

    async def _log_in(self, name: str, password: str, address: str, user_agent: str) -> Session:
        """`log_in` behind the bound on waiting."""
        actor = Actor(source="user", name=name, address=address)
        attempt_id = await self._write_attempt(actor)
        async with self._database.reading() as connection:
            found = (
                await connection.execute(
                    select(USERS).where(USERS.c.name == name, USERS.c.disabled_at_unix_ms.is_(None))
                )
            ).one_or_none()
        async with self._hashing:
            is_right = await asyncio.to_thread(_verify, found.password_hash if found else _NOBODY_HASH, password)
        now_unix_ms = self._clock()
        if found is None or not is_right:
            async with self._database.writing() as connection:
                await write_audit(
                    connection, AuditAction.LOGIN_REFUSED, actor, subject=f"user:{name}", at_unix_ms=now_unix_ms
                )
            raise NotLoggedIn(
                _LOGIN_REFUSED, "check both; `ringfence server --reset-password NAME` sets a new password"
            )
        user = User(user_id=found.user_id, name=found.name, role=Role(found.role))
        token = secrets.token_urlsafe(32)
        async with self._database.writing() as connection:
            await connection.execute(
                delete(LOGIN_ATTEMPTS).where(
                    or_(
                        LOGIN_ATTEMPTS.c.attempt_id == attempt_id,
                        (LOGIN_ATTEMPTS.c.user_name == name) & (LOGIN_ATTEMPTS.c.address == address),
                    )
                )
            )
            await _open_session(connection, user, token, address, user_agent, now_unix_ms)
            await write_audit(
                connection, AuditAction.LOGIN_ACCEPTED, actor, subject=f"user:{name}", at_unix_ms=now_unix_ms
            )
        return Session(
            user=user,
            source="user",
            expires_at_unix_ms=now_unix_ms + SESSION_ABSOLUTE_MS,
            token=token,
            form_token=form_token_of(token),
        )

    async def _write_attempt(self, actor: Actor) -> int:
        """Count this attempt as refused until it proves right.  Raises `TooManyAttempts`."""
        now_unix_ms = self._clock()
        attempts = LOGIN_ATTEMPTS.c
        async with self._database.writing() as connection:
            await connection.execute(delete(LOGIN_ATTEMPTS).where(attempts.at_unix_ms <= now_unix_ms - LOGIN_WINDOW_MS))
            for column, value, most in (
                (attempts.user_name, actor.name, LOGIN_REFUSALS_PER_USER_MAX),
                (attempts.address, actor.address, LOGIN_REFUSALS_PER_ADDRESS_MAX),
            ):
                count, oldest = (
                    await connection.execute(select(func.count(), func.min(attempts.at_unix_ms)).where(column == value))
                ).one()
                if count >= most:
                    break
            else:
                written = await connection.execute(
                    insert(LOGIN_ATTEMPTS).values(at_unix_ms=now_unix_ms, user_name=actor.name, address=actor.address)
                )
                return new_row_number(written)
            # Once for each: a guesser must not be able to push the log's other lines out.
            if not self._written_limits.is_exceeded(value, now_unix_ms):
                self._written_limits.count(value, now_unix_ms)
                await write_audit(
                    connection, AuditAction.LOGIN_LIMITED, actor, subject=f"user:{actor.name}", at_unix_ms=now_unix_ms
                )
        retry_after_s = max(1, (oldest + LOGIN_WINDOW_MS - now_unix_ms + 999) // 1000)
        raise TooManyAttempts("too many refused log-ins", f"wait {retry_after_s} seconds", retry_after_s=retry_after_s)

    async def session_of(self, token: str, *, counts_as_use: bool = True) -> Session | None:
        """The session behind a cookie's token; None when there is none, or it is over, or its user is disabled.

        A request keeps the session alive; a page that only watches (`counts_as_use=False`) does not.
        """
        now_unix_ms = self._clock()
        token_sha256 = digest(token)
        async with self._database.reading() as connection:
            found = (
                await connection.execute(
                    select(SESSIONS, USERS.c.name, USERS.c.role)
                    .join(USERS, USERS.c.user_id == SESSIONS.c.user_id)
                    .where(SESSIONS.c.token_sha256 == token_sha256, USERS.c.disabled_at_unix_ms.is_(None))
                )
            ).one_or_none()
        if (
            found is None
            or now_unix_ms >= found.expires_at_unix_ms
            or now_unix_ms >= found.last_used_unix_ms + SESSION_IDLE_MS
        ):
            return None
        if counts_as_use and now_unix_ms - found.last_used_unix_ms >= SESSION_TOUCH_MS:
            # A full disk must not lock out the person who comes to look why.
            with contextlib.suppress(DiskFull):
                async with self._database.writing() as connection:
                    await connection.execute(
                        update(SESSIONS)
                        .where(SESSIONS.c.token_sha256 == token_sha256)
                        .values(last_used_unix_ms=now_unix_ms)
                    )
        return Session(
            user=User(user_id=found.user_id, name=found.name, role=Role(found.role)),
            source="user",
            expires_at_unix_ms=found.expires_at_unix_ms,
            token=token,
            form_token=form_token_of(token),
        )

    async def bearer_of(self, token: str) -> Session | None:
        """Who an API token belongs to; None when it is unknown or expired."""
        async with self._database.reading() as connection:
            found = (
                await connection.execute(
                    select(API_TOKENS.c.expires_at_unix_ms, USERS.c.user_id, USERS.c.name, USERS.c.role)
                    .join(USERS, USERS.c.user_id == API_TOKENS.c.user_id)
                    .where(
                        API_TOKENS.c.token_sha256 == digest(token),
                        API_TOKENS.c.expires_at_unix_ms > self._clock(),
                        USERS.c.disabled_at_unix_ms.is_(None),
                    )
                )
            ).one_or_none()
        if found is None:
            return None
        return Session(
            user=User(user_id=found.user_id, name=found.name, role=Role(found.role)),
            source="token",
            expires_at_unix_ms=found.expires_at_unix_ms,
            token=token,
            form_token="",
        )

    async def log_out(self, session: Session, *, address: str) -> None:
        """End the session; its token is worth nothing afterwards."""
        async with self._database.writing() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.token_sha256 == digest(session.token)))
            await write_audit(
                connection,
                AuditAction.LOGOUT,
                session.actor(address),
                subject=f"user:{session.user.name}",
                at_unix_ms=self._clock(),
            )


def _verify(password_hash: str, password: str) -> bool:
    """Whether the password is the one behind the hash.  Takes tens of milliseconds."""
    try:
        return _HASHER.verify(password_hash, password[:PASSWORD_CHARACTERS_MAX])
    except (VerificationError, InvalidHashError):
        return False


async def _open_session(
    connection: AsyncConnection, user: User, token: str, address: str, user_agent: str, now_unix_ms: int
) -> None:
    """Write the session down and end the user's oldest ones past the bound, and everybody's expired ones."""
    sessions = SESSIONS.c
    await connection.execute(
        delete(SESSIONS).where(
            or_(sessions.expires_at_unix_ms <= now_unix_ms, sessions.last_used_unix_ms <= now_unix_ms - SESSION_IDLE_MS)
        )
    )
    kept = (
        select(sessions.token_sha256)
        .where(sessions.user_id == user.user_id)
        .order_by(sessions.created_at_unix_ms.desc())
        .limit(SESSIONS_PER_USER_MAX - 1)
    )
    await connection.execute(
        delete(SESSIONS).where(sessions.user_id == user.user_id, sessions.token_sha256.not_in(kept))
    )
    await connection.execute(
        insert(SESSIONS).values(
            token_sha256=digest(token),
            user_id=user.user_id,
            created_at_unix_ms=now_unix_ms,
            last_used_unix_ms=now_unix_ms,
            expires_at_unix_ms=now_unix_ms + SESSION_ABSOLUTE_MS,
            address=address,
            user_agent=user_agent[:USER_NAME_CHARACTERS_MAX],
        )
    )
