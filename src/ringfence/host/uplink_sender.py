"""The one thread of the courier that talks to the server, so that nothing there ever delays a gate.

It gets a batch and gives an outcome, one at a time.  The identity file is read anew before each batch that follows a
failure: enrolment may come after the courier's start, and a new credential at any time.
"""

import os
import queue
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from ringfence.decide.courier_messages import Failure
from ringfence.host.courier_shell import Outcome
from ringfence.host.spool import SpoolBatch
from ringfence.host.uplink_client import Unreachable, UplinkClient
from ringfence.model.errors import ContentRefused, CredentialRefused, UplinkRefused
from ringfence.wire.host_identity import HostIdentity, decode_identity
from ringfence.wire.uplink import encode_batch_lines


class UplinkSender:
    """A thread with a client.  `wake` is a descriptor that becomes readable when an outcome is there."""

    def __init__(self, identity: Path, make_client: Callable[[str, bytes], UplinkClient] = UplinkClient) -> None:
        self._identity_file = identity
        self._make_client = make_client
        self._identity: HostIdentity | None = None
        self._client: UplinkClient | None = None
        self._batches: queue.SimpleQueue[SpoolBatch] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._run, name="uplink", daemon=True).start()

    def send(self, batch: SpoolBatch) -> None:
        """Begin to send a batch."""
        self._batches.put(batch)

    def outcome(self) -> Outcome | None:
        """The outcome of the batch, once."""
        try:
            os.eventfd_read(self.wake)
            return self._outcomes.get_nowait()
        except (BlockingIOError, queue.Empty):
            return None

    def abort(self) -> None:
        """The exchange takes too long: end it."""
        client = self._client
        if client is not None:
            client.abort()

    def _run(self) -> None:
        while True:
            batch = self._batches.get()
            outcome = self._deliver(batch)
            if outcome.failure is not None:
                self._reset()
            self._outcomes.put(outcome)
            os.eventfd_write(self.wake, 1)

    def _deliver(self, batch: SpoolBatch) -> Outcome:
        try:
            identity, client = self._known()
            body = encode_batch_lines(identity.host_id, batch.epoch, batch.first_number, batch.lines)
            return Outcome(batch, client.send(identity, body))
        except CredentialRefused:
            return Outcome(batch, 0, Failure.CREDENTIAL)
        except UplinkRefused:
            return Outcome(batch, 0, Failure.MALFORMED)
        except FileNotFoundError:
            return Outcome(batch, 0, Failure.NOT_ENROLLED)
        except (Unreachable, ContentRefused, OSError, ssl.SSLError):
            return Outcome(batch, 0, Failure.UNREACHABLE)

    def _known(self) -> tuple[HostIdentity, UplinkClient]:
        """The identity and its client.  Raises FileNotFoundError while the host is not enrolled."""
        if self._identity is None or self._client is None:
            self._identity = decode_identity(self._identity_file.read_bytes())
            self._client = self._make_client(self._identity.server, self._identity.ca_der)
        return self._identity, self._client

    def _reset(self) -> None:
        if self._client is not None:
            self._client.close()
        self._identity, self._client = None, None
