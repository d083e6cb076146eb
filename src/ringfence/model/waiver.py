"""A waiver: somebody who may do so takes responsibility for one finding, with a reason and until a day.

It covers one code in one file, and one rule of it where it names one, and only as long as that text stays what it was:
`text_sha256` is the digest of the rule's text, or of the file's where no rule is named.  So a waiver never excuses what
its signer has not seen.
"""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaiverKey:
    """Somebody whose waivers are accepted."""

    name: str
    public: str
    """The Ed25519 public key in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """One waiver, as it is signed."""

    code: str
    file: str
    rule: str
    text_sha256: str
    reason: str
    issued: dt.date
    expires: dt.date
    """The last day on which it holds."""


@dataclass(frozen=True, slots=True)
class SignedWaiver:
    """A waiver with whose signature it bears; whether the signature holds is another question."""

    waiver: Waiver
    key: str
    """The signer's public key in hexadecimal."""

    signature: str


@dataclass(frozen=True, slots=True)
class WaiverBook:
    """What a release carries: the waivers that were used, and the keys that its author accepts."""

    keys: tuple[WaiverKey, ...]
    waivers: tuple[SignedWaiver, ...]
