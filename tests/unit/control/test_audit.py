"""The audit log's grammar, and that its lines stand or fall with what they describe."""

import asyncio
import re
from pathlib import Path

import pytest
from tests.unit.control.opened import opened

from ringfence.control import queries
from ringfence.control.audit import SERVER_ACTOR, AuditAction, write_audit
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor


def test_every_action_is_source_subject_and_action() -> None:
    grammar = re.compile(r"(user|host|server):[a-z_]+:[a-z_]+")
    assert [action for action in AuditAction if not grammar.fullmatch(action)] == []
    assert len({action.value for action in AuditAction}) == len(AuditAction)


def test_an_actor_is_named_with_its_source() -> None:
    assert [Actor(source="user", name="ann").text, SERVER_ACTOR.text] == ["user:ann", "server"]


async def _write_and_fail(services: ConsoleServices) -> None:
    async with services.database.writing() as connection:
        await write_audit(
            connection, AuditAction.SERVER_STARTED, SERVER_ACTOR, subject="x", at_unix_ms=services.clock()
        )
        raise RuntimeError("later")


def test_a_line_goes_with_the_transaction_that_failed(tmp_path: Path) -> None:
    async def scene() -> int:
        async with opened(tmp_path) as (services, _):
            with pytest.raises(RuntimeError, match="later"):
                await _write_and_fail(services)
            return len((await queries.audit_log(services.database)).rows)

    assert asyncio.run(scene()) == 0


def test_every_action_is_documented() -> None:
    document = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
    assert [action.value for action in AuditAction if f"`{action.value}`" not in document] == []
