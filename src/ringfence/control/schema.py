"""The tables of the control plane, in SQLAlchemy Core: one text for SQLite today and PostgreSQL at scale.

Rules that every table follows:

1. Times are Unix milliseconds in columns that end in `_unix_ms`; sizes and counts are integers with their unit.
2. What a host sent is kept whole in `document` (canonical JSON of the record); columns beside it exist only to filter,
   order and count.  `(host_id, epoch, number)` is unique: a record that is sent twice is stored once.
3. Secrets are stored as SHA-256 (random tokens) or argon2id (passwords), never as themselves.
4. Words of a closed set are the values of the enumerations in `model/records.py` and `control/views.py`.

`SCHEMA_REVISION` is the Alembic revision that makes exactly these tables; a test compares both.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_REVISION: Final = "0001"

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives out row numbers only for INTEGER keys; PostgreSQL needs 64 bits.
ROW_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

SERVER_FACTS: Final = Table(
    "server_facts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

HOSTS: Final = Table(
    "hosts",
    METADATA,
    Column("host_id", String(32), primary_key=True),
    Column("credential_sha256", String(64), nullable=False, unique=True),
    Column("host_name", Text, nullable=False),
    Column("machine_id", Text, nullable=False),
    Column("kernel", Text, nullable=False),
    Column("distribution", Text, nullable=False),
    Column("architecture", Text, nullable=False),
    Column("sensor_version", Text, nullable=False),
    Column("enrolled_at_unix_ms", BigInteger, nullable=False),
    Column("last_seen_unix_ms", BigInteger, nullable=False),
    Column("revoked_at_unix_ms", BigInteger),
    Column("mode", Text, nullable=False, server_default=""),
    Column("release_name", Text, nullable=False, server_default=""),
    Column("release_version", BigInteger, nullable=False, server_default="0"),
)

ENROLMENT_TOKENS: Final = Table(
    "enrolment_tokens",
    METADATA,
    Column("token_sha256", String(64), primary_key=True),
    Column("label", Text, nullable=False),
    Column("created_at_unix_ms", BigInteger, nullable=False),
    Column("expires_at_unix_ms", BigInteger, nullable=False),
    Column("uses_left", Integer, nullable=False),
)

HOST_EPOCHS: Final = Table(
    "host_epochs",
    METADATA,
    Column("host_id", ForeignKey("hosts.host_id"), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("accepted_through", BigInteger, nullable=False),
    Column("first_seen_unix_ms", BigInteger, nullable=False),
    Column("last_seen_unix_ms", BigInteger, nullable=False),
)

HOST_GAPS: Final = Table(
    "host_gaps",
    METADATA,
    Column("gap_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("host_id", ForeignKey("hosts.host_id"), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("first_number", BigInteger, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column("found_at_unix_ms", BigInteger, nullable=False),
    Index(None, "host_id", "epoch"),
)


def _record_key() -> tuple[Column[str] | Column[int], ...]:
    """The columns that identify a record of a host, fresh for each table."""
    return (
        Column("host_id", ForeignKey("hosts.host_id"), nullable=False),
        Column("epoch", String(16), nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("at_unix_ms", BigInteger, nullable=False),
        Column("received_at_unix_ms", BigInteger, nullable=False),
    )


ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("alert_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    *_record_key(),
    Column("severity", Text, nullable=False),
    Column("severity_rank", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("process_name", Text, nullable=False),
    Column("release_name", Text, nullable=False),
    Column("release_version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("assignee", Text, nullable=False, server_default=""),
    Column("triage_version", Integer, nullable=False, server_default="1"),
    Column("triaged_at_unix_ms", BigInteger),
    Column("search_text", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("host_id", "epoch", "number"),
    Index(None, "state", "severity_rank", "alert_id"),
    Index(None, "host_id", "alert_id"),
    Index(None, "received_at_unix_ms"),
    Index(None, "sha256"),
    sqlite_autoincrement=True,
)
"""`rule` is the worst rule; all of them are in `alert_rules`.  `search_text` is lower case.  `alert_id` grows in the
order of arrival and is never used again, so it is also the number of the event in the live stream."""

ALERT_RULES: Final = Table(
    "alert_rules",
    METADATA,
    Column("rule", Text, primary_key=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True),
    Index(None, "alert_id"),
)

ALERT_NOTES: Final = Table(
    "alert_notes",
    METADATA,
    Column("note_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("alert_id", ForeignKey("alerts.alert_id", ondelete="CASCADE"), nullable=False),
    Column("at_unix_ms", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "alert_id"),
)

SKIPPED_FILES: Final = Table(
    "skipped_files",
    METADATA,
    Column("skipped_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    *_record_key(),
    Column("path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("will_rescan", Boolean, nullable=False),
    UniqueConstraint("host_id", "epoch", "number"),
    Index(None, "received_at_unix_ms"),
)

HOST_LOSSES: Final = Table(
    "host_losses",
    METADATA,
    Column("loss_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    *_record_key(),
    Column("source", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    UniqueConstraint("host_id", "epoch", "number"),
    Index(None, "received_at_unix_ms"),
)

HOST_EVENTS: Final = Table(
    "host_events",
    METADATA,
    Column("event_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    *_record_key(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("host_id", "epoch", "number"),
    Index(None, "received_at_unix_ms"),
)

HOST_STATUS: Final = Table(
    "host_status",
    METADATA,
    Column("status_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    *_record_key(),
    Column("mode", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("host_id", "epoch", "number"),
    Index(None, "host_id", "status_id"),
)

USERS: Final = Table(
    "users",
    METADATA,
    Column("user_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at_unix_ms", BigInteger, nullable=False),
    Column("disabled_at_unix_ms", BigInteger),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.user_id"), nullable=False),
    Column("created_at_unix_ms", BigInteger, nullable=False),
    Column("last_used_unix_ms", BigInteger, nullable=False),
    Column("expires_at_unix_ms", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Index(None, "user_id"),
)

API_TOKENS: Final = Table(
    "api_tokens",
    METADATA,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.user_id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at_unix_ms", BigInteger, nullable=False),
    Column("expires_at_unix_ms", BigInteger, nullable=False),
)

LOGIN_ATTEMPTS: Final = Table(
    "login_attempts",
    METADATA,
    Column("attempt_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("at_unix_ms", BigInteger, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Index(None, "user_name", "at_unix_ms"),
    Index(None, "address", "at_unix_ms"),
)
"""Refused log-ins inside the window of the rate limit; a successful log-in removes those of its user."""

AUDIT_LOG: Final = Table(
    "audit_log",
    METADATA,
    Column("audit_id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("at_unix_ms", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("address", Text, nullable=False),
    Index(None, "subject"),
    Index(None, "at_unix_ms"),
    sqlite_autoincrement=True,
)
"""`action` follows the grammar `source:subject:action`, for example `user:alert:resolved`."""
