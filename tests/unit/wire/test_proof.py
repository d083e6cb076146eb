"""The proof document: strict, canonical, and never in contradiction to itself."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.proof_examples import WAIVER, proven

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import PROOF_BYTES_MAX
from ringfence.model.proof import Check, CheckName, CheckOutcome, Figure, Proof, ProofFinding, Verdict, Weight
from ringfence.wire import canonical
from ringfence.wire.proof import decode_proof, encode_proof

PROOF = proven()
DATA = encode_proof(PROOF)

Change = Callable[[dict[str, Any]], object]


def put(place: str, value: object) -> Change:
    """A change that sets the value at `place`, such as `checks/0/name`."""

    def change(document: dict[str, Any]) -> None:
        *path, last = place.split("/")
        inner: Any = document
        for step in path:
            inner = inner[int(step)] if isinstance(inner, list) else inner[step]
        inner[int(last) if isinstance(inner, list) else last] = value

    return change


def test_comes_back_as_it_was() -> None:
    assert decode_proof(DATA) == PROOF


def test_a_refused_proof_comes_back_too() -> None:
    checks = (dataclasses.replace(PROOF.checks[0], outcome=CheckOutcome.NOT_RUN, reason="no goodware"),)
    refused = dataclasses.replace(PROOF, checks=(*checks, *PROOF.checks[1:]), verdict=Verdict.REFUSED)
    assert decode_proof(encode_proof(refused)) == refused


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("format", 2), ""),
        (put("subject_sha256", "5" * 63), "/subject_sha256"),
        (put("name", "Über"), "/name"),
        (put("version", 0), "/version"),
        (put("prover_version", True), "/prover_version"),
        (put("made_s", -1), "/made_s"),
        (put("engines", []), "/engines"),
        (lambda document: document["engines"].append(document["engines"][0]), "/engines"),
        (put("engines/0/engine_version", "1 23"), "/engines/0/engine_version"),
        (put("engines/0/contract_sha256", None), "/engines/0/contract_sha256"),
        (put("machine/processors", 2.5), ""),
        (put("machine/host", "name"), "/machine"),
        (put("checks/0/name", "self-tests"), "/checks"),
        (put("checks/0/name", "other"), "/checks/0/name"),
        (put("checks/2/outcome", "refused"), "/verdict"),
        (put("checks/2/outcome", "not-run"), "/checks/2"),
        (put("checks/2/reason", "but it passed"), "/checks/2"),
        (put("checks/1/figures/0/name", "worst_us"), "/checks/1/figures/1"),
        (put("checks/1/figures/0/name", "Worst"), "/checks/1/figures/0/name"),
        (put("findings/1/waived_by", ""), "/verdict"),
        (put("findings/1/waived_by", "b" * 64), "/waivers"),
        (put("findings/0/weight", "error"), "/verdict"),
        (put("findings/0/text", "\x1b[2J"), "/findings/0/text"),
        (put("findings/0/text", ""), "/findings/0/text"),
        (put("findings/0/file", "rules/z.yar"), "/findings/1"),
        (put("findings/0/line", 0), "/findings/0/line"),
        (put("findings/0/code", "Slow"), "/findings/0/code"),
        (put("waivers/0/reason", ""), "/waivers/0/reason"),
        (put("slowest/0/cpu_us", 1), "/slowest/1"),
        (put("goodware/list_sha256", "none"), "/goodware/list_sha256"),
        (put("goodware/files", "many"), "/goodware/files"),
        (put("budget/resident_bytes", 2**53), ""),
        (put("verdict", "refused"), "/verdict"),
        (put("verdict", "maybe"), "/verdict"),
        (put("signature", "x"), "/"),
        (lambda document: document.pop("goodware"), "/"),
        (lambda document: document["checks"].pop(), "/checks"),
    ],
)
def test_what_is_off_is_refused_with_its_place(change: Change, place: str) -> None:
    document = json.loads(DATA)
    change(document)
    with pytest.raises(ContentRefused) as refusal:
        decode_proof(
            canonical.encode(document)
            if place
            else json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        )
    assert refusal.value.file == "proof.json"
    assert refusal.value.position == place


def test_a_proof_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(ContentRefused, match="more than the"):
        decode_proof(b" " * (PROOF_BYTES_MAX + 1))


def test_what_would_not_be_read_is_not_written() -> None:
    with pytest.raises(ContentRefused):
        encode_proof(dataclasses.replace(PROOF, verdict=Verdict.REFUSED))


@given(st.integers(0, len(DATA) - 1), st.integers(0, 7))
def test_no_flipped_bit_is_read_as_the_same_proof(place: int, bit: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= 1 << bit
    try:
        read = decode_proof(bytes(damaged))
    except ContentRefused:
        return
    assert read != PROOF
    assert encode_proof(read) == bytes(damaged)


@given(st.integers(0, len(DATA) - 1))
def test_a_cut_proof_is_refused(length: int) -> None:
    with pytest.raises(ContentRefused):
        decode_proof(DATA[:length])


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=("Cc", "Cs")), max_size=40)
FINDINGS = st.builds(
    ProofFinding,
    file=TEXTS,
    line=st.integers(1, 10_000),
    column=st.integers(1, 200),
    code=st.sampled_from(["prove/slow", "prove/goodware-block"]),
    weight=st.sampled_from(Weight),
    rule=TEXTS,
    text=TEXTS.filter(bool),
    waived_by=st.sampled_from(["", WAIVER]),
)
OUTCOMES = st.lists(st.sampled_from(CheckOutcome), min_size=len(CheckName), max_size=len(CheckName))


@given(st.lists(FINDINGS, max_size=6), OUTCOMES)
def test_every_proof_comes_back_and_only_a_whole_one_proves(
    findings: list[ProofFinding], outcomes: list[CheckOutcome]
) -> None:
    checks = tuple(
        Check(name, outcome, 1, (Figure("n", 1),), "why" if outcome is CheckOutcome.NOT_RUN else "")
        for name, outcome in zip(CheckName, outcomes, strict=True)
    )
    ordered = tuple(sorted(set(findings), key=lambda finding: finding.sort_key))
    if len({finding.sort_key for finding in ordered}) != len(ordered):
        return
    good = set(outcomes) == {CheckOutcome.PASSED} and not any(
        finding.weight is Weight.ERROR and not finding.waived_by for finding in ordered
    )

    def of(verdict: Verdict) -> Proof:
        return dataclasses.replace(PROOF, checks=checks, findings=ordered, verdict=verdict)

    right, wrong = (Verdict.PROVEN, Verdict.REFUSED) if good else (Verdict.REFUSED, Verdict.PROVEN)
    assert decode_proof(encode_proof(of(right))) == of(right)
    with pytest.raises(ContentRefused):
        encode_proof(of(wrong))
