"""Host records as the database keeps them: JSON of the frozen values, read back with the same types.

The rows were written by this server from records that `wire/uplink.py` had already judged, so reading is typed but need
not be strict against an enemy.
"""

from typing import Final

import msgspec

from ringfence.model.records import Alert, HostStatus

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_ALERT: Final = msgspec.json.Decoder(Alert)
_STATUS: Final = msgspec.json.Decoder(HostStatus)


def document_of(record: Alert | HostStatus) -> str:
    """The record as JSON text."""
    return _ENCODER.encode(record).decode()


def alert_of(document: str) -> Alert:
    """The alert behind JSON text that `document_of` made."""
    return _ALERT.decode(document)


def status_of(document: str) -> HostStatus:
    """The status behind JSON text that `document_of` made."""
    return _STATUS.decode(document)
