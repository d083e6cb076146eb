"""`ringfence alerts` on a real database of a server: what it prints, where, and what it refuses."""

import asyncio
import dataclasses
import json
import os
import pty
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.wire.record_examples import ALERT

from ringfence.control.database import Database
from ringfence.control.enrolment import create_token, enrol
from ringfence.control.export import newest_alerts, next_alerts
from ringfence.control.ingest import store_batch
from ringfence.control.migrate import migrate
from ringfence.control.refusals import RequestRefused
from ringfence.model.records import HostFacts, NumberedRecord, RecordKey

EVIL = "/srv/\x1b[2J\u202egpj.sh"
COMMAND = (sys.executable, "-m", "ringfence.programs.cli", "alerts")
EPOCH = "00000000000000aa"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose server knows 250 alerts; the newest has an evil name."""
    server = tmp_path / "server"
    server.mkdir()
    migrate(server / "ringfence.db")
    asyncio.run(_fill(server / "ringfence.db"))
    return tmp_path


async def _fill(file: Path) -> None:
    database = Database(file)
    token = await create_token(database, label="t", life_ms=60_000, uses=1, now_unix_ms=1)
    known = HostFacts("web-1", "m", "k", "d", "x86_64", "0.1.0")
    host = await enrol(database, token=token, facts=known, address="127.0.0.1", now_unix_ms=2)
    found = [dataclasses.replace(ALERT, at_unix_ms=ALERT.at_unix_ms + number) for number in range(249)]
    found.append(dataclasses.replace(ALERT, file=dataclasses.replace(ALERT.file, path=EVIL)))
    records = [NumberedRecord(RecordKey(EPOCH, number), alert) for number, alert in enumerate(found, start=1)]
    await store_batch(database, host.host_id, EPOCH, records, now_unix_ms=3)
    await database.close()


def run(*words: str | Path) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, check=False, timeout=120)


def test_json_lines_hold_the_whole_alert_newest_first(state: Path) -> None:
    done = run("--state", state, "--json", "--limit", "220")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 220
    assert [one["alert_id"] for one in found] == sorted((one["alert_id"] for one in found), reverse=True)
    assert found[0]["alert"]["file"]["path"] == EVIL
    assert found[0]["alert"]["rules"][0]["author"] == "Ringfence"
    assert found[0]["host_name"] == "web-1"
    assert found[0]["state"] == "open"
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout


def test_ocsf_lines_are_findings(state: Path) -> None:
    done = run("--state", state, "--ocsf", "--limit", "2")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["class_uid"] for one in found] == [2004, 2004]
    assert found[0]["evidences"][0]["file"]["path"] == EVIL
    assert found[0]["device"]["hostname"] == "web-1"


def test_plain_lines_show_control_characters_as_escapes(state: Path) -> None:
    done = run("--state", state, "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert b"/srv/\\x1b[2J\\u202egpj.sh" in done.stdout
    assert b"\x1b" not in done.stdout


def test_a_terminal_gets_a_table_that_no_name_can_steer(state: Path) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200", "NO_COLOR": "1"}
    with subprocess.Popen(
        [*COMMAND, "--state", str(state), "--limit", "1"], stdout=follower, stderr=follower, env=environment
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65_536):
                shown += part
        except OSError:  # the end of a terminal
            pass
        assert process.wait(60) == 0
    os.close(leader)
    assert b"\x1b[2J" not in shown
    assert b"EICAR_Test_File" in shown
    assert b"\\x1b[2J" in shown


def test_follow_goes_on_with_what_comes(state: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--state", str(state), "--json", "--limit", "1", "--follow"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        asyncio.run(_one_more(state / "server" / "ringfence.db", first["host_id"]))
        assert json.loads(process.stdout.readline())["alert_id"] == first["alert_id"] + 1
        process.kill()


async def _one_more(file: Path, host_id: str) -> None:
    database = Database(file)
    record = NumberedRecord(RecordKey(EPOCH, 251), ALERT)
    await store_batch(database, host_id, EPOCH, [record], now_unix_ms=4)
    await database.close()


def test_pages_meet_without_a_gap_or_a_repeat(state: Path) -> None:
    async def read() -> tuple[list[int], list[int]]:
        database = Database(state / "server" / "ringfence.db")
        down = [one.row.alert_id for one in await newest_alerts(database, limit=100)]
        down += [one.row.alert_id for one in await newest_alerts(database, before=down[-1], limit=200)]
        up = [one.row.alert_id for one in await next_alerts(database, after=0, limit=200)]
        up += [one.row.alert_id for one in await next_alerts(database, after=up[-1], limit=200)]
        with pytest.raises(RequestRefused):
            await newest_alerts(database, limit=10**6)
        await database.close()
        return down, up

    down, up = asyncio.run(read())
    assert len(up) == 250
    assert down == up[::-1]


def test_a_directory_without_a_server_is_refused(tmp_path: Path) -> None:
    done = run("--state", tmp_path / "nothing")
    assert done.returncode == 66
    assert b"path-refused" in done.stderr
    assert not (tmp_path / "nothing").exists()


def test_a_database_of_another_version_or_none_is_refused(state: Path) -> None:
    file = state / "server" / "ringfence.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'later'")
        connection.commit()
    assert run("--state", state).returncode == 78
    file.write_bytes(b"no database at all" * 100)
    done = run("--state", state)
    assert done.returncode == 78
    assert b"Traceback" not in done.stderr


def test_two_outputs_at_once_are_refused(state: Path) -> None:
    assert run("--state", state, "--json", "--ocsf").returncode == 2
    assert run("--state", state, "--limit", "0").returncode == 2
