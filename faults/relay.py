"""What stands between a host and its server in a bad network: an HTTPS relay that passes on, repeats, holds back, loses
and reorders batches, or is not there.  The host pins the relay's own authority, so that TLS hides nothing from it.
"""

import http.client
import http.server
import ssl
import threading
import time
from enum import StrEnum, unique
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ringfence.control.tls import TlsFiles, prepare_certificates
from ringfence.model.limits import UPLINK_TIMEOUT_S

BATCHES_KEPT: Final = 64


@unique
class Manner(StrEnum):
    """How the relay behaves."""

    HONEST = "honest"
    GONE = "gone"
    """Every connection ends without a word."""

    REPEATS = "repeats"
    """Each batch is delivered twice."""

    LOSES_ANSWERS = "loses answers"
    """Each batch is delivered, and every other answer is lost on its way back."""

    REORDERS = "reorders"
    """Every other batch is called undeliverable, and delivered after the next one all the same; old ones come again."""


class Relay(http.server.ThreadingHTTPServer):
    """One relay with its certificate below `directory`."""

    daemon_threads = True

    def __init__(self, directory: Path, upstream: str, upstream_ca: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        directory.mkdir()
        files = TlsFiles.below(directory)
        prepare_certificates(files, names=(), now_unix_ms=time.time_ns() // 1_000_000)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.ca_certificate = files.ca_certificate
        self.manner = Manner.HONEST
        self.upstream = upstream
        self._trust = ssl.create_default_context(cafile=upstream_ca)
        self._lock = threading.Lock()
        self._kept: list[tuple[str, bytes, dict[str, str]]] = []
        self.posts = 0
        self.delivered = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """What a host is told."""
        return f"https://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()

    def pass_on(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes] | None:
        """The server's answer after this relay's manner; None: the connection is to end without one."""
        with self._lock:
            self.posts += 1
            odd = self.posts % 2 == 1
            match self.manner:
                case Manner.GONE:
                    return None
                case Manner.HONEST:
                    return self._deliver(path, body, headers)
                case Manner.REPEATS:
                    self._deliver(path, body, headers)
                    return self._deliver(path, body, headers)
                case Manner.LOSES_ANSWERS:
                    answer = self._deliver(path, body, headers)
                    return None if odd else answer
                case Manner.REORDERS:
                    self._kept = [*self._kept, (path, body, headers)][-BATCHES_KEPT:]
                    if odd:
                        return 503, b""
                    answer = self._deliver(path, body, headers)
                    for old in reversed(self._kept):
                        self._deliver(*old)
                    return answer

    def _deliver(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes] | None:
        """One exchange with the server; None when it is not there."""
        parts = urlsplit(self.upstream)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=UPLINK_TIMEOUT_S, context=self._trust
        )
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            self.delivered += 1
            return response.status, response.read()
        except OSError:
            return None
        finally:
            connection.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A courier was killed in the middle: that is the fault."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def do_POST(self) -> None:
        """Take a request and give it to the relay."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = ("Authorization", "Content-Type")
        headers = {name: self.headers[name] for name in wanted if self.headers[name] is not None}
        answer = self.server.pass_on(self.path, body, headers)
        if answer is None:
            self.close_connection = True
            return
        status, said = answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
