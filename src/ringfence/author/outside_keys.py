"""Keys whose secret is elsewhere: a token (PKCS#11) or a cloud's key service, through securesystemslib.

Only the public half and the address are kept.  Each service needs its own extra of securesystemslib, and a log-in that
its library takes from where it always does.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import AWSSigner, AzureSigner, GCPSigner, HSMSigner, SSlibKey, VaultSigner

from ringfence.model.errors import KeyRefused, UsageRefused
from ringfence.trust.keys import referenced_key
from ringfence.wire.key_document import KeyDocument

_EXTRAS: Final = {
    "hsm": "ringfence[pkcs11]",
    "gcpkms": "securesystemslib[gcpkms]",
    "awskms": "securesystemslib[awskms]",
    "azurekms": "securesystemslib[azurekms]",
    "hv": "securesystemslib[vault]",
}
"""What each kind of key needs installed."""


def imported_key(owner: str, uri: str, ask: Callable[[str], str]) -> KeyDocument:
    """The key file for the key at `uri`; `ask` gives a PIN where one is needed.  Raises UsageRefused or KeyRefused."""
    scheme = uri.partition(":")[0]
    if scheme not in _EXTRAS:
        raise UsageRefused(f"{uri!r} is no address of a key", f"begin it with one of {', '.join(_EXTRAS)} and a colon")
    try:
        address, public = _imported(scheme, uri, ask)
    except (ImportError, UnsupportedLibraryError) as error:
        raise KeyRefused(f"{uri}: {error}", f"pip install '{_EXTRAS[scheme]}'") from error
    except Exception as error:  # each service's library has errors of its own
        raise KeyRefused(
            f"{uri}: {type(error).__name__} {error}".rstrip(),
            "look at the address, the token's library (--pkcs11-library), its PIN, or the service's permissions",
        ) from error
    return referenced_key(owner, address, public)


def _imported(scheme: str, uri: str, ask: Callable[[str], str]) -> tuple[str, SSlibKey]:
    """Ask the service for the public half: the address that it gives back, and the key."""
    rest = uri.partition(":")[2]
    if scheme == "hsm":
        parts = urlsplit(uri)
        label = dict(parse_qsl(parts.query)).get("label")
        number = int(parts.path) if parts.path else None
        return HSMSigner.import_(number, label, lambda what: ask(f"the token ({what})"))
    importers: dict[str, Callable[[], tuple[str, Any]]] = {
        "gcpkms": lambda: GCPSigner.import_(rest),
        "awskms": lambda: AWSSigner.import_(rest),
        "azurekms": lambda: AzureSigner.import_(*rest.removeprefix("//").split("/", 1)),
        "hv": lambda: VaultSigner.import_(rest),
    }
    return importers[scheme]()
