"""The first schema of the control plane."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def _create_audit_log() -> None:
    """The table `audit_log` and its indexes."""
    op.create_table(
        "audit_log",
        sa.Column("audit_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_log_at_unix_ms"), "audit_log", ["at_unix_ms"], unique=False)
    op.create_index(op.f("ix_audit_log_subject"), "audit_log", ["subject"], unique=False)


def _create_enrolment_tokens() -> None:
    """The table `enrolment_tokens` and its indexes."""
    op.create_table(
        "enrolment_tokens",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_enrolment_tokens")),
    )


def _create_hosts() -> None:
    """The table `hosts` and its indexes."""
    op.create_table(
        "hosts",
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("credential_sha256", sa.String(length=64), nullable=False),
        sa.Column("host_name", sa.Text(), nullable=False),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("kernel", sa.Text(), nullable=False),
        sa.Column("distribution", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column("sensor_version", sa.Text(), nullable=False),
        sa.Column("enrolled_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_unix_ms", sa.BigInteger(), nullable=True),
        sa.Column("mode", sa.Text(), server_default="", nullable=False),
        sa.Column("release_name", sa.Text(), server_default="", nullable=False),
        sa.Column("release_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_hosts")),
        sa.UniqueConstraint("credential_sha256", name=op.f("uq_hosts_credential_sha256")),
    )


def _create_login_attempts() -> None:
    """The table `login_attempts` and its indexes."""
    op.create_table(
        "login_attempts",
        sa.Column(
            "attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_login_attempts")),
    )
    op.create_index(
        op.f("ix_login_attempts_address_at_unix_ms"), "login_attempts", ["address", "at_unix_ms"], unique=False
    )
    op.create_index(
        op.f("ix_login_attempts_user_name_at_unix_ms"), "login_attempts", ["user_name", "at_unix_ms"], unique=False
    )


def _create_server_facts() -> None:
    """The table `server_facts` and its indexes."""
    op.create_table(
        "server_facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_server_facts")),
    )


def _create_users() -> None:
    """The table `users` and its indexes."""
    op.create_table(
        "users",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at_unix_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )


def _create_alerts() -> None:
    """The table `alerts` and its indexes."""
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("severity_rank", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("process_name", sa.Text(), nullable=False),
        sa.Column("release_name", sa.Text(), nullable=False),
        sa.Column("release_version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("triage_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("triaged_at_unix_ms", sa.BigInteger(), nullable=True),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_alerts_host_id")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("host_id", "epoch", "number", name=op.f("uq_alerts_host_id_epoch_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_alerts_host_id_alert_id"), "alerts", ["host_id", "alert_id"], unique=False)
    op.create_index(op.f("ix_alerts_received_at_unix_ms"), "alerts", ["received_at_unix_ms"], unique=False)
    op.create_index(op.f("ix_alerts_sha256"), "alerts", ["sha256"], unique=False)
    op.create_index(
        op.f("ix_alerts_state_severity_rank_alert_id"), "alerts", ["state", "severity_rank", "alert_id"], unique=False
    )


def _create_api_tokens() -> None:
    """The table `api_tokens` and its indexes."""
    op.create_table(
        "api_tokens",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_api_tokens_user_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_api_tokens")),
    )


def _create_host_epochs() -> None:
    """The table `host_epochs` and its indexes."""
    op.create_table(
        "host_epochs",
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("accepted_through", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_unix_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_host_epochs_host_id")),
        sa.PrimaryKeyConstraint("host_id", "epoch", name=op.f("pk_host_epochs")),
    )


def _create_host_events() -> None:
    """The table `host_events` and its indexes."""
    op.create_table(
        "host_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_host_events_host_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_host_events")),
        sa.UniqueConstraint("host_id", "epoch", "number", name=op.f("uq_host_events_host_id_epoch_number")),
    )
    op.create_index(op.f("ix_host_events_received_at_unix_ms"), "host_events", ["received_at_unix_ms"], unique=False)


def _create_host_gaps() -> None:
    """The table `host_gaps` and its indexes."""
    op.create_table(
        "host_gaps",
        sa.Column("gap_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("found_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_host_gaps_host_id")),
        sa.PrimaryKeyConstraint("gap_id", name=op.f("pk_host_gaps")),
    )
    op.create_index(op.f("ix_host_gaps_host_id_epoch"), "host_gaps", ["host_id", "epoch"], unique=False)


def _create_host_losses() -> None:
    """The table `host_losses` and its indexes."""
    op.create_table(
        "host_losses",
        sa.Column("loss_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_host_losses_host_id")),
        sa.PrimaryKeyConstraint("loss_id", name=op.f("pk_host_losses")),
        sa.UniqueConstraint("host_id", "epoch", "number", name=op.f("uq_host_losses_host_id_epoch_number")),
    )
    op.create_index(op.f("ix_host_losses_received_at_unix_ms"), "host_losses", ["received_at_unix_ms"], unique=False)


def _create_host_status() -> None:
    """The table `host_status` and its indexes."""
    op.create_table(
        "host_status",
        sa.Column(
            "status_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_host_status_host_id")),
        sa.PrimaryKeyConstraint("status_id", name=op.f("pk_host_status")),
        sa.UniqueConstraint("host_id", "epoch", "number", name=op.f("uq_host_status_host_id_epoch_number")),
    )
    op.create_index(op.f("ix_host_status_host_id_status_id"), "host_status", ["host_id", "status_id"], unique=False)


def _create_sessions() -> None:
    """The table `sessions` and its indexes."""
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_used_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)


def _create_skipped_files() -> None:
    """The table `skipped_files` and its indexes."""
    op.create_table(
        "skipped_files",
        sa.Column(
            "skipped_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("host_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("will_rescan", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["host_id"], ["hosts.host_id"], name=op.f("fk_skipped_files_host_id")),
        sa.PrimaryKeyConstraint("skipped_id", name=op.f("pk_skipped_files")),
        sa.UniqueConstraint("host_id", "epoch", "number", name=op.f("uq_skipped_files_host_id_epoch_number")),
    )
    op.create_index(
        op.f("ix_skipped_files_received_at_unix_ms"), "skipped_files", ["received_at_unix_ms"], unique=False
    )


def _create_alert_notes() -> None:
    """The table `alert_notes` and its indexes."""
    op.create_table(
        "alert_notes",
        sa.Column("note_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.alert_id"], name=op.f("fk_alert_notes_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("note_id", name=op.f("pk_alert_notes")),
    )
    op.create_index(op.f("ix_alert_notes_alert_id"), "alert_notes", ["alert_id"], unique=False)


def _create_alert_rules() -> None:
    """The table `alert_rules` and its indexes."""
    op.create_table(
        "alert_rules",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.alert_id"], name=op.f("fk_alert_rules_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rule", "alert_id", name=op.f("pk_alert_rules")),
    )
    op.create_index(op.f("ix_alert_rules_alert_id"), "alert_rules", ["alert_id"], unique=False)


def upgrade() -> None:
    """Make all tables."""
    _create_audit_log()
    _create_enrolment_tokens()
    _create_hosts()
    _create_login_attempts()
    _create_server_facts()
    _create_users()
    _create_alerts()
    _create_api_tokens()
    _create_host_epochs()
    _create_host_events()
    _create_host_gaps()
    _create_host_losses()
    _create_host_status()
    _create_sessions()
    _create_skipped_files()
    _create_alert_notes()
    _create_alert_rules()


def downgrade() -> None:
    """There is nothing before the first schema."""
    for table in (
        "alert_rules",
        "alert_notes",
        "skipped_files",
        "sessions",
        "host_status",
        "host_losses",
        "host_gaps",
        "host_events",
        "host_epochs",
        "api_tokens",
        "alerts",
        "users",
        "server_facts",
        "login_attempts",
        "hosts",
        "enrolment_tokens",
        "audit_log",
    ):
        op.drop_table(table)
