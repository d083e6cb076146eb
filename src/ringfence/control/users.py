"""Users, passwords and API tokens: made on the server's machine by whoever may read the state directory."""

import asyncio
import secrets

from sqlalchemy import delete, func, insert, select, update

from ringfence.control.audit import SERVER_ACTOR, AuditAction, write_audit
from ringfence.control.authentication import Session, digest, hash_password
from ringfence.control.database import Database
from ringfence.control.refusals import NotFound, RequestRefused
from ringfence.control.schema import API_TOKENS, LOGIN_ATTEMPTS, SESSIONS, USERS
from ringfence.control.views import Actor, Role
from ringfence.model.limits import (
    API_TOKENS_PER_USER_MAX,
    PASSWORD_CHARACTERS_MAX,
    PASSWORD_CHARACTERS_MIN,
    USER_NAME_CHARACTERS_MAX,
    USERS_MAX,
)


def new_password() -> str:
    """A password of 100 bits in five groups that a person can read aloud."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(5))


async def ensure_first_user(database: Database, *, now_unix_ms: int) -> str | None:
    """Make the user `admin` when there is nobody yet.

    Returns the password, which is nowhere else and is shown once; None when there is somebody already.
    """
    async with database.reading() as connection:
        if await connection.scalar(select(func.count()).select_from(USERS)):
            return None
    password = new_password()
    await create_user(database, name="admin", password=password, role=Role.ADMINISTRATOR, now_unix_ms=now_unix_ms)
    return password


async def create_user(database: Database, *, name: str, password: str, role: Role, now_unix_ms: int) -> None:
    """Add a user.  Raises `RequestRefused` when the name is taken or a bound is passed."""
    if not 1 <= len(name) <= USER_NAME_CHARACTERS_MAX or not name.isprintable() or name != name.strip():
        raise RequestRefused(f"a user name has 1 to {USER_NAME_CHARACTERS_MAX} printable characters", "choose another")
    password_hash = await _hashed(password)
    async with database.writing() as connection:
        count = await connection.scalar(select(func.count()).select_from(USERS)) or 0
        if count >= USERS_MAX:
            raise RequestRefused(f"there are {USERS_MAX} users already", "use one of them")
        if await connection.scalar(select(USERS.c.user_id).where(USERS.c.name == name)) is not None:
            raise RequestRefused(f"there is a user {name!r} already", "choose another name, or reset the password")
        await connection.execute(
            insert(USERS).values(
                name=name, password_hash=password_hash, role=role.value, created_at_unix_ms=now_unix_ms
            )
        )
        await write_audit(
            connection,
            AuditAction.USER_CREATED,
            SERVER_ACTOR,
            subject=f"user:{name}",
            detail=role.value,
            at_unix_ms=now_unix_ms,
        )


async def reset_password(database: Database, *, name: str, now_unix_ms: int) -> str:
    """Give a user a new password, end all sessions, and forget refused log-ins.  Raises `NotFound`."""
    password = new_password()
    password_hash = await _hashed(password)
    async with database.writing() as connection:
        user_id = await connection.scalar(select(USERS.c.user_id).where(USERS.c.name == name))
        if user_id is None:
            raise NotFound(f"there is no user {name!r}", "look at the names in the console's audit log")
        await connection.execute(update(USERS).where(USERS.c.user_id == user_id).values(password_hash=password_hash))
        await connection.execute(delete(SESSIONS).where(SESSIONS.c.user_id == user_id))
        await connection.execute(delete(LOGIN_ATTEMPTS).where(LOGIN_ATTEMPTS.c.user_name == name))
        await write_audit(
            connection, AuditAction.PASSWORD_RESET, SERVER_ACTOR, subject=f"user:{name}", at_unix_ms=now_unix_ms
        )
    return password


async def change_password(
    database: Database, *, session: Session, new_password: str, actor: Actor, now_unix_ms: int
) -> None:
    """Give the user of `session` the password they chose and end all their other sessions.

    The caller has just proven the old password: `session` is the one that the proof opened.  Raises `RequestRefused`
    when the new password is too short or too long.
    """
    password_hash = await _hashed(new_password)
    user = session.user
    async with database.writing() as connection:
        await connection.execute(
            update(USERS).where(USERS.c.user_id == user.user_id).values(password_hash=password_hash)
        )
        await connection.execute(
            delete(SESSIONS).where(
                SESSIONS.c.user_id == user.user_id, SESSIONS.c.token_sha256 != digest(session.token)
            )
        )
        await write_audit(
            connection, AuditAction.PASSWORD_CHANGED, actor, subject=f"user:{user.name}", at_unix_ms=now_unix_ms
        )


def check_password(password: str) -> None:
    """Raise `RequestRefused` when a new password is too short or too long."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise RequestRefused(
            f"a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters", "choose another"
        )


async def create_api_token(database: Database, *, name: str, label: str, life_ms: int, now_unix_ms: int) -> str:
    """Make a bearer token that acts as a user.  The caller shows it once.  Raises `NotFound`, `RequestRefused`."""
    token = secrets.token_hex(32)
    async with database.writing() as connection:
        user_id = await connection.scalar(select(USERS.c.user_id).where(USERS.c.name == name))
        if user_id is None:
            raise NotFound(f"there is no user {name!r}", "look at the names in the console's audit log")
        await connection.execute(delete(API_TOKENS).where(API_TOKENS.c.expires_at_unix_ms <= now_unix_ms))
        count = await connection.scalar(select(func.count()).where(API_TOKENS.c.user_id == user_id)) or 0
        if count >= API_TOKENS_PER_USER_MAX:
            raise RequestRefused(f"{name} has {API_TOKENS_PER_USER_MAX} API tokens", "wait until one has expired")
        await connection.execute(
            insert(API_TOKENS).values(
                token_sha256=digest(token),
                user_id=user_id,
                label=label,
                created_at_unix_ms=now_unix_ms,
                expires_at_unix_ms=now_unix_ms + life_ms,
            )
        )
        await write_audit(
            connection,
            AuditAction.API_TOKEN_CREATED,
            SERVER_ACTOR,
            subject=f"user:{name}",
            detail=label,
            at_unix_ms=now_unix_ms,
        )
    return token


async def _hashed(password: str) -> str:
    """The password's hash, made in a thread.  Raises `RequestRefused` when it is too short or too long."""
    check_password(password)
    return await asyncio.to_thread(hash_password, password)
