"""The warden's hands for updates: starts an updater when `decide/updates.py` says so, and hears how its look ended.

The warden reads two frames of fixed size from it.  Whatever an updater does wrong ends it; the running release never
notices.  Without a root that the operator has given, nothing is ever looked for: trust begins nowhere by itself.
"""

import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from ringfence.decide import updates
from ringfence.host.channel import Channel, ChannelClosed, Received, close_all
from ringfence.host.processes import UID_UPDATER
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.update import UpdateReport
from ringfence.wire import catalogue
from ringfence.wire.update_frames import Offer, decode_offer, decode_report

MODULE = "ringfence.programs.updater"
ROOT_NAME = "trust-root.json"
METADATA_NAME = "metadata"
CHANNEL_NAME = "channel"
DEFAULT_CHANNEL = "stable"


@dataclass(frozen=True, slots=True)
class Hands:
    """What the runner needs of the warden."""

    give_courier: Callable[[int], bool]
    """Pass a descriptor to the courier; False: there is none to take it."""

    held: Callable[[], int]
    """The sealed memory file of the release that runs; -1: none."""

    known: Callable[[], tuple[tuple[str, int], ...]]
    """Releases that need not be offered: digest, and the version of the metadata that signed them."""

    standing: Callable[[], object]
    """What an offer was weighed against: once it is another value, what was put off is offered again."""

    offer: Callable[[int, Offer], bool]
    """Take a release; False: it could not be kept.  The descriptor is the receiver's."""

    tell: Callable[[updates.Trouble, str], None]


@dataclass(slots=True)
class _Running:
    """One updater."""

    process: "subprocess.Popen[bytes]"
    channel: Channel
    report: UpdateReport | None = None
    offered: bool = False


