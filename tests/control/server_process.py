"""A real server process with TLS on a free port, and hosts and people who talk to it."""

import contextlib
import json
import os
import select
import signal
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from tests.unit.wire.record_examples import ALERT

from ringfence.host.sandbox import die_with_parent
from ringfence.model.records import Alert, HostFacts, NumberedRecord, Record, RecordKey
from ringfence.wire import uplink

ROOT: Final = Path(__file__).resolve().parents[2]
READY_S: Final = 60
"""How long a test waits before it says that the server did not start: a deadline, not a measurement."""

EPOCH: Final = "00000000000000aa"
FACTS: Final = HostFacts("web-1", "m" * 32, "6.1.0", "Debian 12", "x86_64", "0.1.0")


class NotStarted(Exception):
    """The server ended instead of serving."""

    def __init__(self, status: int, errors: str) -> None:
        super().__init__(f"status {status}: {errors}")
        self.status = status
        self.errors = errors


@dataclass
class RunningServer:
    """One process.  `first_password` is None unless this start made the first user."""

    state: Path
    process: subprocess.Popen[str]
    address: str
    first_password: str | None
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def database(self) -> Path:
        """The server's database file."""
        return self.state / "server" / "ringfence.db"

    @property
    def token(self) -> str:
        """The token for this machine's own host."""
        return (self.state / "server" / "enrolment.token").read_text()

    def tls(self) -> ssl.SSLContext:
        """Trust in the server's own CA and in nothing else."""
        return ssl.create_default_context(cafile=str(self.state / "server" / "ca.pem"))

    def client(self, **headers: str) -> httpx.Client:
        """Somebody without a session; closed with the server."""
        client = httpx.Client(base_url=self.address, verify=self.tls(), headers=headers, timeout=READY_S)
        self.clients.append(client)
        return client

    def person(self, name: str = "admin", password: str | None = None) -> "Person":
        """Somebody who has logged in through the console's form."""
        client = self.client()
        answer = client.post("/login", data={"name": name, "password": password or self.first_password or ""})
        assert answer.status_code == 303, answer.text
        return Person(client, answer.headers["set-cookie"])

    def rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """What is in the database, read by somebody else than the server."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, values).fetchall()

    def stop(self) -> int:
        """End it politely; returns its exit status."""
        for client in self.clients:
            client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_S)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(READY_S)


@dataclass
class Person:
    """A logged-in browser; `cookie` is the whole header that opened the session."""

    client: httpx.Client
    cookie: str

    @property
    def form_token(self) -> str:
        """The token that the console writes into each of its forms."""
        page = self.client.get("/account").text
        return page.split('name="form_token" value="')[1].split('"')[0]

    def post(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        """Call the API as a page of the console would."""
        return self.client.post(path, json=body, headers={"x-ringfence-form-token": self.form_token})


@dataclass
class Host:
    """A host that has enrolled."""

    server: RunningServer
    host_id: str
    credential: str
    client: httpx.Client

    def send(self, *records: NumberedRecord, host_id: str = "") -> httpx.Response:
        """Send one batch."""
        return self.send_bytes(uplink.encode_batch(host_id or self.host_id, records[0].key.epoch, records))

    def send_bytes(self, body: bytes) -> httpx.Response:
        """Send whatever it is as a batch."""
        return self.client.post(uplink.RECORDS_PATH, content=body, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every batch."""
        return {"authorization": f"Bearer {self.credential}", "content-type": uplink.RECORDS_CONTENT_TYPE}


def numbered(first: int, count: int = 1, record: Record = ALERT, epoch: str = EPOCH) -> Sequence[NumberedRecord]:
    """`count` records from number `first` on; alerts differ in their path."""
    return [NumberedRecord(RecordKey(epoch, n), _at_path(record, n)) for n in range(first, first + count)]


def _at_path(record: Record, number: int) -> Record:
    if not isinstance(record, Alert):
        return record
    return Alert(
        record.at_unix_ms, record.source, record.response,
        type(record.file)(f"/srv/upload/{number}.sh", 68, "ab" * 32, 1000, 2049, number),
        record.rules, record.matches, record.process, record.ancestors, record.release,
    )  # fmt: skip


def enrol(server: RunningServer, token: str | None = None) -> Host:
    """A new host."""
    client = server.client()
    answer = client.post(
        uplink.ENROL_PATH, content=uplink.encode_enrol_request(uplink.EnrolRequest(token or server.token, FACTS))
    )
    assert answer.status_code == 201, answer.text
    enrolled = uplink.decode_enrol_answer(answer.content)
    return Host(server, enrolled.host_id, enrolled.credential, client)


@contextlib.contextmanager
def running_server(state: Path, *options: str) -> Iterator[RunningServer]:
    """`ringfence server` on a free port.  Raises `NotStarted` when it ends instead."""
    words = ["-m", "ringfence.programs.cli", "server", "--state", str(state), "--listen", "127.0.0.1:0", "--json"]
    with _running(state, [*words, "--ready-fd", "{ready}", *options]) as server:
        yield server


@contextlib.contextmanager
def steered_server(state: Path, clock: Path, fault: str = "none") -> Iterator[RunningServer]:
    """`tests/control/steered_server.py`: a clock to move, a death on wish."""
    words = ["-m", "tests.control.steered_server", str(state), "{ready}", str(clock), fault]
    with _running(state, words) as server:
        yield server


def one_shot(state: Path, *options: str) -> str:
    """`ringfence server` with an option that prints a secret and ends."""
    words = [sys.executable, "-m", "ringfence.programs.cli", "server", "--state", str(state), *options]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


@contextlib.contextmanager
def _running(state: Path, words: Sequence[str]) -> Iterator[RunningServer]:
    ready, ready_there = os.pipe()
    process = subprocess.Popen(
        [sys.executable, *(word.format(ready=ready_there) for word in words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(ready_there,),
        cwd=ROOT,
        preexec_fn=die_with_parent,  # noqa: PLW1509  # a test run that is killed must not leave servers behind
    )
    os.close(ready_there)
    with process, os.fdopen(ready, "rb") as ready_pipe:
        try:
            readable, _, _ = select.select([ready_pipe], [], [], READY_S)
            if not readable or ready_pipe.read(1) != b"1":
                process.kill() if not readable else None
                _, errors = process.communicate(timeout=READY_S)
                raise NotStarted(process.returncode, errors)
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            server = RunningServer(state, process, said["address"], said["first_password"])
            yield server
            for client in server.clients:
                client.close()
        finally:
            process.kill()
            process.wait(READY_S)
