"""Who a host is to its server, as its courier keeps it: canonical JSON <-> a value.

{"ca":"<base64 of the CA certificate>","credential":"<64 hex>","format":1,"host_id":"<32 hex>","server":"https://…"}
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, refuse

IDENTITY_FORMAT: Final = 1
_FILE: Final = "identity.json"
_BYTES_MAX: Final = 65_536
_NAMES: Final = frozenset({"ca", "credential", "format", "host_id", "server"})
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{1,32768}={0,2}")
_HOST_ID: Final = re.compile(r"[0-9a-f]{32}")
_CREDENTIAL: Final = re.compile(r"[0-9a-f]{64}")
_SERVER: Final = re.compile(r"https://(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::[0-9]{1,5})?/?")


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """A host's name, its credential, and the server that gave them with the one CA that may vouch for it."""

    host_id: str
    server: str
    ca_der: bytes
    credential: str = field(repr=False)


def encode_identity(identity: HostIdentity) -> bytes:
    """The bytes of the identity file."""
    return canonical.encode(
        {
            "ca": base64.b64encode(identity.ca_der).decode("ascii"),
            "credential": identity.credential,
            "format": IDENTITY_FORMAT,
            "host_id": identity.host_id,
            "server": identity.server,
        }
    )


def decode_identity(data: bytes) -> HostIdentity:
    """The identity in `data`.  Raises ContentRefused."""
    top = Fields(canonical.decode(data, file=_FILE, bytes_max=_BYTES_MAX), _NAMES, file=_FILE)
    top.integer("format", IDENTITY_FORMAT, IDENTITY_FORMAT)
    spelled = top.word("ca", _BASE64)
    try:
        ca_der = base64.b64decode(spelled, validate=True)
    except binascii.Error:
        refuse("must be base64", _FILE, "/ca")
    if base64.b64encode(ca_der).decode("ascii") != spelled:
        refuse("has bits that no byte uses", _FILE, "/ca")
    return HostIdentity(
        host_id=top.word("host_id", _HOST_ID),
        server=top.word("server", _SERVER),
        ca_der=ca_der,
        credential=top.word("credential", _CREDENTIAL),
    )