class UpdateRunner:
    """Looks for updates below one content directory."""

    def __init__(self, directory: str, hands: Hands) -> None:
        self._directory = directory
        self._hands = hands
        self._state = updates.begin(_now(), _jitter())
        self._running: _Running | None = None
        self._offered: tuple[str, int] | None = None
        self._offered_ms = 0
        self._standing: object = None
        self._asking: list[Callable[[UpdateReport | None], None]] = []

    @property
    def last(self) -> UpdateReport | None:
        """How the last look ended."""
        return self._state.last

    def look(self, answer: Callable[[UpdateReport | None], None]) -> None:
        """Look now, and answer when that look has ended; None: there was none, or it died."""
        if not os.path.exists(self._root):
            answer(None)
            return
        self._asking.append(answer)
        self._step(updates.LookWanted())

    def turn(self) -> None:
        """A turn of the warden's loop: never waits."""
        if self._running is not None:
            self._hear(self._running)
        if self._running is None and not os.path.exists(self._root):
            return
        self._step(updates.Tick())

    def stop(self) -> None:
        """End a look that is under way."""
        if self._running is not None:
            self._end(self._running)
            self._let_go(self._running)

    @property
    def _root(self) -> str:
        return os.path.join(self._directory, ROOT_NAME)

    def _step(self, event: updates.Event) -> None:
        self._state, commands = updates.step(self._state, event, _now())
        for command in commands:
            match command:
                case updates.StartLook():
                    self._start()
                case updates.EndLook():
                    if self._running is not None:
                        self._end(self._running)
                case updates.Tell(trouble, detail):
                    self._hands.tell(trouble, detail)

    def _start(self) -> None:
        """Start an updater; one that cannot be started counts as one that died."""
        try:
            self._running = self._started()
        except OSError:
            self._ended(None)

    def _started(self) -> _Running:
        metadata = _owned_directory(os.path.join(self._directory, METADATA_NAME))
        ours, theirs = Channel.pair()
        updater_end, courier_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        held = self._hands.held()
        try:
            self._hands.give_courier(courier_end.fileno())
            words = ["--warden-fd", str(theirs.fileno()), "--courier-fd", str(updater_end.fileno())]
            words += ["--root-fd", str(root), "--held-fd", str(held), "--metadata", metadata]
            words += ["--channel", self._channel()]
            known = (*self._hands.known(), *self._lately_offered())
            words += [word for sha256, signed in known for word in ("--known", f"{sha256}:{signed}")]
            passed = [theirs.fileno(), updater_end.fileno(), root, *([held] if held >= 0 else [])]
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", MODULE, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=passed,
                env={},
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            updater_end.close()
            courier_end.close()
            os.close(root)
        return _Running(process, ours)

    def _lately_offered(self) -> list[tuple[str, int]]:
        """What activation was offered and has put off, because of a hold, a pin, or a trial that proved nothing."""
        late = _now().monotonic_ms - self._offered_ms >= limits.UPDATE_REOFFER_MS
        if self._offered is None or late or self._standing != self._hands.standing():
            return []
        return [self._offered]

    def _channel(self) -> str:
        """The channel that this host follows."""
        try:
            with open(os.path.join(self._directory, CHANNEL_NAME), encoding="ascii") as file:
                word = file.read(limits.STATUS_NAME_BYTES_MAX).strip()
        except (OSError, UnicodeDecodeError):
            return DEFAULT_CHANNEL
        plain = word and word.replace("-", "").isalnum() and word.islower()
        return word if plain else DEFAULT_CHANNEL

    def _hear(self, running: _Running) -> None:
        """Frames of the updater; its end is the end of the look."""
        try:
            while (received := running.channel.receive(wait=False)) is not None:
                self._heard(running, received)
        except ChannelClosed:
            self._end(running)
        except FrameRefused as refusal:
            running.report = None
            self._hands.tell(updates.Trouble.REFUSED, f"the updater broke the protocol: {refusal.what}")
            self._end(running)
        if running.process.poll() is not None:
            self._let_go(running)
            self._ended(running.report)

    def _heard(self, running: _Running, received: Received) -> None:
        number, body = received.frame.type, received.frame.body
        wanted = 1 if number == catalogue.OFFER else 0
        if len(received.descriptors) != wanted:
            close_all(received.descriptors)
            raise FrameRefused(f"a frame of type {number} with {len(received.descriptors)} descriptors", "it is ended")
        match number:
            case catalogue.READY:
                pass
            case catalogue.OFFER if not running.offered:
                self._take(running, received.descriptors[0], body)
            case catalogue.UPDATE_REPORT:
                running.report = decode_report(body)
            case catalogue.FAILED:
                self._hands.tell(updates.Trouble.REFUSED, _printable(body))
            case _:
                close_all(received.descriptors)
                raise FrameRefused(f"a frame of type {number}", "it is ended")

    def _take(self, running: _Running, descriptor: int, body: bytes) -> None:
        try:
            offer = decode_offer(body)
        except FrameRefused:
            os.close(descriptor)
            raise
        running.offered = True
        if self._hands.offer(descriptor, offer):
            self._offered, self._offered_ms = (offer.sha256, offer.signed_version), _now().monotonic_ms
            self._standing = self._hands.standing()

    def _end(self, running: _Running) -> None:
        """SIGKILL: it holds nothing that has to be put away."""
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()

    def _let_go(self, running: _Running) -> None:
        running.channel.close()
        self._running = None

    def _ended(self, report: UpdateReport | None) -> None:
        self._step(updates.Ended(report, _jitter()))
        asking, self._asking = self._asking, []
        for answer in asking:
            answer(report)


def _owned_directory(path: str) -> str:
    """The updater's own directory; one that belongs to somebody else, or is none, is not used."""
    try:
        os.mkdir(path, 0o700)
        os.chown(path, UID_UPDATER, UID_UPDATER)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != UID_UPDATER:
            raise
    return path


def _printable(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split("\n"))
    return "".join(char if char.isprintable() else "?" for char in text)[: limits.EVENT_DETAIL_BYTES_MAX // 4]


def _now() -> updates.Moment:
    return updates.Moment(time.monotonic_ns() // 1_000_000, int(time.time()))


def _jitter() -> int:
    return secrets.randbelow(1_000)
