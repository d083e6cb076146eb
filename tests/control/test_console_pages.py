"""The console over HTTP, without a browser: who gets in, what a form must carry, what every answer says."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.support.example_fleet import WEB_SHELL, alert, facts, status
from tests.support.real_server import RealServer, running_server

from ringfence.control.console.security import CONTENT_SECURITY_POLICY

PATH = "/srv/www/upload.php"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server with one host and three alerts."""
    with running_server(tmp_path_factory.mktemp("pages") / "state") as one:
        host = one.enrol(facts("web-01"), epoch="1a2b3c4d5e6f7081")
        now = time.time_ns() // 1_000_000
        host.post([status(now), *(alert(now, PATH, WEB_SHELL) for _ in range(3))])
        yield one


@pytest.fixture(scope="module")
def person(server: RealServer) -> Iterator[httpx.Client]:
    """Somebody who is logged in as the first user."""
    with server.client() as client:
        log_in(client, server.user, server.password)
        yield client


def log_in(client: httpx.Client, name: str, password: str, **more: str) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password, **more})


def token_of(client: httpx.Client) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', client.get("/account").text)
    assert found
    return found[1]


def version_of(client: httpx.Client, alert_id: int) -> str:
    found = re.search(rf'name="alert" value="({alert_id}:\d+)"', client.get(f"/alerts/{alert_id}").text)
    assert found
    return found[1]


@pytest.mark.parametrize("path", ["/", "/alerts", "/alerts/1", "/hosts", "/audit", "/account", "/help", "/nowhere"])
def test_nobody_sees_a_page_without_logging_in(path: str, server: RealServer) -> None:
    with server.client() as client:
        answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


