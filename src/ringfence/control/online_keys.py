"""The server's own keys: rollout, snapshot and timestamp, read where they are used and never sent anywhere.

    STATE/server/keys/rollout.key  snapshot.key  timestamp.key

Made with `ringfence keys create --online`, or naming a key in a token or a cloud's key service.  A file that others may
read is refused.
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from securesystemslib.signer import Signature

from ringfence.model.errors import KeyRefused
from ringfence.model.limits import KEY_FILE_BYTES_MAX
from ringfence.trust import roles
from ringfence.trust.keys import sign_with, signer
from ringfence.wire.key_document import SealedSecret, decode_key

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class OnlineKeys:
    """The directory of the keys."""

    path: Path

    def sign(self, role: str, data: bytes) -> Signature:
        """Sign with the key of `role`.  Raises KeyRefused."""
        if role not in roles.ONLINE:
            raise AssertionError(f"{role} is signed by people")
        file = self.path / f"{role}.key"
        try:
            with file.open("rb") as source:
                found = source.read(KEY_FILE_BYTES_MAX + 1)
                mode = file.stat().st_mode
        except OSError as error:
            raise KeyRefused(
                f"{file}: {error.strerror}",
                f"make one with `ringfence keys create 'the server' -o {file} --online`, and name its .pub file at"
                " `ringfence keys init`",
            ) from error
        if mode & _OTHERS:
            raise KeyRefused(f"{file}: others may read this secret", f"chmod 0600 {file}")
        key = decode_key(found, file=str(file))
        if isinstance(key.secret, SealedSecret):
            raise KeyRefused(f"{file} is behind a passphrase", "make the server's keys with --online")
        signature: Signature = sign_with(signer(key, ""), data, key.owner)
        return signature
