"""The record of activation on disk: lines of words, one fact a line, and a last line with the digest of all before it.

    ringfence-activation 1
    good 7 5a5a… 12 0 1800000000        version, SHA-256, version of the metadata, deaths, since: the chain, in order
    good 1 0f0f… 0 0 1790000000
    runs 8 77aa… tried 1800000300       or `runs - gave-up 1800000300`
    trying 8 77aa… 13 soaking 1 passed fleet 1800000200
    refused 6 c0c0… 11 crashed 1799990000 3 times
    forgotten 3 9
    pin 7 5a5a… 1800000100 the operator's reason
    hold 1800000100 the operator's reason
    calm 4
    steady
    sha256 …

No JSON: the warden, which is root, writes and reads it, and imports no parser (promise 1 in docs/promises.md).  A
person in front of a machine that does not boot can read it all the same.  Lines stand in this order; those from
`trying` to `steady` only where there is something to say.  What `encode_activation` would not have written is refused
with its line: a flipped bit and a torn end show in the digest, everything else in the words.
"""

import hashlib
from enum import StrEnum
from typing import Final, NoReturn, TypeVar

from ringfence.model.activation import (
    ActivationState,
    Arrival,
    Candidate,
    Hold,
    How,
    Pin,
    Proven,
    Reason,
    Refusal,
    ReleaseKey,
    Stage,
)
from ringfence.model.errors import FrameRefused, InternalError
from ringfence.model.limits import ACTIVATION_RECORD_BYTES_MAX, JSON_INTEGER_DIGITS_MAX

_HEAD: Final = "ringfence-activation 1"
_DIGEST: Final = "sha256"
_NOTHING: Final = "-"
_OWES: Final = {True: "owes", False: "passed"}
_BY: Final = {True: "operator", False: "fleet"}
_WAY_OUT: Final = "it is left aside: the host begins with the release of its package"

_Word = TypeVar("_Word", bound=StrEnum)


def encode_activation(state: ActivationState) -> bytes:
    """What is kept on disk."""
    lines = [_HEAD]
    lines += [_line("good", one.release, one.signed_version, one.deaths, one.proven_at_s) for one in state.chain]
    lines.append(_line("runs", state.arrival.release or _NOTHING, state.arrival.how, state.arrival.at_s))
    if (tried := state.candidate) is not None:
        owes, by = _OWES[tried.owes_shadow], _BY[tried.by_operator]
        words = (tried.signed_version, tried.stage, tried.attempts, owes, by, tried.since_s)
        lines.append(_line("trying", tried.release, *words))
    lines += [
        _line("refused", one.release, one.signed_version, one.reason, one.at_s, one.text) for one in state.refused
    ]
    if state.forgotten_version or state.forgotten_signed_version:
        lines.append(_line("forgotten", state.forgotten_version, state.forgotten_signed_version))
    if state.pin is not None:
        lines.append(_line("pin", state.pin.release, state.pin.at_s, state.pin.text))
    if state.hold is not None:
        lines.append(_line("hold", state.hold.at_s, state.hold.text))
    if state.calm_steps:
        lines.append(_line("calm", state.calm_steps))
    if state.steady:
        lines.append("steady")
    body = "".join(f"{line}\n" for line in lines).encode()
    return body + f"{_DIGEST} {hashlib.sha256(body).hexdigest()}\n".encode()


def decode_activation(data: bytes) -> ActivationState:
    """The state in a record.  Raises FrameRefused, with the line, for what `encode_activation` did not write."""
    if len(data) > ACTIVATION_RECORD_BYTES_MAX:
        _refuse(f"it has {len(data)} bytes, more than the {ACTIVATION_RECORD_BYTES_MAX} allowed")
    body, newline, last = data[:-1].rpartition(b"\n")
    if data[-1:] != b"\n" or last != f"{_DIGEST} {hashlib.sha256(body + newline).hexdigest()}".encode():
        _refuse("its digest does not fit: it is torn or damaged")
    try:
        lines = _Lines(body.decode())
    except UnicodeDecodeError as error:
        _refuse(f"it is not UTF-8 at byte {error.start}")
    try:
        state = _read(lines)
    except InternalError as error:
        lines.refuse(error.what)
    if encode_activation(state) != data:
        _refuse("it has words in another spelling or order than ours")
    return state


