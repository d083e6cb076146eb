"""How a host gets its identity: a token is exchanged for a name and a credential, once.

The identity file belongs to the courier's uid and is readable by nobody else: the courier reads it after it has dropped
everything, whenever it is there.
"""

import os
import platform
import ssl
from pathlib import Path
from typing import Final

from ringfence import __version__
from ringfence.host.durable import write_durably
from ringfence.host.processes import UID_COURIER
from ringfence.host.uplink_client import Unreachable, UplinkClient
from ringfence.model.errors import ContentRefused, CredentialRefused, PathRefused
from ringfence.model.limits import UPLINK_FACT_CHARACTERS_MAX
from ringfence.model.records import HostFacts
from ringfence.wire.host_identity import HostIdentity, decode_identity, encode_identity
from ringfence.wire.uplink import EnrolRequest

_MACHINE_ID: Final = Path("/etc/machine-id")


def enrol_once(identity_file: Path, server: str, ca_pem: Path, token_file: Path) -> HostIdentity:
    """The host's identity: the one that is there, now with this server and CA, or a new one for the token.

    Raises PathRefused when a file cannot be read, CredentialRefused when the token is not accepted or the server does
    not answer.
    """
    server = server.rstrip("/")
    ca_der = _certificate(ca_pem)
    known = _known(identity_file)
    if known is not None:
        identity = HostIdentity(known.host_id, server, ca_der, known.credential)
        if identity == known:
            return identity
    else:
        identity = _enrol(server, ca_der, _text(token_file).strip())
    write_durably(identity_file, encode_identity(identity))
    if os.geteuid() == 0:
        os.chown(identity_file, UID_COURIER, UID_COURIER)
    return identity


def facts() -> HostFacts:
    """What this host says about itself."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    machine_id = _MACHINE_ID.read_text().strip() if _MACHINE_ID.exists() else ""
    found = HostFacts(
        host_name=platform.node(),
        machine_id=machine_id,
        kernel=platform.release(),
        distribution=release.get("PRETTY_NAME", ""),
        architecture=platform.machine(),
        sensor_version=__version__,
    )
    return HostFacts(*(getattr(found, name)[:UPLINK_FACT_CHARACTERS_MAX] for name in HostFacts.__dataclass_fields__))


def _enrol(server: str, ca_der: bytes, token: str) -> HostIdentity:
    client = UplinkClient(server, ca_der)
    try:
        answer = client.enrol(EnrolRequest(token, facts()))
    except Unreachable as error:
        raise CredentialRefused(
            f"{server} did not enrol this host: {error}", "look whether the server runs, then start again"
        ) from error
    finally:
        client.close()
    return HostIdentity(answer.host_id, server, ca_der, answer.credential)


def _known(identity_file: Path) -> HostIdentity | None:
    """The identity that is there; None when there is none, or one that is damaged: then the host enrols again."""
    try:
        return decode_identity(identity_file.read_bytes())
    except (FileNotFoundError, ContentRefused):
        return None


def _certificate(ca_pem: Path) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(_text(ca_pem).strip())
    except ValueError as error:
        raise PathRefused(f"{ca_pem} holds no certificate", "name the server's ca.pem") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise PathRefused(f"{path} cannot be read: {error}", "name a file that the server has written") from error
