"""What the gate answers, marks and reports: the machine behind every question of the kernel.

No I/O here.  The responder (`host/responder.py`) looks at the file, calls one of the three functions and carries out
the `Plan` that comes back, in its order: answer first, then marks, then reports.

    on_question   a question arrived       -> a plan with an answer, or "scan it"
    on_verdict    a scanner spoke          -> a plan with an answer
    on_no_verdict nobody spoke in time     -> a plan with an answer

Rules of `on_question`, in code order: what is not a regular file, is empty or is asked by ourselves goes on; what is
known is answered from memory; a hot file goes on until it is quiet; a pair in quarantine goes on; no time left or too
many waiting goes on; everything else is scanned.  "Goes on" without a verdict always carries the reason in `skipped`;
the responder refuses instead (`Plan.refused`) where policy wants the path to fail closed.

The state is mutable on purpose: it is the bounded memory of one process, and a copy per question would cost more than
the question.  For the same reason the values that are made for every question are named tuples: they are as frozen as a
dataclass and cost a third.
"""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum, unique
from typing import Final, NamedTuple

from ringfence.decide.breaker import Breaker, Judgement, Tripped
from ringfence.decide.overdue import Overdue
from ringfence.decide.strikes import Strikes
from ringfence.decide.verdict_cache import FileKey, FileLook, Remembered, VerdictCache
from ringfence.model import limits
from ringfence.model.records import AlertResponse
from ringfence.model.verdict import Mode, Outcome, UnknownReason


@unique
class Answer(IntEnum):
    """What the kernel is told.  The values are the kernel's."""

    ALLOW = 1
    DENY = 2


@unique
class MarkWish(IntEnum):
    """What becomes of the file's ignore mark."""

    NONE = 0
    QUIET = 1
    """Silence the file until it changes, if nobody has it open for writing; otherwise treat it as hot."""

    HOT = 2
    """Silence the file although it changes; the idle scan looks at it again and again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with one question.  `answer` None means: scan, then ask again."""

    answer: Answer | None
    mark: MarkWish = MarkWish.NONE
    response: AlertResponse | None = None
    """Report a detection with this response."""

    skipped: UnknownReason = UnknownReason.NONE
    """Report a skipped file with this reason."""

    rescan: bool = False
    """Give the file to the idle scanner."""

    tripped: Tripped = Tripped.NO

    def refused(self) -> "Plan":
        """The same plan with the question refused, and the next one asked again."""
        return replace(self, answer=Answer.DENY, mark=MarkWish.NONE)


SCAN_IT = Plan(None)
GO_ON = Plan(Answer.ALLOW)
GO_ON_QUIET = Plan(Answer.ALLOW, MarkWish.QUIET)
GO_ON_PARTIAL = Plan(Answer.ALLOW, MarkWish.QUIET, skipped=UnknownReason.FILE_PARTIAL, rescan=True)
"""Only windows of it were scanned: that is recorded, and the whole follows when nobody waits."""
GO_ON_HOT = Plan(Answer.ALLOW, MarkWish.HOT)


_CLEAN: Final = Outcome.CLEAN
"""Enumerations look their members up slowly: what every question needs is looked up once."""


class Question(NamedTuple):
    """One question, as the responder sees the file."""

    key: FileKey
    look: FileLook
    executes: bool
    regular: bool
    own: bool


class ScanVerdict(NamedTuple):
    """What a scanner said."""

    outcome: Outcome
    reason: UnknownReason
    rule: int
    vouched: bool
    deep: bool
    partial: bool


