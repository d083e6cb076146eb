"""What the warden does with updates: it lends an updater what it needs, and gives what comes of it to activation.

1. An offer is known by its digest, which the warden computes itself from the sealed bytes.  It is in the store,
   durably, before activation hears of it; where it cannot be kept, the next look offers it again.
2. What activation knows under the same signature (good, tried or refused) is not fetched again.
3. An operator's look is answered when it has ended.
"""

import os

from ringfence.decide.activation_messages import Offered
from ringfence.decide.updates import Trouble
from ringfence.decide.warden_messages import Kind
from ringfence.host.activation_driver import ActivationDriver
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.children import Children
from ringfence.host.operator_socket import digest_of_sealed
from ringfence.host.release_store import ReleaseStore
from ringfence.host.update_runner import Hands, UpdateRunner
from ringfence.host.warden_notes import Notes
from ringfence.model.activation import ReleaseKey
from ringfence.model.errors import DiskFull, FrameRefused
from ringfence.model.records import HostEventKind
from ringfence.model.update import UpdateReport
from ringfence.wire import catalogue
from ringfence.wire.update_frames import Offer, encode_report

_SUBJECT = "update"


class WardenUpdates:
    """The runner with the warden's hands."""

    def __init__(
        self,
        directory: str,
        store: ReleaseStore,
        children: Children,
        driver: ActivationDriver,
        notes: Notes,
    ) -> None:
        self._store = store
        self._children = children
        self._driver = driver
        self._notes = notes
        hands = Hands(self._give_courier, self._held, self._known, self._standing, self._take, self._tell)
        self.runner = UpdateRunner(directory, hands)

    def look(self, operator: Channel) -> None:
        """Look now, and tell the operator how that ended; an empty answer: there is nothing to look with."""

        def answer(report: UpdateReport | None) -> None:
            try:
                operator.try_send(catalogue.LOOK_ANSWER, b"" if report is None else encode_report(report))
            except ChannelClosed:
                pass
            operator.close()

        self.runner.look(answer)

    def _give_courier(self, descriptor: int) -> bool:
        couriers = self._children.of(Kind.COURIER)
        for courier in couriers:
            self._children.give_updater(courier, descriptor)
        return bool(couriers)

    def _held(self) -> int:
        """The release that runs, to make the next one out of."""
        runs = self._driver.state.kept.arrival.release
        found = (one.descriptor for one in self._children.contents.values() if runs and one.sha256 == runs.sha256)
        return next(found, -1)

    def _known(self) -> tuple[tuple[str, int], ...]:
        """Rule 2."""
        kept = self._driver.state.kept
        good = [(one.release.sha256, one.signed_version) for one in kept.chain]
        refused = [(one.release.sha256, one.signed_version) for one in kept.refused]
        tried = [] if kept.candidate is None else [(kept.candidate.release.sha256, kept.candidate.signed_version)]
        return (*good, *refused, *tried)

    def _standing(self) -> object:
        """What runs, what is good, the operator's word: when one of them changes, an offer may be taken after all."""
        kept = self._driver.state.kept
        return kept.arrival.release, kept.chain[0], kept.pin, kept.hold

    def _take(self, descriptor: int, offer: Offer) -> bool:
        """Rule 1."""
        try:
            if digest_of_sealed(descriptor) != offer.sha256:
                raise FrameRefused("an updater offers another release than it says", "it is ended")
            self._store.retain(self._driver.state.kept.files | {offer.sha256})
            self._store.keep(offer.sha256, descriptor)
        except DiskFull as full:
            self._notes.event(HostEventKind.UPDATE_TROUBLE, _SUBJECT, f"the release could not be kept: {full.what}")
            return False
        finally:
            os.close(descriptor)
        self._driver.step(Offered(ReleaseKey(offer.version, offer.sha256), offer.signed_version))
        return True

    def _tell(self, trouble: Trouble, detail: str) -> None:
        words = detail if trouble is not Trouble.NONE else "updates are as they should be again"
        self._notes.event(HostEventKind.UPDATE_TROUBLE, _SUBJECT, words)
