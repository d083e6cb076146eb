"""The HTTPS client of a host: one connection to one server, whose CA is pinned.

Bounded: each wait by `UPLINK_TIMEOUT_S`, the answer by `UPLINK_ANSWER_BYTES_MAX`; a whole exchange is bounded by
whoever calls `abort` from another thread.  No redirect is followed, no proxy asked, no system certificate trusted.
"""

import contextlib
import http.client
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

from ringfence.model import limits
from ringfence.model.errors import CredentialRefused, UplinkRefused
from ringfence.wire import uplink
from ringfence.wire.host_identity import HostIdentity

_CREATED: Final = 201
_OK: Final = 200
_NOT_KNOWN: Final = frozenset({401, 403})
_MALFORMED: Final = frozenset({400, 413, 422})
_JSON: Final = "application/json"


class Unreachable(Exception):
    """No connection, no answer in time, or not one that says anything about our request."""


class UplinkClient:
    """A client for one server.  Not thread-safe, except `abort`."""

    def __init__(self, server: str, ca_der: bytes) -> None:
        """Talk to `server` (https://host:port), if a certificate of this CA vouches for it."""
        parts = urlsplit(server)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._context = pinned_context(ca_der)
        self._connection: http.client.HTTPSConnection | None = None

    def enrol(self, request: uplink.EnrolRequest) -> uplink.EnrolAnswer:
        """Exchange a token for an identity.  Raises CredentialRefused, UplinkRefused or Unreachable."""
        status, body = self._post(uplink.ENROL_PATH, uplink.encode_enrol_request(request), {"Content-Type": _JSON})
        if status != _CREATED:
            raise _refusal(status, "the enrolment token", body)
        return uplink.decode_enrol_answer(body)

    def send(self, identity: HostIdentity, body: bytes) -> int:
        """Send a batch; returns how far the server has taken the epoch.

        Raises CredentialRefused when the server does not know the host, UplinkRefused when it calls the batch (or we
        its answer) malformed, Unreachable otherwise.
        """
        headers = {
            "Authorization": f"Bearer {identity.credential}",
            "Content-Type": uplink.RECORDS_CONTENT_TYPE,
        }
        status, answer = self._post(uplink.RECORDS_PATH, body, headers)
        if status != _OK:
            raise _refusal(status, "this host's credential", answer)
        try:
            return uplink.decode_accepted(answer).accepted_through
        except UplinkRefused as error:
            self.close()
            raise Unreachable(f"an answer that we do not understand: {error.what}") from error

    def abort(self) -> None:
        """End what is being waited for, from another thread.  The exchange then fails as Unreachable."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """One exchange: status and bounded body.  A kept connection that has ended meanwhile is opened anew once."""
        kept = self._connection is not None
        try:
            return self._exchange(path, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise Unreachable(str(error)) from error
        try:
            return self._exchange(path, body, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unreachable(str(error)) from error

    def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=limits.UPLINK_TIMEOUT_S, context=self._context
            )
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        answer = response.read(limits.UPLINK_ANSWER_BYTES_MAX + 1)
        if len(answer) > limits.UPLINK_ANSWER_BYTES_MAX or not response.isclosed():
            raise http.client.HTTPException("the answer is larger than allowed")
        if response.will_close:
            self.close()
        return response.status, answer


def pinned_context(ca_der: bytes) -> ssl.SSLContext:
    """A TLS context that trusts one CA and nothing else.  Raises ssl.SSLError when `ca_der` is no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=ca_der)
    return context


def _refusal(status: int, what: str, body: bytes) -> Exception:
    if status in _NOT_KNOWN:
        return CredentialRefused(f"the server does not accept {what}", "enrol this host again with a new token")
    if status in _MALFORMED:
        said = body[:200].decode("utf-8", "replace")
        return UplinkRefused(f"the server refused what we sent: {said}", "host and server must be of versions that fit")
    return Unreachable(f"the server answered {status}")
