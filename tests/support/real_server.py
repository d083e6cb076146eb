"""A real `ringfence server` in its own process, and a host that enrols and reports to it over real TLS.

What is posted goes the way of a real host's records: encoded by `wire/uplink.py`, accepted by the gateway, stored.
"""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from ringfence.model.records import HostFacts, NumberedRecord, Record, RecordKey
from ringfence.wire import uplink

_STOP_S: Final = 20
_REQUEST_S: Final = 20
_RINGFENCE: Final = (sys.executable, "-m", "ringfence.programs.cli")


@dataclass(slots=True)
class ReportingHost:
    """An enrolled host that posts records in their order; `epoch` is the life of its spool."""

    server: "RealServer"
    host_id: str
    credential: str
    epoch: str
    number: int = field(default=0)

    def post(self, records: Sequence[Record], *, skip_numbers: int = 0) -> None:
        """Post records with the next numbers; `skip_numbers` are lost on the way, and the server sees a gap."""
        first = self.number + skip_numbers + 1
        numbered = [NumberedRecord(RecordKey(self.epoch, first + place), one) for place, one in enumerate(records)]
        with self.server.client() as client:
            answer = client.post(
                uplink.RECORDS_PATH,
                content=uplink.encode_batch(self.host_id, self.epoch, numbered),
                headers={
                    "authorization": f"Bearer {self.credential}",
                    "content-type": uplink.RECORDS_CONTENT_TYPE,
                },
            )
        answer.raise_for_status()
        self.number = numbered[-1].key.number


@dataclass(frozen=True, slots=True)
class RealServer:
    """A running server."""

    state: Path
    address: str
    ca_certificate: Path
    user: str
    password: str = field(repr=False)

    def client(self) -> httpx.Client:
        """An HTTP client that trusts this server's own certificate authority and nothing else."""
        return httpx.Client(
            base_url=self.address, verify=ssl.create_default_context(cafile=self.ca_certificate), timeout=_REQUEST_S
        )

    def once(self, *words: str) -> str:
        """What one run of `ringfence server --state … WORDS` prints, for example a token or a password."""
        run = subprocess.run(  # our own program with words of the test
            [*_RINGFENCE, "server", "--state", str(self.state), *words], check=True, capture_output=True, text=True
        )
        return run.stdout.strip()

    def enrol(self, facts: HostFacts, *, epoch: str) -> ReportingHost:
        """Enrol a host with a fresh token."""
        token = self.once("--enrolment-token")
        with self.client() as client:
            answer = client.post(
                uplink.ENROL_PATH,
                content=uplink.encode_enrol_request(uplink.EnrolRequest(token, facts)),
                headers={"content-type": "application/json"},
            )
        answer.raise_for_status()
        known = uplink.decode_enrol_answer(answer.content)
        return ReportingHost(self, known.host_id, known.credential, epoch)


@contextmanager
def running_server(state: Path) -> Iterator[RealServer]:
    """Start a server on a free port of this machine with a new state directory, and stop it at the end."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with subprocess.Popen(
        [*_RINGFENCE, "server", "--state", str(state), "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _started(process, state)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _started(process: subprocess.Popen[str], state: Path) -> RealServer:
    """The server behind its first line, which says where it is and how to log in."""
    if process.stdout is None:
        raise RuntimeError("the server has no standard output")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the server ended with status {process.wait(_STOP_S)} before it was ready")
    started = json.loads(line)
    return RealServer(
        state, started["address"], Path(started["ca_certificate"]), started["first_user"], started["first_password"]
    )
