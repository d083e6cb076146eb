"""People at the real server: the first password, sessions and their ends, form tokens, the limit on guessing."""

from pathlib import Path

import pytest
from tests.control.server_process import RunningServer, one_shot, running_server, steered_server

from ringfence.model.limits import (
    LOGIN_REFUSALS_PER_ADDRESS_MAX,
    LOGIN_REFUSALS_PER_USER_MAX,
    LOGIN_WINDOW_MS,
    SESSION_ABSOLUTE_MS,
    SESSION_IDLE_MS,
)

API = "/api/v1/overview"


def _try(server: RunningServer, name: str, password: str) -> int:
    client = server.client()
    return client.post("/login", data={"name": name, "password": password}).status_code


def test_the_first_start_prints_a_password_that_works_and_later_ones_do_not(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as first:
        password = first.first_password
        assert password is not None
        assert first.stop() == 0
    with running_server(tmp_path / "state") as second:
        assert second.first_password is None
        assert second.person(password=password).client.get(API).status_code == 200
        hashes = second.rows("SELECT password_hash FROM users")
        assert [text.startswith("$argon2id$") for (text,) in hashes] == [True]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server: RunningServer) -> None:
    person = server.person()
    assert person.cookie.startswith("__Host-ringfence-session=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(person.cookie.split("; "))


def test_the_database_knows_only_the_hash_of_a_session(server: RunningServer) -> None:
    token = server.person().cookie.split("=")[1].split(";")[0]
    for file in (server.database, server.database.with_name("ringfence.db-wal")):
        assert token.encode() not in file.read_bytes()


def test_a_log_out_ends_the_session_for_every_copy_of_its_cookie(server: RunningServer) -> None:
    person = server.person()
    copy = server.client(cookie=person.cookie.split(";")[0])
    assert copy.get(API).status_code == 200
    person.client.post("/logout", data={"form_token": person.form_token})
    assert copy.get(API).status_code == 401


def test_a_change_needs_the_form_token_of_this_very_session(server: RunningServer) -> None:
    person, other = server.person(), server.person()
    change = {"text": "seen"}
    without = person.client.post("/api/v1/alerts/1/notes", json=change)
    foreign = person.client.post(
        "/api/v1/alerts/1/notes", json=change, headers={"x-ringfence-form-token": other.form_token}
    )
    assert [answer.json()["code"] for answer in (without, foreign)] == ["cross-site-refused"] * 2
    assert person.post("/api/v1/alerts/1/notes", change).json()["code"] == "not-found"


def test_another_site_cannot_log_a_browser_in(server: RunningServer) -> None:
    form = {"name": "admin", "password": server.first_password}
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert server.client(**header).post("/login", data=form).status_code == 403


def test_guessing_one_user_is_limited_also_after_a_restart(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        password = server.first_password or ""
        statuses = [_try(server, "admin", f"wrong {n}") for n in range(LOGIN_REFUSALS_PER_USER_MAX)]
        assert statuses == [401] * LOGIN_REFUSALS_PER_USER_MAX
        server.kill()
    with running_server(tmp_path / "state") as server:
        assert _try(server, "admin", password) == 429
        assert server.rows("SELECT DISTINCT action FROM audit_log WHERE action LIKE 'user:session:%'") == [
            ("user:session:refused",),
            ("user:session:limited",),
        ]


def test_guessing_many_users_from_one_address_is_limited(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        statuses = [_try(server, f"user{n}", "x") for n in range(LOGIN_REFUSALS_PER_ADDRESS_MAX + 1)]
        assert statuses == [401] * LOGIN_REFUSALS_PER_ADDRESS_MAX + [429]


def test_the_limit_passes_with_its_window(tmp_path: Path, clock: Path) -> None:
    with steered_server(tmp_path / "state", clock) as server:
        for n in range(LOGIN_REFUSALS_PER_USER_MAX):
            _try(server, "admin", f"wrong {n}")
        assert _try(server, "admin", server.first_password or "") == 429
        clock.write_text(str(LOGIN_WINDOW_MS + 1_000))
        assert _try(server, "admin", server.first_password or "") == 303


def test_an_idle_session_ends(tmp_path: Path, clock: Path) -> None:
    with steered_server(tmp_path / "state", clock) as server:
        person = server.person()
        clock.write_text(str(SESSION_IDLE_MS - 60_000))
        assert person.client.get(API).status_code == 200
        clock.write_text(str(2 * SESSION_IDLE_MS - 180_000))
        assert person.client.get(API).status_code == 200
        clock.write_text(str(3 * SESSION_IDLE_MS))
        assert person.client.get(API).status_code == 401


def test_a_busy_session_ends_as_well(tmp_path: Path, clock: Path) -> None:
    with steered_server(tmp_path / "state", clock) as server:
        person = server.person()
        for at_ms in range(0, SESSION_ABSOLUTE_MS, SESSION_IDLE_MS // 2):
            clock.write_text(str(at_ms))
            assert person.client.get(API).status_code == 200
        clock.write_text(str(SESSION_ABSOLUTE_MS + 60_000))
        assert person.client.get(API).status_code == 401


def test_a_session_does_not_live_again_when_the_clock_goes_back(tmp_path: Path, clock: Path) -> None:
    with steered_server(tmp_path / "state", clock) as server:
        person = server.person()
        clock.write_text(str(SESSION_IDLE_MS + 60_000))
        assert person.client.get(API).status_code == 401
        clock.write_text("0")
        assert person.client.get(API).status_code == 401


def test_a_new_password_ends_the_old_one_and_its_sessions(tmp_path: Path) -> None:
    with running_server(tmp_path / "state") as server:
        person = server.person()
        password = one_shot(server.state, "--reset-password", "admin")
        assert person.client.get(API).status_code == 401
        assert _try(server, "admin", server.first_password or "") == 401
        assert _try(server, "admin", password) == 303


@pytest.mark.parametrize(("role", "note", "revoke"), [("reader", 403, 403), ("analyst", 404, 403)])
def test_a_role_bounds_what_its_user_may_do(server: RunningServer, role: str, note: int, revoke: int) -> None:
    password = one_shot(server.state, "--add-user", role, "--role", role)
    person = server.person(role, password)
    assert person.post("/api/v1/alerts/999/notes", {"text": "x"}).status_code == note
    assert person.post(f"/api/v1/hosts/{'0' * 32}/revoke", {}).status_code == revoke
    assert person.client.get(API).status_code == 200
