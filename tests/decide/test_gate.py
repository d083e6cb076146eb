"""What the gate answers, as scripts and as properties: unknown is never remembered, no vital file is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.breaker import Tripped
from ringfence.decide.gate import (
    GO_ON,
    GO_ON_HOT,
    GO_ON_PARTIAL,
    GO_ON_QUIET,
    SCAN_IT,
    Answer,
    GateState,
    MarkWish,
    Plan,
    Question,
    ScanVerdict,
    on_ahead_verdict,
    on_no_verdict,
    on_question,
    on_verdict,
)
from ringfence.decide.verdict_cache import FileLook
from ringfence.model import limits
from ringfence.model.records import AlertResponse
from ringfence.model.verdict import Mode, Outcome, UnknownReason

ACTIVATED_NS = 1_000
BUDGET_MS = limits.QUESTION_DEADLINE_MS
FAULTS = (
    UnknownReason.DEADLINE_PASSED,
    UnknownReason.SCANNER_DIED,
    UnknownReason.SCANNER_GARBAGE,
    UnknownReason.ENGINE_PANIC,
)


def gate(mode: Mode = Mode.ENFORCE) -> GateState:
    return GateState(mode=mode, activated_ns=ACTIVATED_NS)


def asked(
    inode: int = 5,
    *,
    changed_ns: int = 2_000,
    size_bytes: int = 100,
    executes: bool = False,
    regular: bool = True,
    own: bool = False,
) -> Question:
    look: FileLook = (changed_ns, changed_ns, size_bytes)
    return Question((1, inode), look, executes=executes, regular=regular, own=own)


def said(outcome: Outcome, *, rule: int = 3, vouched: bool = False, partial: bool = False) -> ScanVerdict:
    reason = UnknownReason.ENGINE_TIMEOUT if outcome is Outcome.UNKNOWN else UnknownReason.NONE
    return ScanVerdict(outcome, reason, rule, vouched=vouched, deep=not partial, partial=partial)


CLEAN = said(Outcome.CLEAN)
SUSPICIOUS = said(Outcome.SUSPICIOUS)
MALICIOUS = said(Outcome.MALICIOUS)
UNKNOWN = said(Outcome.UNKNOWN)


def ask(state: GateState, question: Question, *, budget_ms: int = BUDGET_MS, pending: int = 0, now_ms: int = 0) -> Plan:
    return on_question(state, question, budget_ms=budget_ms, pending=pending, now_ms=now_ms)


def hear(state: GateState, question: Question, verdict: ScanVerdict, *, vital: bool = False, now_ms: int = 0) -> Plan:
    return on_verdict(state, question, verdict, vital=vital, now_ms=now_ms)


# --- questions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [asked(regular=False), asked(size_bytes=0), asked(own=True)])
def test_what_cannot_be_malicious_goes_on(question: Question) -> None:
    assert ask(gate(), question) == GO_ON


def test_an_unknown_file_is_scanned() -> None:
    assert ask(gate(), asked()) is SCAN_IT


def test_a_clean_file_is_silenced_and_its_next_version_scanned() -> None:
    state = gate()
    assert hear(state, asked(), CLEAN) == GO_ON_QUIET
    assert ask(state, asked()) == GO_ON_QUIET
    assert ask(state, asked(changed_ns=2_001)) is SCAN_IT


def test_a_malicious_file_is_refused_now_and_from_memory() -> None:
    state = gate()
    refused = Plan(Answer.DENY, response=AlertResponse.BLOCKED)
    assert hear(state, asked(), MALICIOUS) == refused
    assert ask(state, asked()) == refused


def test_a_known_malicious_file_is_refused_whatever_the_load() -> None:
    state = gate()
    hear(state, asked(), MALICIOUS)
    assert ask(state, asked(), budget_ms=-5, pending=limits.QUESTIONS_PENDING_MAX + 1).answer is Answer.DENY


def test_observing_it_goes_on_and_is_told() -> None:
    state = gate(Mode.OBSERVE)
    assert hear(state, asked(), MALICIOUS) == Plan(Answer.ALLOW, response=AlertResponse.OBSERVED)
    assert ask(state, asked()) == Plan(Answer.ALLOW, response=AlertResponse.OBSERVED)


def test_enforcing_later_refuses_what_was_observed() -> None:
    state = gate(Mode.OBSERVE)
    hear(state, asked(), MALICIOUS)
    state.mode = Mode.ENFORCE
    assert ask(state, asked()).answer is Answer.DENY


def test_a_suspicious_file_goes_on_and_is_told_once() -> None:
    state = gate()
    assert hear(state, asked(), SUSPICIOUS) == Plan(Answer.ALLOW, response=AlertResponse.OBSERVED)
    assert ask(state, asked()) == GO_ON_QUIET


@pytest.mark.parametrize(("vital", "vouched"), [(True, False), (False, True)])
def test_a_vital_file_is_never_refused(vital: bool, vouched: bool) -> None:  # noqa: FBT001 - a table of two
    state = gate()
    plan = hear(state, asked(), said(Outcome.MALICIOUS, vouched=vouched), vital=vital)
    assert plan == Plan(Answer.ALLOW, response=AlertResponse.SPARED_VITAL)
    assert ask(state, asked()) == GO_ON_QUIET


def test_without_time_or_with_too_many_waiting_it_goes_on_and_is_scanned_later() -> None:
    state = gate()
    assert ask(state, asked(), budget_ms=0) == Plan(
        Answer.ALLOW, skipped=UnknownReason.DEADLINE_PASSED, rescan=True
    )
    late = ask(state, asked(), pending=limits.QUESTIONS_PENDING_MAX + 1)
    assert late == Plan(Answer.ALLOW, skipped=UnknownReason.QUEUE_FULL, rescan=True)
    assert ask(state, asked(), pending=limits.QUESTIONS_PENDING_MAX) is SCAN_IT


def test_refused_turns_an_unknown_into_a_no() -> None:
    assert ask(gate(), asked(), budget_ms=0).refused().answer is Answer.DENY


# --- verdicts that are none -----------------------------------------------------------------------------------------


def test_an_unknown_verdict_goes_on_unremembered() -> None:
    state = gate()
    assert hear(state, asked(), UNKNOWN) == Plan(Answer.ALLOW, skipped=UnknownReason.ENGINE_TIMEOUT, rescan=True)
    assert len(state.cache) == 0
    assert ask(state, asked()) is SCAN_IT


def test_a_file_that_kills_scanners_is_scanned_three_times() -> None:
    state = gate()
    told = [on_no_verdict(state, asked(), UnknownReason.SCANNER_DIED) for _ in range(limits.STRIKES_MAX)]
    assert [quarantined for _, quarantined in told] == [False, False, True]
    assert ask(state, asked()) == Plan(Answer.ALLOW, skipped=UnknownReason.PAIR_QUARANTINED)
    assert ask(state, asked(changed_ns=3_000)) is SCAN_IT
    assert ask(state, asked(inode=6)) is SCAN_IT


def test_a_missing_scanner_is_not_the_files_fault() -> None:
    state = gate()
    for _ in range(10):
        plan, quarantined = on_no_verdict(state, asked(), UnknownReason.SCANNER_ABSENT)
        assert plan.rescan
        assert not quarantined
    for _ in range(10):
        assert not on_no_verdict(state, asked(), UnknownReason.DEADLINE_PASSED, strike=False)[1]
    assert ask(state, asked()) is SCAN_IT


def test_a_partial_clean_scan_is_finished_later() -> None:
    plan = hear(gate(), asked(), said(Outcome.CLEAN, partial=True))
    assert plan == Plan(Answer.ALLOW, MarkWish.QUIET, skipped=UnknownReason.FILE_PARTIAL, rescan=True)


# --- files that are written again and again -------------------------------------------------------------------------


def written_often(state: GateState, *, now_ms: int = 0) -> int:
    """Scan so many versions clean in a row that the file is hot; the number of the next version."""
    for version in range(limits.HOT_VERSIONS_MIN):
        question = asked(changed_ns=10_000 + version)
        assert ask(state, question, now_ms=now_ms) is SCAN_IT
        hear(state, question, CLEAN, now_ms=now_ms)
    return 10_000 + limits.HOT_VERSIONS_MIN


def test_after_many_clean_versions_the_next_waits_for_the_idle_scan() -> None:
    state = gate()
    following = written_often(state)
    assert ask(state, asked(changed_ns=following), now_ms=1) == GO_ON_HOT


def test_a_program_is_scanned_however_often_it_is_written() -> None:
    state = gate()
    following = written_often(state)
    assert ask(state, asked(changed_ns=following, executes=True), now_ms=1) is SCAN_IT


def test_a_pause_ends_the_row() -> None:
    state = gate()
    following = written_often(state)
    assert ask(state, asked(changed_ns=following), now_ms=limits.HOT_RESCAN_MS) is SCAN_IT


@pytest.mark.parametrize("ahead", [False, True])
def test_a_condemned_version_ends_the_row(ahead: bool) -> None:  # noqa: FBT001 - a table of two
    """One more byte behind it must not let it pass as another version of a busy clean file."""
    state = gate()
    following = written_often(state)
    hear_it = on_ahead_verdict if ahead else on_verdict
    hear_it(state, asked(changed_ns=following), MALICIOUS, vital=False, now_ms=1)
    assert ask(state, asked(changed_ns=following + 1), now_ms=2) is SCAN_IT


def test_many_scans_of_one_version_are_no_row() -> None:
    state = gate()
    for _ in range(3 * limits.HOT_VERSIONS_MIN):
        hear(state, asked(changed_ns=10_000), CLEAN)
    assert ask(state, asked(changed_ns=10_001), now_ms=1) is SCAN_IT


def test_the_table_of_busy_files_is_bounded() -> None:
    state = gate()
    for inode in range(limits.CHURN_FILES_MAX + 50):
        hear(state, asked(inode), CLEAN)
    assert len(state.churn) <= limits.CHURN_FILES_MAX


# --- the idle scan, the breaker, another release --------------------------------------------------------------------


def test_what_the_idle_scan_finds_is_reported_and_refused_later() -> None:
    state = gate()
    plan = on_ahead_verdict(state, asked(), MALICIOUS, vital=False, now_ms=0)
    assert plan == Plan(Answer.ALLOW, response=AlertResponse.FOUND_AT_REST)
    assert ask(state, asked()).answer is Answer.DENY


def test_an_idle_scan_without_verdict_is_reported_and_not_remembered() -> None:
    state = gate()
    assert on_ahead_verdict(state, asked(), UNKNOWN, vital=False, now_ms=0).skipped is UnknownReason.ENGINE_TIMEOUT
    assert ask(state, asked()) is SCAN_IT


def test_a_rule_that_matches_everything_stops_nothing_after_eight_old_files() -> None:
    state = gate()
    plans = [hear(state, asked(inode, changed_ns=ACTIVATED_NS - 1), MALICIOUS) for inode in range(20)]
    refused = [plan.answer is Answer.DENY for plan in plans]
    assert refused == [True] * (limits.BREAKER_OLD_FILES_MAX - 1) + [False] * 13
    assert [plan.tripped for plan in plans].count(Tripped.RELEASE) == 1
    assert ask(state, asked(0, changed_ns=ACTIVATED_NS - 1)).answer is Answer.ALLOW


def test_an_attackers_new_files_stay_refused() -> None:
    state = gate()
    fresh = [(asked(inode, changed_ns=ACTIVATED_NS), said(Outcome.MALICIOUS, rule=inode)) for inode in range(99)]
    plans = [hear(state, question, verdict) for question, verdict in fresh]
    assert {plan.answer for plan in plans} == {Answer.DENY}


def test_another_release_knows_nothing_of_the_first() -> None:
    state = gate()
    hear(state, asked(), CLEAN)
    for _ in range(limits.STRIKES_MAX):
        on_no_verdict(state, asked(6), UnknownReason.SCANNER_DIED)
    for inode in range(100, 120):
        hear(state, asked(inode, changed_ns=1), MALICIOUS)
    state.new_release(5_000)
    assert ask(state, asked()) is SCAN_IT
    assert ask(state, asked(6)) is SCAN_IT
    assert hear(state, asked(), MALICIOUS).answer is Answer.DENY
    assert state.activated_ns == 5_000


# --- properties -----------------------------------------------------------------------------------------------------

VERDICTS = st.builds(
    said, st.sampled_from(Outcome), rule=st.integers(0, 3), vouched=st.booleans(), partial=st.booleans()
)
QUESTIONS = st.builds(
    asked,
    st.integers(0, 5),
    changed_ns=st.integers(900, 1_100),
    executes=st.booleans(),
)
TURNS = st.lists(
    st.tuples(
        QUESTIONS,
        st.one_of(VERDICTS, st.sampled_from(FAULTS)),
        st.booleans(),
        st.integers(0, limits.HOT_RESCAN_MS),
        st.integers(-10, BUDGET_MS),
    ),
    max_size=60,
)


@given(mode=st.sampled_from(Mode), turns=TURNS)
def test_whatever_happens(
    mode: Mode, turns: list[tuple[Question, ScanVerdict | UnknownReason, bool, int, int]]
) -> None:
    """A refusal always has its reason; going on without a verdict always says so; unknown is never remembered."""
    state = gate(mode)
    now = 0
    last: dict[tuple[object, object], Outcome] = {}
    for question, answer, vital, wait, budget in turns:
        now += wait
        version = (question.key, question.look)
        plan = ask(state, question, budget_ms=budget, now_ms=now)
        if plan is SCAN_IT:
            if isinstance(answer, UnknownReason):
                plan, _quarantined = on_no_verdict(state, question, answer)
            else:
                plan = hear(state, question, answer, vital=vital, now_ms=now)
                if answer.outcome is not Outcome.UNKNOWN:
                    last[version] = Outcome.SUSPICIOUS if vital or answer.vouched else answer.outcome
                assert not (vital and plan.answer is Answer.DENY)
        elif plan.skipped is UnknownReason.NONE and plan.mark is not MarkWish.HOT:
            assert version in last
        assert plan.answer in (Answer.ALLOW, Answer.DENY)
        if plan.answer is Answer.DENY:
            assert mode is Mode.ENFORCE
            assert plan.response is AlertResponse.BLOCKED
            assert last[version] is Outcome.MALICIOUS
        if plan.skipped is not UnknownReason.NONE:
            assert plan.answer is Answer.ALLOW
            assert plan.mark is MarkWish.NONE or plan is GO_ON_PARTIAL
            assert plan.response is None
        if last.get(version) is Outcome.MALICIOUS:
            assert plan.mark is not MarkWish.QUIET