def test_the_log_in_leads_back_to_the_page_that_was_wanted_and_nowhere_else(server: RealServer) -> None:
    with server.client() as client:
        assert client.get("/alerts?q=x").headers["location"] == "/login?next=%2Falerts%3Fq%3Dx"
        for wanted, led_to in (
            ("/alerts?q=x", "/alerts?q=x"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\nset-cookie: x", "/"),
        ):
            answer = log_in(client, server.user, server.password, next=wanted)
            assert (answer.status_code, answer.headers["location"]) == (303, led_to)


def test_the_cookie_of_a_session_is_out_of_reach(server: RealServer) -> None:
    with server.client() as client:
        cookie = log_in(client, server.user, server.password).headers["set-cookie"]
    assert cookie.startswith("__Host-ringfence-session=")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


def test_a_log_in_form_of_another_site_is_refused(server: RealServer) -> None:
    with server.client() as client:
        answer = client.post(
            "/login",
            data={"name": server.user, "password": server.password},
            headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "Another site sent this request" in answer.text


@pytest.mark.parametrize("path", ["/", "/alerts", "/nowhere", "/login"])
def test_every_page_carries_the_policy_and_is_kept_by_nobody(path: str, person: httpx.Client) -> None:
    headers = person.get(path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


def test_static_files_are_kept_for_good_under_their_hash(person: httpx.Client) -> None:
    address = re.search(r'href="(/static/[0-9a-f]{16}/base\.css)"', person.get("/").text)
    assert address
    answer = person.get(address[1])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert person.get("/static/0000000000000000/base.css").status_code == 404
    assert person.get("/static/../routes.py").status_code == 404


@pytest.mark.parametrize("path", ["/alerts/triage", "/theme", "/logout", "/hosts/0/revoke"])
def test_a_form_without_the_session_s_token_changes_nothing(path: str, person: httpx.Client) -> None:
    for token in ({}, {"form_token": ""}, {"form_token": "0" * 64}, {"form_token": "\u00e9"}):
        answer = person.post(path, data={**token, "action": "resolve", "alert": "1:1", "theme": "dark"})
        assert answer.status_code == 403
        assert "The form's token does not belong to this session" in answer.text or "form&#39;s token" in answer.text


@pytest.mark.parametrize("path", ["/alerts/triage", "/theme", "/logout"])
def test_nothing_is_changed_by_following_a_link(path: str, person: httpx.Client) -> None:
    assert person.get(path).status_code in (404, 405)
    assert person.get("/account").status_code == 200


def test_alerts_are_triaged_and_the_answer_leads_back(person: httpx.Client) -> None:
    answer = person.post(
        "/alerts/triage",
        data={
            "form_token": token_of(person),
            "action": "resolve",
            "alert": [version_of(person, 1), version_of(person, 2)],
            "return_to": "/alerts?q=upload&done=assign",
        },
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/alerts?q=upload&done=resolve&changed=2&stale=0"
    assert "2 alerts resolved." in person.get(answer.headers["location"]).text
    assert "resolved it" in person.get("/alerts/1").text


@pytest.mark.parametrize(
    ("fields", "status_code", "said"),
    [
        ({"action": "explode", "alert": "3:1"}, 400, "does not say what to do"),
        ({"action": "resolve"}, 400, "no alert is selected"),
        ({"action": "resolve", "alert": "x"}, 404, "named by its number"),
        ({"action": "resolve", "alert": "9999:1"}, 404, "there is no alert 9999"),
        ({"action": "resolve", "alert": "3:77"}, 409, "changed by somebody else"),
        ({"action": "note", "alert": "3:1", "note": "x" * 4_001}, 400, "a note has 1 to 4000 characters"),
        ({"action": "assign", "alert": "3:1", "assignee": "nobody-here"}, 404, "there is no user"),
    ],
)
def test_triage_that_cannot_be_says_why(
    fields: dict[str, str], status_code: int, said: str, person: httpx.Client
) -> None:
    answer = person.post("/alerts/triage", data={"form_token": token_of(person), **fields})
    assert answer.status_code == status_code
    assert said in answer.text


def test_a_form_of_another_kind_or_size_is_refused(person: httpx.Client) -> None:
    token = token_of(person)
    assert person.post("/theme", json={"form_token": token, "theme": "dark"}).status_code == 400
    assert person.post("/theme", data={"form_token": token, "theme": "x" * 70_000}).status_code in (400, 413)
    many = [f"alert={number}:1" for number in range(600)]
    answer = person.post(
        "/alerts/triage",
        content="&".join([f"form_token={token}", *many]),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400


def test_a_reader_reads_and_changes_nothing(server: RealServer) -> None:
    password = server.once("--add-user", "rita", "--role", "reader")
    with server.client() as client:
        log_in(client, "rita", password)
        page = client.get("/alerts/3").text
        assert "triage takes an analyst" in page
        assert 'name="action"' not in client.get("/alerts").text
        answer = client.post(
            "/alerts/triage", data={"form_token": token_of(client), "action": "resolve", "alert": "3:1"}
        )
        assert answer.status_code == 403


def test_logging_out_ends_the_session_for_good(server: RealServer) -> None:
    with server.client() as client:
        log_in(client, server.user, server.password)
        cookies = dict(client.cookies)
        assert client.post("/logout", data={"form_token": token_of(client)}).headers["location"] == "/login"
        client.cookies.update(cookies)
        assert client.get("/alerts").status_code == 303


def test_a_part_of_a_page_tells_the_browser_to_log_in_again(server: RealServer) -> None:
    with server.client() as client:
        answer = client.get("/alerts", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/login")


def test_what_does_not_exist_is_said_plainly(person: httpx.Client) -> None:
    for path in ("/nowhere", "/alerts/x", "/alerts/99999", "/hosts/nobody"):
        answer = person.get(path)
        assert answer.status_code == 404
        assert "<h1>Not found</h1>" in answer.text


def test_the_audit_log_names_who_did_what(person: httpx.Client) -> None:
    page = person.get("/audit?action=user:alert&subject=alert:1").text
    assert "user:alert:resolved" in page
    assert "user:admin" in page
    assert "user:session:opened" not in page


def test_a_password_is_changed_by_who_knows_the_old_one_and_other_sessions_end(server: RealServer) -> None:
    old = server.once("--add-user", "paula", "--role", "analyst")
    new = "three calm words"
    with server.client() as here, server.client() as elsewhere:
        log_in(here, "paula", old)
        log_in(elsewhere, "paula", old)
        for password, first, again, said in (
            ("wrong", new, new, "password is wrong"),
            (old, "short", "short", "a password has"),
            (old, new, f"{new}!", "two new passwords differ"),
        ):
            fields = {"password": password, "new_password": first, "new_password_again": again}
            answer = here.post("/account/password", data={"form_token": token_of(here), **fields})
            assert answer.status_code in (400, 401)
            assert said in answer.text.lower()
        fields = {"password": old, "new_password": new, "new_password_again": new}
        answer = here.post("/account/password", data={"form_token": token_of(here), **fields})
        assert answer.headers["location"] == "/account?done=password"
        assert "The password is changed" in here.get("/account?done=password").text
        assert elsewhere.get("/account").status_code == 303
    with server.client() as client:
        assert log_in(client, "paula", old).status_code == 401
        assert log_in(client, "paula", new).status_code == 303
