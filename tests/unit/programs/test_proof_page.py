"""The page of a proof: what a person reads there, whatever stands in the proof."""

from dataclasses import replace

from tests.unit.wire.proof_examples import proven

from ringfence.model.proof import (
    Check,
    CheckName,
    CheckOutcome,
    EngineFacts,
    Figure,
    Proof,
    ProofFinding,
    RuleCost,
    Verdict,
    WaiverFacts,
    Weight,
)
from ringfence.programs.proof_page import goodware_bars, page_of

EVIL = "<img src=x onerror=alert(1)>"
WAIVER = "a" * 64


def hit(rule: str, text: str, *, weight: Weight = Weight.ERROR, waived_by: str = "") -> ProofFinding:
    """A finding of the goodware's gate."""
    return ProofFinding("rules/a.yar", 7, 1, "prove/goodware-block", weight, rule, text, waived_by)


def with_findings(*findings: ProofFinding, waivers: tuple[WaiverFacts, ...] = ()) -> Proof:
    """A refused proof with these."""
    return replace(proven(), findings=findings, waivers=waivers, verdict=Verdict.REFUSED)


def test_rules_that_hit_good_files_are_shown_the_refused_first() -> None:
    bars = goodware_bars(
        with_findings(
            hit("Loud", "reports 1200 good files: /a, /b, /c, ...", weight=Weight.WARNING),
            hit("Blocker", "blocks 1 good files: /bin/sh"),
            hit("Older", "blocks 3 good files: /a, /b, /c [engine 1.22.1]"),
            hit("Older", "blocks 5 good files: /a, /b, /c, ..."),
            hit("", "the engine fails on /x"),
            ProofFinding("a", 1, 1, "prove/slow", Weight.ERROR, "Slow", "blocks 9 good files", ""),
        )
    )
    assert [(bar.label, bar.value, bar.tone) for bar in bars] == [
        ("Older", "5 files", "critical"),
        ("Blocker", "1 file", "critical"),
        ("Loud", "1\u202f200 files", "accent"),
    ]
    assert bars[2].width == max(bar.width for bar in bars)


def test_what_was_waived_stands_there_with_its_reason_and_its_end() -> None:
    finding = ProofFinding("rules/a.yar", 7, 1, "yara/private-address", Weight.ERROR, "Lab", "is private", WAIVER)
    page = page_of(with_findings(finding, waivers=(WaiverFacts(WAIVER, "a lab of ours", 1_798_761_600),)))
    assert "Waived: a lab of ours (until 2027-01-01)" in page
    assert ">waived<" in page


def test_nothing_of_a_proof_is_markup() -> None:
    page = page_of(
        replace(
            with_findings(hit(EVIL, f"blocks 2 good files: {EVIL}")),
            name=EVIL,
            slowest=(RuleCost(EVIL, EVIL, 5),),
        )
    )
    assert "<img" not in page
    assert page.count("&lt;img") >= 5


def test_figures_have_names_and_units_for_people() -> None:
    figures = {"events": 3, "recorded_event_us": 31, "scan_us_per_mib": 220, "size_bytes": 5_000_000}
    figures["worst_us"] = 231_000
    check = Check(CheckName.LOAD, CheckOutcome.PASSED, 5, tuple(Figure(*one) for one in sorted(figures.items())), "")
    page = page_of(replace(proven(), checks=(check, *proven().checks[1:])))
    for text in (
        "all rules, one recorded event <b>31 µs</b>", "CPU <b>220 µs for 1 MiB</b>",
        "worst <b>231.0\u202fms</b>", "together <b>5.0\u202fMB</b>", "events <b>3</b>",
    ):  # fmt: skip
        assert text in page


def test_only_another_engine_is_an_older_one() -> None:
    one = EngineFacts("1.0.0+a", "yara-x", "1.23.0", "b" * 64)
    several = (one, replace(one, build="1.0.0+c", contract_sha256="c" * 64), replace(one, engine_version="1.22.1"))
    page = page_of(replace(proven(), engines=several))
    assert page.count("<dt>Engine</dt>") == 2
    assert page.count("<dt>Older engine</dt>") == 1
