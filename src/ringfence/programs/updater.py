"""The updater: one look for an update, then it is gone, and all that it needed of memory with it.

It has no network: the courier fetches, and is believed nothing.  It writes the metadata of the update client, and one
memory file that it seals and offers to the warden.  What it offers is exactly what `content`'s people have signed.
"""

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import cryptography.hazmat.primitives.asymmetric.padding  # noqa: F401 - loaded while there are files to load from
import tuf.api.serialization.json
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel
from ringfence.host.child import Arguments, run_child
from ringfence.host.content_http import NotFetched
from ringfence.host.courier_fetcher import CourierFetcher
from ringfence.host.operator_socket import sealed
from ringfence.host.update_look import Look, expires_at_s
from ringfence.model import limits
from ringfence.model.errors import DiskFull, SignatureRefused
from ringfence.model.update import UpdateOutcome, UpdateReport
from ringfence.trust import roles
from ringfence.wire import catalogue
from ringfence.wire.patch import apply_patch, make_patch
from ringfence.wire.update_frames import Offer, encode_offer, encode_report

_HERE = Path()
_LOWEST_PRIORITY = 19
"""Nobody waits for an updater."""


def main(arguments: Arguments, warden: Channel) -> None:
    """Look once."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir(arguments.one("metadata"))
    os.nice(_LOWEST_PRIORITY)
    _warm_up()
    courier = Channel.adopt(arguments.number("courier-fd"))
    held, root = arguments.number("held-fd"), arguments.number("root-fd")
    sandbox.enter(processes.updater("."))
    warden.send(catalogue.READY, catalogue.READY_PLAINLY)
    known = frozenset(arguments.every("known"))
    outcome, detail = _look(warden, CourierFetcher(courier), arguments.one("channel"), root, held, known)
    warden.send(catalogue.UPDATE_REPORT, encode_report(UpdateReport(outcome, expires_at_s(_HERE), detail)))


def _warm_up() -> None:
    """Do once, with keys of the moment, all that a look does: what is loaded lazily is loaded while there are files."""
    root = Root(consistent_snapshot=True)
    signers = [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()]
    for one in signers:
        root.add_key(one.public_key, roles.ROOT)
    document = Metadata(root)
    for one in signers:
        document.sign(one, append=True)
    Metadata[Root].from_bytes(document.to_bytes(tuf.api.serialization.json.JSONSerializer()))
    root.verify_delegate(roles.ROOT, document.signed_bytes, document.signatures)
    old, new = bytes(range(256)), bytes(range(255))
    apply_patch(old, make_patch(old, new), len(new))


def _look(
    warden: Channel, fetcher: CourierFetcher, channel: str, root: int, held: int, known: frozenset[str]
) -> tuple[UpdateOutcome, str]:
    """Look, and offer what is found; how it ended, in a word and in words."""
    try:
        look = Look(_HERE, fetcher, os.pread(root, limits.METADATA_ROOT_BYTES_MAX + 1, 0))
        selected = look.select(channel, datetime.fromtimestamp(int(time.time()), UTC))
        if selected is None:
            return UpdateOutcome.CURRENT, f"the channel {channel} has no release"
        note = selected.note
        if f"{selected.sha256}:{note.signed_version}" in known:
            return UpdateOutcome.CURRENT, f"{note.name} {note.version}"
        fetched = look.fetch(selected, os.pread(held, limits.RELEASE_BYTES_MAX, 0) if held >= 0 else b"")
    except NotFetched as error:
        return UpdateOutcome.UNREACHABLE, str(error)
    except SignatureRefused as error:
        return (UpdateOutcome.EXPIRED if error.what.startswith("expired") else UpdateOutcome.REFUSED), error.what
    except DiskFull as error:
        return UpdateOutcome.DISK_FULL, error.what
    offer = Offer(note.version, note.signed_version, selected.sha256, note.unproven, fetched.patched)
    warden.send(catalogue.OFFER, encode_offer(offer), (sealed(fetched.data),))
    return UpdateOutcome.OFFERED, f"{note.name} {note.version}" + (" by a patch" if fetched.patched else "")


if __name__ == "__main__":
    run_child(main)
