"""The courier's second thread: fetches files of the signed repository for an updater, whatever the first one does.

One updater at a time; the newest counts.  What is fetched goes on in pieces, unread: this is transport, and the other
end believes none of it.
"""

import queue
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.content_http import ContentHttp, NotFetched, NotServed
from ringfence.host.uplink_client import pinned_context
from ringfence.model.errors import ContentRefused, FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.host_identity import decode_identity
from ringfence.wire.update_frames import STATUS_NOTHING, Fetch, Fetched, decode_fetch, encode_fetched

REPOSITORY_PATH = "/repository/"
"""Where a server has its repository."""

_OK = 200


def server_of(identity: Path) -> ContentHttp:
    """A client of this host's server.  Raises OSError or ContentRefused while the host is not enrolled."""
    known = decode_identity(identity.read_bytes())
    return ContentHttp(known.server, pinned_context(known.ca_der))


class ContentSeat:
    """The thread, and the channel that it serves."""

    def __init__(self, identity: Path, make_client: Callable[[Path], ContentHttp] = server_of) -> None:
        self._identity = identity
        self._make_client = make_client
        self._waiting: queue.SimpleQueue[Channel] = queue.SimpleQueue()
        self._client: ContentHttp | None = None
        self._served: Channel | None = None

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._run, name="content", daemon=True).start()

    def serve(self, descriptor: int) -> None:
        """Serve an updater from now on; one before it is left, whatever it waits for."""
        client, served = self._client, self._served
        self._waiting.put(Channel.adopt(descriptor))
        if client is not None:
            client.abort()
        if served is not None:
            served.hang_up()

    def _run(self) -> None:
        while True:
            self._served = channel = self._waiting.get()
            try:
                while (received := channel.receive()) is not None:
                    if received.frame.type != catalogue.FETCH or received.descriptors:
                        break
                    self._fetch(channel, decode_fetch(received.frame.body))
            except (ChannelClosed, FrameRefused, OSError):
                pass
            finally:
                self._served = None
                channel.close()
                self._let_go()

    def _fetch(self, channel: Channel, wanted: Fetch) -> None:
        """Answer one request.  Raises ChannelClosed when the updater is gone."""
        status = _OK
        try:
            if self._client is None:
                self._client = self._make_client(self._identity)
            for piece in self._client.get(REPOSITORY_PATH + wanted.path.decode(), wanted.bytes_max):
                channel.send(catalogue.FETCHED, encode_fetched(Fetched(wanted.number, _OK, last=False, data=piece)))
        except NotServed as error:
            status = error.status
        except (NotFetched, ContentRefused, ssl.SSLError, FileNotFoundError):
            status = STATUS_NOTHING
            self._let_go()
        channel.send(catalogue.FETCHED, encode_fetched(Fetched(wanted.number, status, last=True, data=b"")))

    def _let_go(self) -> None:
        """Close the connection: the next updater reads the identity anew."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