@dataclass(slots=True)
class GateState:
    """Everything that the gate remembers.  `activated_ns` is the wall time at which the release became active here."""

    mode: Mode
    activated_ns: int
    cache: VerdictCache = field(default_factory=lambda: VerdictCache(limits.VERDICT_CACHE_ENTRIES_MAX))
    strikes: Strikes = field(
        default_factory=lambda: Strikes(strikes_max=limits.STRIKES_MAX, entries_max=limits.STRIKE_ENTRIES_MAX)
    )
    overdue: Overdue = field(default_factory=Overdue)
    breaker: Breaker = field(default_factory=Breaker)
    churn: dict[FileKey, tuple[int, int]] = field(default_factory=dict)
    """Files scanned clean -> (versions scanned in a row, monotonic ms of the last).  Bounded by `CHURN_FILES_MAX`."""

    def new_release(self, activated_ns: int) -> None:
        """Forget every verdict: another release judges anew."""
        self.activated_ns = activated_ns
        self.cache.clear()
        self.strikes.clear()
        self.breaker.reset()
        self.churn.clear()


def on_question(state: GateState, question: Question, *, budget_ms: int, pending: int, now_ms: int) -> Plan:
    """Decide a question that has just been read.

    `budget_ms` is what is left of its deadline, `pending` how many more wait in the kernel.
    """
    key, look, executes, regular, own = question
    if not regular or look[2] == 0 or own:
        return GO_ON
    known = state.cache.recall(key, look)
    if known is not None:
        return _from_memory(state, question, known, now_ms)
    if state.churn and not executes and _is_churning(state, key, now_ms):
        return GO_ON_HOT
    if state.strikes and state.strikes.quarantined((key, look)):
        return _without_verdict(UnknownReason.PAIR_QUARANTINED, rescan=False)
    if budget_ms <= 0:
        return _without_verdict(UnknownReason.DEADLINE_PASSED, rescan=True)
    if pending > limits.QUESTIONS_PENDING_MAX:
        return _without_verdict(UnknownReason.QUEUE_FULL, rescan=True)
    return SCAN_IT


def on_verdict(state: GateState, question: Question, verdict: ScanVerdict, *, vital: bool, now_ms: int) -> Plan:
    """Decide after a scanner spoke.  `vital` is the gate's own knowledge of the file."""
    if verdict.outcome is _CLEAN:  # nearly always: kept short, because every first read in the machine pays it
        if question.look[1] < state.activated_ns:
            state.breaker.judged_clean(question.key, now_ms)
        _remember_clean(state, question, verdict, now_ms)
        return GO_ON_PARTIAL if verdict.partial else GO_ON_QUIET
    if verdict.outcome is Outcome.UNKNOWN:
        state.churn.pop(question.key, None)
        return _without_verdict(verdict.reason, rescan=verdict.reason is not UnknownReason.ARCHIVE_BOUND)
    spared = vital or verdict.vouched
    tripped = _judge(state, question, verdict.outcome, verdict.rule, spared=spared, now_ms=now_ms)
    outcome = _remember_condemned(state, question, verdict, spared=spared)
    return _condemned(state, outcome, verdict.rule, spared=spared, tripped=tripped)


def on_no_verdict(
    state: GateState, question: Question, reason: UnknownReason, *, strike: bool = True
) -> tuple[Plan, bool]:
    """Decide when the scanner died, hung, babbled or was not there; `strike`: the file may be to blame.

    Returns the plan and whether this fault has put the pair (release, file) into quarantine.
    """
    faulty = strike and reason in (
        UnknownReason.DEADLINE_PASSED,
        UnknownReason.SCANNER_DIED,
        UnknownReason.SCANNER_GARBAGE,
        UnknownReason.ENGINE_PANIC,
    )
    if faulty:
        state.churn.pop(question.key, None)
    quarantined = faulty and state.strikes.struck((question.key, question.look))
    return _without_verdict(reason, rescan=not quarantined), quarantined


def on_ahead_verdict(state: GateState, question: Question, verdict: ScanVerdict, *, vital: bool, now_ms: int) -> Plan:
    """Remember what the idle scanner found; `answer` is meaningless here, nobody waits."""
    if verdict.outcome is Outcome.UNKNOWN:
        state.churn.pop(question.key, None)
        return Plan(Answer.ALLOW, skipped=verdict.reason)
    if verdict.outcome is Outcome.CLEAN:
        _remember_clean(state, question, verdict, now_ms)
        return GO_ON_QUIET
    spared = vital or verdict.vouched
    outcome = _remember_condemned(state, question, verdict, spared=spared)
    plan = _condemned(state, outcome, verdict.rule, spared=spared, tripped=Tripped.NO)
    if plan.response is AlertResponse.BLOCKED:
        return Plan(Answer.ALLOW, response=AlertResponse.FOUND_AT_REST)
    return plan


