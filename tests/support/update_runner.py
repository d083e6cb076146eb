"""A warden's place in front of a real updater: what it offers and says, with a courier of the test's choice."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ringfence.decide.updates import Trouble
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.operator_socket import digest_of_sealed, sealed
from ringfence.host.update_runner import ROOT_NAME, Hands, UpdateRunner
from ringfence.model.errors import FrameRefused
from ringfence.model.limits import RELEASE_BYTES_MAX
from ringfence.model.update import UpdateReport
from ringfence.wire import catalogue
from ringfence.wire.update_frames import Fetch, Fetched, Offer, decode_fetch, encode_fetched

DEADLINE_S = 120
"""How long a test waits before it says that a look did not end: a deadline, not a measurement."""

Courier = Callable[[Channel], None]
"""Serves one updater until it is gone."""


@dataclass
class Place:
    """Where the runner's hands put things."""

    directory: Path
    runner: UpdateRunner | None = None
    offers: list[tuple[Offer, bytes]] = field(default_factory=list)
    told: list[tuple[Trouble, str]] = field(default_factory=list)
    held: int = -1
    known: tuple[tuple[str, int], ...] = ()
    standing: int = 0
    full: bool = False

    def look(self) -> UpdateReport | None:
        """Look once, to its end."""
        assert self.runner is not None
        ended: list[UpdateReport | None] = []
        self.runner.look(ended.append)
        until = time.monotonic() + DEADLINE_S
        while not ended:
            assert time.monotonic() < until, "the look did not end"
            self.runner.turn()
            time.sleep(0.005)  # pace: a turn of a warden's loop
        return ended[0]

    def hold(self, release: bytes) -> None:
        """The release that runs."""
        self.held = sealed(release)

    def take(self, descriptor: int, offer: Offer) -> bool:
        """An offer: sealed, and exactly what it says."""
        assert digest_of_sealed(descriptor) == offer.sha256
        self.offers.append((offer, os.pread(descriptor, RELEASE_BYTES_MAX, 0)))
        os.close(descriptor)
        return not self.full


@contextmanager
def place_for_updates(directory: Path, root: bytes, courier: Courier) -> Iterator[Place]:
    """A runner on a content directory, whose updaters talk to `courier`."""
    for parent in (directory, *directory.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    (directory / ROOT_NAME).write_bytes(root)
    place = Place(directory)
    threads: list[threading.Thread] = []

    def give(descriptor: int) -> bool:
        channel = Channel.adopt(os.dup(descriptor))
        threads.append(threading.Thread(target=_served, args=(courier, channel), daemon=True))
        threads[-1].start()
        return True

    def tell(trouble: Trouble, detail: str) -> None:
        place.told.append((trouble, detail))

    hands = Hands(give, lambda: place.held, lambda: place.known, lambda: place.standing, place.take, tell)
    place.runner = UpdateRunner(str(directory), hands)
    try:
        yield place
    finally:
        place.runner.stop()
        if place.held >= 0:
            os.close(place.held)
        for one in threads:
            one.join(DEADLINE_S)


def _served(courier: Courier, channel: Channel) -> None:
    try:
        courier(channel)
    except (ChannelClosed, FrameRefused, OSError):
        pass
    finally:
        channel.close()


def asked(channel: Channel) -> Fetch:
    """The next request of an updater.  Raises ChannelClosed when it is gone."""
    received = channel.receive()
    assert received is not None
    assert received.frame.type == catalogue.FETCH
    return decode_fetch(received.frame.body)


def answer(channel: Channel, number: int, data: bytes = b"", *, status: int = 200, last: bool = True) -> None:
    """One piece of an answer."""
    channel.send(catalogue.FETCHED, encode_fetched(Fetched(number, status, last=last, data=data)))


def honest(repository: Path) -> Courier:
    """A courier that serves a directory."""

    def serve(channel: Channel) -> None:
        while True:
            wanted = asked(channel)
            file = repository / wanted.path.decode()
            if not file.is_file():
                answer(channel, wanted.number, status=404)
                continue
            data = file.read_bytes()
            for at in range(0, len(data), 50_000):
                answer(channel, wanted.number, data[at : at + 50_000], last=False)
            answer(channel, wanted.number)

    return serve
