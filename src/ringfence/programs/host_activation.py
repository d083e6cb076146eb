"""What the commands about releases share: how things stand, from the warden or, where none answers, from its record."""

from dataclasses import dataclass
from pathlib import Path

from ringfence.host.child import reported
from ringfence.host.sensor_state import require_sensor
from ringfence.model.activation import ActivationState, ReleaseKey
from ringfence.model.errors import FrameRefused, NoAnswer, PathRefused, UsageRefused
from ringfence.model.limits import ACTIVATION_RECORD_BYTES_MAX, ACTIVATION_TEXT_CHARACTERS_MAX, RELEASE_VERSION_MAX
from ringfence.programs.host_frames import ask_warden
from ringfence.wire import catalogue
from ringfence.wire.activation_answer import ActivationAnswer, decode_activation_answer
from ringfence.wire.activation_record import decode_activation

_SHA256_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Told:
    """How things stand.  `live` is None when it comes from the record, because no warden answers."""

    state: ActivationState
    live: ActivationAnswer | None


def ask_activation(state: Path) -> Told:
    """How things stand.  Raises PathRefused where no sensor has ever run, NoAnswer when the record cannot be read."""
    try:
        return steer(state, catalogue.STEER_TELL)
    except (NoAnswer, PathRefused):
        return _from_disk(state)


def steer(
    state: Path, act: int, *, version: int = 0, sha256: str = "", reason: str = "", forced: bool = False
) -> Told:
    """Tell the warden what is wanted.  Raises what it refuses, PathRefused or NoAnswer when there is none."""
    if len(reason) > ACTIVATION_TEXT_CHARACTERS_MAX or len(reason.encode()) > ACTIVATION_TEXT_CHARACTERS_MAX:
        raise UsageRefused(
            f"the reason is longer than {ACTIVATION_TEXT_CHARACTERS_MAX} bytes", "say it shorter, or name a ticket"
        )
    digest = bytes.fromhex(sha256 or "0" * _SHA256_CHARACTERS)
    body = catalogue.ACTIVATION_BODY.pack(act, forced, version, digest, reason.encode())
    answer = decode_activation_answer(ask_warden(state, catalogue.ACTIVATION, body))
    if answer.error:
        raise reported(answer.error)
    return Told(decode_activation(answer.record), answer)


def _from_disk(state: Path) -> Told:
    path = require_sensor(state).activation_record
    try:
        with path.open("rb") as file:
            return Told(decode_activation(file.read(ACTIVATION_RECORD_BYTES_MAX + 1)), None)
    except FileNotFoundError as error:
        raise PathRefused(
            f"{path}: this host has not activated any release yet", "start the sensor with `ringfence up`"
        ) from error
    except (OSError, FrameRefused) as error:
        raise NoAnswer(
            f"no warden answers, and {path} cannot be read: {error}",
            "start the sensor: it begins with the release of its package",
        ) from error


def release_named(text: str) -> tuple[int, str]:
    """Version and digest in what a person typed: one of them.  Raises UsageRefused."""
    if len(text) == _SHA256_CHARACTERS and all(one in "0123456789abcdef" for one in text):
        return 0, text
    if text.isascii() and text.isdigit() and 1 <= int(text) <= RELEASE_VERSION_MAX:
        return int(text), ""
    raise UsageRefused(f"{text!r} names no release", "say its version, or all 64 characters of its SHA-256")


def named(release: ReleaseKey | None) -> str:
    """A release in a sentence."""
    return "no release" if release is None else f"release {release.label}"