def _remember_clean(state: GateState, question: Question, verdict: ScanVerdict, now_ms: int) -> None:
    """Store a clean verdict; one more version of a file that was known in another counts for the hot-file rule."""
    key, look = question.key, question.look
    before = state.cache.remember(key, Remembered(look, _CLEAN, verdict.rule, verdict.deep, verdict.partial))
    if before is not None and before.look != look:
        _note_churn(state, key, now_ms)


def _remember_condemned(state: GateState, question: Question, verdict: ScanVerdict, *, spared: bool) -> Outcome:
    """Store the verdict.  A spared file counts as suspicious: it goes on, and later questions are answered at once."""
    state.churn.pop(question.key, None)  # what is condemned ends the row: the next version is scanned
    outcome = Outcome.SUSPICIOUS if spared else verdict.outcome
    state.cache.remember(question.key, Remembered(question.look, outcome, verdict.rule, verdict.deep))
    return outcome


def _judge(state: GateState, question: Question, outcome: Outcome, rule: int, *, spared: bool, now_ms: int) -> Tripped:
    """Tell the breaker what is about to be refused, or was judged clean, while somebody waits."""
    condemned = outcome is Outcome.MALICIOUS
    older = question.look[1] < state.activated_ns
    if not condemned and not older:
        return Tripped.NO
    return state.breaker.judge(Judgement(question.key, rule, condemned, spared, older), now_ms)


def _from_memory(state: GateState, question: Question, known: Remembered, now_ms: int) -> Plan:
    if known.outcome is _CLEAN:
        return GO_ON_PARTIAL if known.partial else GO_ON_QUIET
    if known.outcome is Outcome.SUSPICIOUS:
        return GO_ON_QUIET  # it was reported when it was scanned; the same version again says nothing new
    tripped = _judge(state, question, known.outcome, known.rule, spared=False, now_ms=now_ms)
    return _condemned(state, known.outcome, known.rule, spared=False, tripped=tripped)


def _condemned(state: GateState, outcome: Outcome, rule: int, *, spared: bool, tripped: Tripped) -> Plan:
    if spared:
        return Plan(Answer.ALLOW, response=AlertResponse.SPARED_VITAL, tripped=tripped)
    if outcome is Outcome.SUSPICIOUS or state.mode is Mode.OBSERVE:
        return Plan(Answer.ALLOW, response=AlertResponse.OBSERVED, tripped=tripped)
    if state.breaker.spares(rule):
        return Plan(Answer.ALLOW, response=AlertResponse.SPARED_BREAKER, tripped=tripped)
    return Plan(Answer.DENY, response=AlertResponse.BLOCKED, tripped=tripped)


def _without_verdict(reason: UnknownReason, *, rescan: bool) -> Plan:
    return Plan(Answer.ALLOW, skipped=reason, rescan=rescan)


def _is_churning(state: GateState, key: FileKey, now_ms: int) -> bool:
    """Whether so many versions were scanned in a row that the next one may wait for the idle scan."""
    versions, scanned_ms = state.churn.get(key, (0, 0))
    return versions >= limits.HOT_VERSIONS_MIN and now_ms - scanned_ms < limits.HOT_RESCAN_MS


def _note_churn(state: GateState, key: FileKey, now_ms: int) -> None:
    """One more version was scanned clean."""
    versions, scanned_ms = state.churn.pop(key, (1, now_ms))  # the version before was the first
    if len(state.churn) >= limits.CHURN_FILES_MAX:
        with suppress(StopIteration, RuntimeError):  # another thread changed it just now: then that one made room
            state.churn.pop(next(iter(state.churn)), None)
    state.churn[key] = (versions + 1 if now_ms - scanned_ms < limits.HOT_RESCAN_MS else 1, now_ms)
