"""The record of activation survives the disk exactly, and nothing else passes for one."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model import limits
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
    first_state,
    printable,
)
from ringfence.model.errors import FrameRefused
from ringfence.wire.activation_record import decode_activation, encode_activation

TIMES = st.integers(0, limits.JSON_INTEGER_MAX)
SIGNED = st.integers(0, limits.RELEASE_VERSION_MAX)
TEXTS = st.text(max_size=limits.ACTIVATION_TEXT_CHARACTERS_MAX).map(printable)
KEYS = st.builds(
    ReleaseKey, st.integers(1, limits.RELEASE_VERSION_MAX), st.binary(min_size=32, max_size=32).map(bytes.hex)
)


@st.composite
def states(draw: st.DrawFn) -> ActivationState:
    """Any state that can be."""
    keys = draw(st.lists(KEYS, min_size=2, max_size=limits.GOOD_RELEASES_MAX + 6, unique_by=lambda key: key.sha256))
    length = draw(st.integers(1, min(limits.GOOD_RELEASES_MAX, len(keys) - 1)))
    good, tried, refused = keys[:length], keys[length], keys[length + 1 :]
    deaths = st.integers(0, limits.RELEASE_DEATHS_MAX)
    stage = draw(st.sampled_from(Stage))
    owes = {Stage.COMPILING: draw(st.booleans()), Stage.SHADOW: True, Stage.SOAKING: False}[stage]
    attempts = draw(st.integers(1, limits.TRIAL_STARTS_MAX))
    candidate = Candidate(tried, draw(SIGNED), stage, attempts, owes, draw(st.booleans()), draw(TIMES))
    refusals = [Refusal(key, draw(SIGNED), draw(st.sampled_from(Reason)), draw(TEXTS), draw(TIMES)) for key in refused]
    if candidate.by_operator:
        refusals += draw(st.sampled_from([[], [Refusal(tried, draw(SIGNED), Reason.HUNG, "", draw(TIMES))]]))
    how = draw(st.sampled_from(How))
    runs = None if how in (How.GAVE_UP, How.SWITCHED_OFF) else draw(KEYS)
    return ActivationState(
        chain=tuple(Proven(key, draw(SIGNED), draw(deaths), draw(TIMES)) for key in good),
        arrival=Arrival(runs, how, draw(TIMES)),
        candidate=draw(st.sampled_from([None, candidate])),
        refused=tuple(refusals),
        forgotten_version=draw(SIGNED),
        forgotten_signed_version=draw(SIGNED),
        pin=draw(st.none() | st.builds(Pin, KEYS, TEXTS, TIMES)),
        hold=draw(st.none() | st.builds(Hold, TEXTS, TIMES)),
        calm_steps=draw(st.integers(0, limits.FORGIVE_STEPS - 1)),
        steady=draw(st.booleans()),
    )


def key(number: int) -> ReleaseKey:
    return ReleaseKey(number, f"{number:064x}")


RICH = ActivationState(
    chain=(Proven(key(7), 12, 1, 1_800_000_000), Proven(key(1), 0, 0, 1_790_000_000)),
    arrival=Arrival(key(8), How.TRIED, 1_800_000_300),
    candidate=Candidate(key(8), 13, Stage.SOAKING, 1, owes_shadow=False, by_operator=False, since_s=1_800_000_200),
    refused=(
        Refusal(key(6), 11, Reason.CRASHED, "3 times", 1_799_990_000),
        Refusal(key(5), 10, Reason.BOOT_FAILED, "", 1_799_980_000),
    ),
    forgotten_version=3,
    forgotten_signed_version=9,
    pin=Pin(key(7), "8 blocks « make »", 1_800_000_100),
    hold=Hold("", 1_800_000_100),
    calm_steps=4,
    steady=True,
)
RECORD = encode_activation(RICH)
LINES = RECORD.decode().splitlines()[:-1]


def sealed(lines: list[str]) -> bytes:
    """A record of these lines whose digest fits."""
    body = "".join(f"{line}\n" for line in lines).encode()
    return body + f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


def refusal_of(lines: list[str]) -> str:
    """Why these lines are refused; "": they are another state, in exactly our own spelling."""
    try:
        state = decode_activation(sealed(lines))
    except FrameRefused as refusal:
        return refusal.what
    assert encode_activation(state) == sealed(lines)
    return ""


@given(state=states())
def test_what_is_written_is_read(state: ActivationState) -> None:
    data = encode_activation(state)
    assert decode_activation(data) == state
    assert len(data) <= limits.ACTIVATION_RECORD_BYTES_MAX


def test_the_largest_record_is_within_its_bound() -> None:
    text = "\U0001f512" * limits.ACTIVATION_TEXT_CHARACTERS_MAX
    large = limits.RELEASE_VERSION_MAX
    refused = tuple(
        Refusal(ReleaseKey(large, f"{number:064x}"), large, Reason.SHADOW_TIMEOUTS, text, limits.JSON_INTEGER_MAX)
        for number in range(limits.REFUSED_RELEASES_MAX)
    )
    data = encode_activation(replace(first_state(ReleaseKey(1, "f" * 64), 5), refused=refused, hold=Hold(text, 5)))
    assert limits.ACTIVATION_RECORD_BYTES_MAX // 2 < len(data) <= limits.ACTIVATION_RECORD_BYTES_MAX
    assert len(decode_activation(data).refused) == limits.REFUSED_RELEASES_MAX


def test_a_person_can_read_it() -> None:
    assert [
        "ringfence-activation 1",
        f"good 7 {7:064x} 12 1 1800000000",
        f"good 1 {1:064x} 0 0 1790000000",
        f"runs 8 {8:064x} tried 1800000300",
        f"trying 8 {8:064x} 13 soaking 1 passed fleet 1800000200",
        f"refused 6 {6:064x} 11 crashed 1799990000 3 times",
        f"refused 5 {5:064x} 10 boot-failed 1799980000",
        "forgotten 3 9",
        f"pin 7 {7:064x} 1800000100 8 blocks « make »",
        "hold 1800000100",
        "calm 4",
        "steady",
    ] == LINES


def test_every_flipped_bit_is_noticed() -> None:
    for at in range(len(RECORD)):
        for bit in range(8):
            damaged = bytearray(RECORD)
            damaged[at] ^= 1 << bit
            with pytest.raises(FrameRefused):
                decode_activation(bytes(damaged))


def test_every_torn_end_is_noticed() -> None:
    for length in range(len(RECORD)):
        with pytest.raises(FrameRefused):
            decode_activation(RECORD[:length])
        with pytest.raises(FrameRefused):
            decode_activation(RECORD[:length].ljust(len(RECORD), b"\0"))


@given(data=st.binary(max_size=400))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    with pytest.raises(FrameRefused):
        decode_activation(data)
    with pytest.raises(FrameRefused):
        decode_activation(data + f"sha256 {hashlib.sha256(data).hexdigest()}\n".encode())


def test_a_record_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(FrameRefused, match="bytes, more than"):
        decode_activation(b" " * (limits.ACTIVATION_RECORD_BYTES_MAX + 1))


@pytest.mark.parametrize("at", range(len(LINES)))
def test_every_line_is_needed_or_missed_or_allowed_to_be_missing(at: int) -> None:
    """Whatever line is left out, doubled or put last: refused with a line, or another state and its very record."""
    without = [*LINES[:at], *LINES[at + 1 :]]
    for lines in (without, [*LINES[: at + 1], *LINES[at:]], [*without, LINES[at]]):
        if lines == LINES:
            continue
        what = refusal_of(lines)
        assert what == "" or "line " in what


@st.composite
def mutated(draw: st.DrawFn) -> list[str]:
    """The rich record with one word exchanged, left out or put in."""
    lines = list(LINES)
    at = draw(st.integers(0, len(lines) - 1))
    words = lines[at].split(" ")
    position = draw(st.integers(0, len(words)))
    strange = ["", "-1", "00", "1_0", "٣", "9" * 17, "owes", "soaking", "operator", "-", "A" * 64, "\u202e"]
    words[position : position + draw(st.integers(0, 1))] = [draw(st.sampled_from(strange))]
    lines[at] = " ".join(words)
    return lines


@given(lines=mutated())
def test_a_strange_word_is_refused_or_is_our_own_spelling_of_another_state(lines: list[str]) -> None:
    what = refusal_of(lines)
    assert what == "" or what.startswith("the activation record is refused: ")


@pytest.mark.parametrize(
    ("at", "line", "what"),
    [
        (0, "ringfence-activation 2", "line 1: 'ringfence-activation 1' is expected"),
        (1, f"good 7 {7:064x} 12 1", "line 2: the line ends too early"),
        (1, f"good 7 {7:064x} 12 1 5 5", "line 2: the line has more words than are expected"),
        (1, f"good 07 {7:064x} 12 1 5", "line 2: a number is expected"),
        (1, f"good 7 {7:064x} 12 9 5", "line 2: an activation that cannot be: more deaths than a release may have"),
        (2, f"good 7 {7:064x} 0 0 5", "a release is twice in the chain"),
        (3, "stands 8", "line 3: `good` or `runs` is expected"),
        (3, f"runs 8 {8:064x} somehow 5", "line 4: one of packaged, "),
        (3, "runs - tried 5", "nothing runs only where"),
        (4, f"trying 8 {8:064x} 13 soaking 1 perhaps fleet 5", "line 5: owes or passed is expected"),
        (7, "forgotten 3", "line 8: the line ends too early"),
        (10, "calm 4 ", "line 11: the line has more words than are expected"),
        (10, "calm 0", "another spelling"),
        (11, "notes 4", "line 12: a word that is unknown, or not expected here"),
        (11, "", "line 12: a word that is unknown, or not expected here"),
        (11, "steady 1", "line 12: the line has more words than are expected"),
    ],
)
def test_a_refusal_says_where_and_what(at: int, line: str, what: str) -> None:
    with pytest.raises(FrameRefused) as refused:
        decode_activation(sealed([*LINES[:at], line, *LINES[at + 1 :]]))
    assert what in refused.value.what
