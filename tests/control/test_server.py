"""How the server starts, refuses to start, and ends: every refusal has its status, its words and its way out."""

import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.control.server_process import (
    EPOCH,
    Host,
    NotStarted,
    enrol,
    numbered,
    one_shot,
    running_server,
    steered_server,
)
from tests.support.machine import kernel_requires

from ringfence.model.limits import CLOCK_BACK_TOLERANCE_MS
from ringfence.wire import uplink


def _refusal(state: Path, *options: str) -> tuple[int, str]:
    """The exit status and the words of a server that must not start."""
    with pytest.raises(NotStarted) as refused, running_server(state, *options):
        pass
    assert "Traceback" not in refused.value.errors
    assert "way out:" in refused.value.errors
    return refused.value.status, refused.value.errors


def test_a_server_that_is_told_to_end_ends_well(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        assert server.client().get("/healthz").text == "ok\n"
        assert server.stop() == 0
    actions = server.rows("SELECT action FROM audit_log WHERE subject = 'server' ORDER BY audit_id")
    assert [action for (action,) in actions] == [
        "server:certificate:issued", "server:server:started", "server:server:stopped",
    ]  # fmt: skip


def test_everything_it_writes_is_private(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        modes = {path.name: path.stat().st_mode & 0o077 for path in server.state.rglob("*")}
    assert {name for name, mode in modes.items() if mode} == set()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, errors = _refusal(tmp_path / "state", "--listen", address)
    assert status == 69
    assert f"error address-in-use: {address}" in errors


@pytest.mark.parametrize("text", ["8443", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", ":1"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    assert _refusal(tmp_path / "state", "--listen", text)[0] == 2


def test_a_second_server_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path / "state"):
        status, errors = _refusal(tmp_path / "state")
    assert (status, "another server runs on" in errors) == (69, True)


def test_a_state_directory_of_another_format_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "ringfence-state.json").write_text('{"created_by":"ringfence 9","format":9}')
    assert _refusal(state)[0] == 78
    (state / "ringfence-state.json").write_text("not JSON")
    assert _refusal(state)[0] == 78


def test_a_directory_with_strangers_in_it_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "holiday.jpg").write_text("x")
    status, errors = _refusal(state)
    assert (status, "holiday.jpg" in errors) == (78, True)
    assert [path.name for path in state.iterdir()] == ["holiday.jpg"]


def test_a_state_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    status, errors = _refusal(state)
    assert (status, f"chmod 0700 {state}" in errors) == (79, True)


def test_a_state_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    kernel_requires("root")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    shutil.chown(state, 12_345)
    assert _refusal(state)[0] == 79


def test_a_state_directory_without_a_parent_is_refused(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "nowhere" / "state")[0] == 66


def test_a_database_that_is_none_is_refused_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_server(state) as server:
        server.stop()
    server.database.write_bytes(b"garbage" * 1_000)
    assert _refusal(state)[0] == 78
    assert server.database.read_bytes() == b"garbage" * 1_000


def test_a_database_of_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_server(state) as server:
        server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    status, errors = _refusal(state)
    assert (status, "'9999'" in errors) == (78, True)


def test_a_clock_that_went_back_far_is_refused_until_a_person_accepts_it(tmp_path: Path, clock: Path) -> None:
    state = tmp_path / "state"
    with steered_server(state, clock) as server:
        server.stop()
    clock.write_text(str(-CLOCK_BACK_TOLERANCE_MS - 60_000))
    with pytest.raises(NotStarted) as refused, steered_server(state, clock):
        pass
    assert refused.value.status == 75
    assert "--accept-clock" in refused.value.errors


def test_a_person_may_accept_the_clock_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_server(state) as server:
        server.stop()
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("UPDATE server_facts SET value = ?", (str((int(time.time()) + 86_400) * 1000),))
    assert _refusal(state)[0] == 75
    with running_server(state, "--accept-clock") as server:
        assert server.rows("SELECT count(*) FROM audit_log WHERE action = 'server:clock:accepted'") == [(1,)]
        server.stop()
    with running_server(state) as server:
        assert server.client().get("/healthz").status_code == 200


def test_a_clock_that_went_back_a_little_is_waited_out(tmp_path: Path, clock: Path) -> None:
    state = tmp_path / "state"
    with steered_server(state, clock) as server:
        server.stop()
    clock.write_text(str(-CLOCK_BACK_TOLERANCE_MS + 60_000))
    with steered_server(state, clock) as server:
        times = [at for (at,) in server.rows("SELECT at_unix_ms FROM audit_log ORDER BY audit_id")]
    assert times == sorted(times)


def test_a_damaged_certificate_is_made_anew_and_a_damaged_ca_is_not(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_server(state) as server:
        server.stop()
    ca = (state / "server" / "ca.pem").read_bytes()
    (state / "server" / "server.pem").write_text("damaged")
    with running_server(state) as server:
        assert server.client().get("/healthz").status_code == 200
        assert (state / "server" / "ca.pem").read_bytes() == ca
    (state / "server" / "ca.key").write_text("damaged")
    assert _refusal(state)[0] == 78


def test_a_name_that_the_ca_was_not_made_for_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path / "state", "--name", "control.example") as server:
        server.stop()
    assert _refusal(tmp_path / "state", "--name", "other.example")[0] == 2


def test_two_one_shot_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        one_shot(tmp_path / "state", "--enrolment-token", "--api-token", "admin")
    assert refused.value.returncode == 2
    assert "cannot go together" in refused.value.stderr


def test_a_one_shot_option_prints_one_json_document(tmp_path: Path) -> None:
    said = json.loads(one_shot(tmp_path / "state", "--enrolment-token", "--json"))
    assert len(said["enrolment_token"]) == 64


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of this test's own."""
    kernel_requires("mount")
    where = tmp_path / "small"
    where.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(where)], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def _fill(disk: Path) -> Path:
    """Leave not a byte free; returns the file to delete."""
    filler = disk / "state" / "host"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4_096)
    return filler


