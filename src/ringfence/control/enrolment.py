"""How a host becomes known: a token, made by an administrator, is exchanged for a host's own credential.

Token and credential are random words of 256 bits; the database holds their SHA-256.  A token expires and enrols a
bounded number of hosts; using it up and writing the host down are one transaction.
"""

import hmac
import secrets
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select, update

from ringfence.control.audit import SERVER_ACTOR, AuditAction, write_audit
from ringfence.control.authentication import digest
from ringfence.control.database import Database
from ringfence.control.refusals import NotAllowed, RequestRefused
from ringfence.control.schema import ENROLMENT_TOKENS, HOSTS
from ringfence.control.views import Actor
from ringfence.model.limits import ENROLMENT_TOKEN_LIFE_MAX_MS, ENROLMENT_TOKEN_USES_MAX
from ringfence.model.records import HostFacts


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a host gets: its name for the server, and the credential it shows with every batch."""

    host_id: str
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host that showed a good credential."""

    host_id: str
    host_name: str
    is_revoked: bool


async def create_token(database: Database, *, label: str, life_ms: int, uses: int, now_unix_ms: int) -> str:
    """Make an enrolment token; the caller shows it once.  Raises `RequestRefused` when a bound is passed."""
    if not 0 < life_ms <= ENROLMENT_TOKEN_LIFE_MAX_MS:
        raise RequestRefused(
            f"an enrolment token lives at most {ENROLMENT_TOKEN_LIFE_MAX_MS // 3_600_000} hours", "ask for less"
        )
    if not 1 <= uses <= ENROLMENT_TOKEN_USES_MAX:
        raise RequestRefused(f"an enrolment token enrols 1 to {ENROLMENT_TOKEN_USES_MAX} hosts", "ask for less")
    token = secrets.token_hex(32)
    async with database.writing() as connection:
        await connection.execute(
            delete(ENROLMENT_TOKENS).where(ENROLMENT_TOKENS.c.expires_at_unix_ms <= now_unix_ms - life_ms)
        )
        await connection.execute(
            insert(ENROLMENT_TOKENS).values(
                token_sha256=digest(token),
                label=label,
                created_at_unix_ms=now_unix_ms,
                expires_at_unix_ms=now_unix_ms + life_ms,
                uses_left=uses,
            )
        )
        await write_audit(
            connection,
            AuditAction.ENROLMENT_TOKEN_CREATED,
            SERVER_ACTOR,
            subject=f"enrolment_token:{digest(token)[:16]}",
            detail=f"{label}: {uses} hosts, {life_ms // 60_000} minutes",
            at_unix_ms=now_unix_ms,
        )
    return token


async def forget_tokens(database: Database, *, label: str) -> None:
    """Make every token with this label void."""
    async with database.writing() as connection:
        await connection.execute(delete(ENROLMENT_TOKENS).where(ENROLMENT_TOKENS.c.label == label))


async def enrol(database: Database, *, token: str, facts: HostFacts, address: str, now_unix_ms: int) -> Enrolled:
    """Exchange a token for a host's credential.

    Raises `NotAllowed` when the token is unknown, expired or used up; it does not say which.
    """
    tokens = ENROLMENT_TOKENS.c
    token_sha256 = digest(token)
    enrolled = Enrolled(host_id=secrets.token_hex(16), credential=secrets.token_hex(32))
    async with database.writing() as connection:
        used = await connection.execute(
            update(ENROLMENT_TOKENS)
            .where(tokens.token_sha256 == token_sha256, tokens.expires_at_unix_ms > now_unix_ms, tokens.uses_left > 0)
            .values(uses_left=tokens.uses_left - 1)
        )
        if not used.rowcount:
            raise NotAllowed(
                "the enrolment token is unknown, expired or used up",
                "make another with `ringfence server --state DIR --enrolment-token`",
            )
        await connection.execute(
            insert(HOSTS).values(
                host_id=enrolled.host_id,
                credential_sha256=digest(enrolled.credential),
                host_name=facts.host_name,
                machine_id=facts.machine_id,
                kernel=facts.kernel,
                distribution=facts.distribution,
                architecture=facts.architecture,
                sensor_version=facts.sensor_version,
                enrolled_at_unix_ms=now_unix_ms,
                last_seen_unix_ms=now_unix_ms,
            )
        )
        await write_audit(
            connection,
            AuditAction.HOST_ENROLLED,
            Actor(source="host", name=facts.host_name, address=address),
            subject=f"host:{enrolled.host_id}",
            detail=f"by enrolment_token:{token_sha256[:16]}",
            at_unix_ms=now_unix_ms,
        )
    return enrolled


async def host_of(database: Database, credential: str) -> KnownHost | None:
    """The host behind a credential, None when there is none.

    The look-up is by hash, so its time says nothing about the credential; the comparison is in constant time anyway.
    """
    credential_sha256 = digest(credential)
    hosts = HOSTS.c
    async with database.reading() as connection:
        found = (
            await connection.execute(
                select(hosts.host_id, hosts.host_name, hosts.revoked_at_unix_ms, hosts.credential_sha256).where(
                    hosts.credential_sha256 == credential_sha256
                )
            )
        ).one_or_none()
    if found is None or not hmac.compare_digest(found.credential_sha256, credential_sha256):
        return None
    return KnownHost(found.host_id, found.host_name, found.revoked_at_unix_ms is not None)
