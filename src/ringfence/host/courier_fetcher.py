"""The updater's fetcher: asks the courier for one file after the other, and treats its answers as the network's.

A silence, a whole that takes too long, frames out of order and more than was asked for all end the same way: nothing
came.  The bytes themselves are judged by whoever asked.
"""

import time
from collections.abc import Iterator

from tuf.api.exceptions import DownloadError, DownloadHTTPError

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.content_http import whole_wait_s
from ringfence.host.update_client import MemoryFetcher
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.update_frames import STATUS_NOTHING, Fetch, Fetched, decode_fetched, encode_fetch

_OK = 200


class CourierFetcher(MemoryFetcher):
    """Fetches through the courier at the other end of a channel."""

    def __init__(self, courier: Channel) -> None:
        self._courier = courier
        self._number = 0

    def pieces(self, url: str, bytes_max: int) -> Iterator[bytes]:
        """The pieces of one file.  Raises DownloadHTTPError or DownloadError."""
        self._number += 1
        deadline = time.monotonic() + whole_wait_s(bytes_max)
        try:
            request = Fetch(self._number, min(bytes_max, limits.RELEASE_BYTES_MAX), url.encode())
            self._courier.send(catalogue.FETCH, encode_fetch(request))
            while True:
                piece = self._answer(deadline, url)
                if piece.status != _OK:
                    raise _not_fetched(piece.status, url)
                if piece.data:
                    yield piece.data
                if piece.last:
                    return
        except (ChannelClosed, FrameRefused, BlockingIOError) as error:
            raise DownloadError(f"{url}: the courier is gone or talks nonsense: {error}") from error

    def _answer(self, deadline: float, url: str) -> Fetched:
        """The next piece of the file in hand; what is left of one that was given up is dropped."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DownloadError(f"{url}: not whole in time")
            self._courier.socket.settimeout(min(left, limits.FETCH_SILENCE_S))
            received = self._courier.receive()
            if received is None and time.monotonic() >= deadline:
                continue
            if received is None:
                raise DownloadError(f"{url}: nothing came for {limits.FETCH_SILENCE_S} s")
            if received.frame.type != catalogue.FETCHED or received.descriptors:
                raise FrameRefused(f"the courier sent a frame of type {received.frame.type}", "it is not believed")
            piece = decode_fetched(received.frame.body)
            if piece.number == self._number:
                return piece
            if piece.number > self._number:
                raise FrameRefused(f"an answer to request {piece.number}, which was never sent", "it is not believed")


def _not_fetched(status: int, url: str) -> DownloadError:
    if status == STATUS_NOTHING:
        return DownloadError(f"{url}: the server did not answer")
    return DownloadHTTPError(f"{url}: the server answered {status}", status)
