"""One error tree, cut by who must act.

    RingfenceError
    ├── OperatorError            the person at the command line must act
    │   ├── UsageRefused         2   the command's words are off
    │   ├── PathRefused          66  a path does not exist or cannot be marked
    │   ├── PrivilegeMissing     77  the command needs root
    │   ├── AddressInUse         69  the port or socket belongs to somebody else
    │   ├── StateVersionForeign  78  the state directory was made by another version
    │   ├── StateOwnerForeign    79  the state directory belongs to somebody else
    │   └── CredentialRefused    80  a token, password or host credential is not accepted
    ├── PartyError               a named party sent something that is refused
    │   ├── ContentRefused       65  the author of a release (or a rule) must act
    │   ├── FrameRefused         76  a process of ours broke the protocol; it is killed
    │   ├── UplinkRefused        76  a host or server sent records that are refused
    │   ├── SignatureRefused     81  metadata or a target that is not signed as it must be
    │   └── KeyRefused           82  a key that is damaged, foreign, or opened with the wrong passphrase
    ├── MachineError             the machine lacks something or has run out of it
    │   ├── KernelLacks          71  a kernel feature is missing
    │   ├── NoAnswer             72  a process of ours does not answer in time
    │   ├── DiskFull             74  nothing more can be written
    │   └── ClockWentBack        75  time moved to before something that was already recorded
    └── InternalError            70  our bug: please report it

Every error has a stable `code`, an `exit_status`, what happened to what (`str(error)`), and the way out
(`way_out`).  A command prints `ringfence: error CODE: what happened` and `way out: …`, never a traceback.
`ringfence scan` ends with 2 after every error instead, see `programs/scan.py`.
"""

from typing import ClassVar


class RingfenceError(Exception):
    """Root of the tree.  `what` says what happened to what; `way_out` tells the operator what to do."""

    code: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = 70

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what)
        self.what = what
        self.way_out = way_out

    def operator_text(self) -> str:
        """The two lines that a command prints on standard error."""
        return f"ringfence: error {self.code}: {self.what}\n  way out: {self.way_out}"


class OperatorError(RingfenceError):
    """The person at the command line must act."""


class UsageRefused(OperatorError):
    """The command's words are off."""

    code = "usage-refused"
    exit_status = 2


class PathRefused(OperatorError):
    """A path does not exist, is of the wrong kind, or cannot be marked."""

    code = "path-refused"
    exit_status = 66


class PrivilegeMissing(OperatorError):
    """The command needs root."""

    code = "privilege-missing"
    exit_status = 77


class AddressInUse(OperatorError):
    """The port or socket belongs to somebody else."""

    code = "address-in-use"
    exit_status = 69


class StateVersionForeign(OperatorError):
    """The state directory was made by another version."""

    code = "state-version-foreign"
    exit_status = 78


class StateOwnerForeign(OperatorError):
    """The state directory belongs to somebody else, or others may write to it."""

    code = "state-owner-foreign"
    exit_status = 79


class CredentialRefused(OperatorError):
    """A token, password or host credential is not accepted."""

    code = "credential-refused"
    exit_status = 80


class PartyError(RingfenceError):
    """A named party sent something that is refused."""


class ContentRefused(PartyError):
    """A release, pack or rule is refused.

    `file` is the member or source file, `position` a byte offset, line or record in it ("" where there is none).
    """

    code = "content-refused"
    exit_status = 65

    def __init__(self, what: str, way_out: str, *, file: str = "", position: str = "") -> None:
        where = ":".join(part for part in (file, position) if part)
        super().__init__(f"{where}: {what}" if where else what, way_out)
        self.file = file
        self.position = position


class FrameRefused(PartyError):
    """A frame between processes is malformed, unexpected or too large.  The peer is killed."""

    code = "frame-refused"
    exit_status = 76


class UplinkRefused(PartyError):
    """A host or the server sent records that are refused."""

    code = "uplink-refused"
    exit_status = 76


class SignatureRefused(PartyError):
    """Metadata, or what it vouches for, is not signed as it must be: too few, old, expired, damaged or mixed."""

    code = "signature-refused"
    exit_status = 81


class KeyRefused(PartyError):
    """A key is damaged, does not fit its role, or cannot be opened."""

    code = "key-refused"
    exit_status = 82


class MachineError(RingfenceError):
    """The machine lacks something or has run out of it."""


class KernelLacks(MachineError):
    """A kernel feature is missing."""

    code = "kernel-lacks"
    exit_status = 71


class NoAnswer(MachineError):
    """A process of ours does not answer in time."""

    code = "no-answer"
    exit_status = 72


class DiskFull(MachineError):
    """Nothing more can be written."""

    code = "disk-full"
    exit_status = 74


class ClockWentBack(MachineError):
    """Time moved to before something that was already recorded."""

    code = "clock-went-back"
    exit_status = 75


class InternalError(RingfenceError):
    """Our bug."""

    code = "internal"
    exit_status = 70