def _read(lines: "_Lines") -> ActivationState:
    lines.head()
    chain = []
    while lines.begin("good"):
        chain.append(Proven(lines.release(), lines.number(), lines.number(), lines.number()))
    if not lines.begin("runs"):
        lines.refuse("`good` or `runs` is expected")
    arrival = Arrival(lines.release_or_nothing(), lines.word(How), lines.number())
    candidate = None
    if lines.begin("trying"):
        candidate = Candidate(
            release=lines.release(),
            signed_version=lines.number(),
            stage=lines.word(Stage),
            attempts=lines.number(),
            owes_shadow=lines.either(_OWES),
            by_operator=lines.either(_BY),
            since_s=lines.number(),
        )
    refused = []
    while lines.begin("refused"):
        known = (lines.release(), lines.number(), lines.word(Reason))
        at_s = lines.number()
        refused.append(Refusal(*known, lines.text(), at_s))
    forgotten = (lines.number(), lines.number()) if lines.begin("forgotten") else (0, 0)
    pin = hold = None
    if lines.begin("pin"):
        release, at_s = lines.release(), lines.number()
        pin = Pin(release, lines.text(), at_s)
    if lines.begin("hold"):
        at_s = lines.number()
        hold = Hold(lines.text(), at_s)
    calm_steps = lines.number() if lines.begin("calm") else 0
    steady = lines.begin("steady")
    lines.end()
    return ActivationState(tuple(chain), arrival, candidate, tuple(refused), *forgotten, pin, hold, calm_steps, steady)


def _line(word: str, *values: ReleaseKey | str | int) -> str:
    """One fact.  A text that is empty leaves no space behind."""
    words = [f"{one.version} {one.sha256}" if isinstance(one, ReleaseKey) else str(one) for one in values]
    return " ".join(one for one in (word, *words) if one)


def _refuse(what: str) -> NoReturn:
    raise FrameRefused(f"the activation record is refused: {what}", _WAY_OUT)


class _Lines:
    """Takes words off lines, one after the other."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._number = 0
        self._words: list[str] = []

    def refuse(self, what: str) -> NoReturn:
        """The line that was begun last is wrong."""
        _refuse(f"line {self._number}: {what}")

    def head(self) -> None:
        """The first line, which names the format."""
        self._number = 1
        if self._lines[0] != _HEAD:
            self.refuse(f"{_HEAD!r} is expected")

    def begin(self, word: str) -> bool:
        """Whether the next line begins with `word`; then its other words are taken next."""
        self._finish_line()
        if self._number == len(self._lines):
            return False
        first, *words = self._lines[self._number].split(" ")
        if first != word:
            return False
        self._number += 1
        self._words = words
        return True

    def end(self) -> None:
        """No line is left over."""
        self._finish_line()
        if self._number != len(self._lines):
            self._number += 1
            self.refuse("a word that is unknown, or not expected here")

    def number(self) -> int:
        """A number as we write it."""
        word = self._next()
        digits = word.isascii() and word.isdigit() and len(word) <= JSON_INTEGER_DIGITS_MAX
        if not digits or (word[0] == "0" and word != "0"):
            self.refuse("a number is expected")
        return int(word)

    def release(self) -> ReleaseKey:
        """A version and a digest."""
        return ReleaseKey(self.number(), self._next())

    def release_or_nothing(self) -> ReleaseKey | None:
        """The same, or the sign for none."""
        if self._words[:1] == [_NOTHING]:
            self._next()
            return None
        return self.release()

    def word(self, kind: type[_Word]) -> _Word:
        """A member of `kind`."""
        said = self._next()
        found = next((member for member in kind if member.value == said), None)
        if found is None:
            self.refuse(f"one of {', '.join(member.value for member in kind)} is expected")
        return found

    def either(self, words: dict[bool, str]) -> bool:
        """Which of two words it is."""
        said = self._next()
        found = next((value for value, word in words.items() if word == said), None)
        if found is None:
            self.refuse(f"{' or '.join(words.values())} is expected")
        return found

    def text(self) -> str:
        """The rest of the line."""
        text, self._words = " ".join(self._words), []
        return text

    def _next(self) -> str:
        if not self._words:
            self.refuse("the line ends too early")
        return self._words.pop(0)

    def _finish_line(self) -> None:
        if self._words:
            self.refuse("the line has more words than are expected")