def test_a_full_disk_loses_nothing_that_was_accepted_and_heals(small_disk: Path) -> None:
    with running_server(small_disk / "state") as server:
        host = enrol(server)
        assert host.send(*numbered(1, 3)).status_code == 200
        person = server.person()
        filler = _fill(small_disk)
        accepted, answer = 3, host.send(*numbered(4, 100))
        while answer.status_code == 200:  # the log may have some room left inside
            accepted = uplink.decode_accepted(answer.content).accepted_through
            answer = host.send(*numbered(accepted + 1, 100))
        assert (answer.status_code, answer.json()["code"]) == (507, "disk-full")
        assert answer.headers["retry-after"] == "30"
        assert person.client.get("/api/v1/alerts").json()["total"] == accepted
        filler.unlink()
        assert host.send(*numbered(accepted + 1)).status_code == 200
        assert server.rows("SELECT max(number), count(*) FROM alerts WHERE epoch = ?", EPOCH) == [
            (accepted + 1, accepted + 1)
        ]


def test_a_disk_that_is_full_at_the_start_is_named(small_disk: Path) -> None:
    state = small_disk / "state"
    state.mkdir(mode=0o700)
    _fill(small_disk)
    status, errors = _refusal(state)
    assert (status, "error disk-full" in errors) == (74, True)


def test_a_host_goes_on_with_the_same_credential_after_a_restart(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        host = enrol(server)
        assert host.send(*numbered(1)).status_code == 200
        server.kill()
    with running_server(tmp_path / "state") as server:
        host = Host(server, host.host_id, host.credential, server.client())
        assert uplink.decode_accepted(host.send(*numbered(1, 2)).content).accepted_through == 2


def test_a_server_on_every_address_is_reached_from_its_own_machine(tmp_path: Path) -> None:
    with running_server(tmp_path / "state", "--listen", "0.0.0.0:0") as server:
        assert server.address.startswith("https://127.0.0.1:")
        assert server.client().get("/healthz").status_code == 200
