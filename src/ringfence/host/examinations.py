"""The zygote's side of examinations: one examiner at a time, asked by a gate, with the last words of dead scanners.

Nobody waits for an examination.  A zygote that examines goes on forking scanners; the examiner is its child and dies
with it.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringfence.detect.rule_removal import RuleMap, rule_map, without
from ringfence.detect.yara import CompiledContent
from ringfence.host import appraiser, examiner, sandbox
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.executing import ExecutingMark
from ringfence.host.kernel import call_myself
from ringfence.host.processes import Role
from ringfence.host.rule_ledger import RuleLedger
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.fault import Attribution, Finding, RuleName
from ringfence.model.release import Release
from ringfence.wire import catalogue
from ringfence.wire.attribution import (
    APPRAISE,
    EXAMINED_BODY,
    Examined,
    Suspicion,
    decode_examined,
    decode_suspicion,
    encode_examined,
)
from ringfence.wire.rule_costs import RuleCosts

NICENESS: Final = 10
"""A tenth of a processor that others want: nobody waits for it, but until it is over the rule goes on doing harm.  It
takes some ten seconds of work, for one file at a time."""

_NO_DIGEST: Final = bytes(32)


@dataclass(slots=True)
class _Running:
    """The examination that is going on."""

    suspicion: Suspicion
    gate: Channel
    examiner: Channel
    pid: int


class Examinations:
    """What the zygote knows of faults."""

    def __init__(
        self,
        content: CompiledContent,
        load: Callable[[], Release],
        left_out: frozenset[RuleName],
        warden: Channel,
        ledger: RuleLedger,
    ) -> None:
        """`load` decodes the release anew: the zygote itself keeps only what was compiled from it."""
        self._content = content
        self._load = load
        self._left_out = left_out
        self._warden = warden
        self._ledger = ledger
        self._last_words: dict[int, int] = {}
        self._running: _Running | None = None

    @property
    def channel(self) -> Channel | None:
        """The examiner's channel while there is one, for the selector."""
        return None if self._running is None else self._running.examiner

    def scanner_gone(self, mark: ExecutingMark) -> None:
        """Keep the last words of a scanner that is dead or about to be."""
        job, group = mark.read()
        mark.close()
        if group < 0:
            return
        if len(self._last_words) >= limits.EXECUTING_MARKS_MAX:
            self._last_words.pop(next(iter(self._last_words)))
        self._last_words[job] = group

    def ask(self, gate: Channel, body: bytes, file: int, let_go: Callable[[], None]) -> None:
        """A gate wants to know what the file behind `file` does.  Raises FrameRefused; `file` is closed in any case.

        `let_go` closes in the child what is the zygote's alone.
        """
        try:
            suspicion = decode_suspicion(body)
            if self._running is not None:
                raise FrameRefused("a gate asked for a second examination before the first was answered", "kill it")
            hint = self._content.rules_of(self._last_words.pop(suspicion.job, -1))
            ours, theirs = Channel.pair()
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                self._become_examiner(theirs, suspicion, hint, file, parent, let_go)
            theirs.close()
            self._running = _Running(suspicion, gate, ours, pid)
        finally:
            os.close(file)

    def hear(self) -> None:
        """The examiner has spoken or is dead: tell the warden what was found, and the gate that it may ask again."""
        running = self._running
        if running is None:
            return
        try:
            received = running.examiner.receive(wait=False)
            found = _gave_up(running.suspicion) if received is None else decode_examined(received.frame.body)
        except (ChannelClosed, FrameRefused):
            found = _gave_up(running.suspicion)
        running.examiner.close()
        self._running = None
        if found.attribution.finding is not Finding.APPRAISED:
            self._note_faults(found.attribution.rules)
            self._warden.send(catalogue.GUILT, encode_examined(found))
        try:
            running.gate.try_send(catalogue.EXAMINED, EXAMINED_BODY.pack(found.job, found.attribution.finding))
        except (ChannelClosed, OSError):
            pass  # that gate is gone; another one asks for itself

    def costs(self, count: int) -> RuleCosts:
        """The ledger for an operator."""
        entries = self._content.rules
        top = [(entries[one.rule], one) for one in self._ledger.top(count)]
        rows = tuple((RuleName(entry.pack, entry.identifier), one) for entry, one in top)
        return RuleCosts(len(entries), rows, tuple(sorted(self._left_out)))

    def _note_faults(self, rules: tuple[RuleName, ...]) -> None:
        guilty = {(name.pack, name.rule) for name in rules}
        for index, entry in enumerate(self._content.rules):
            if (entry.pack, entry.identifier) in guilty:
                self._ledger.faulted(index)

    def _become_examiner(
        self,
        zygote: Channel,
        suspicion: Suspicion,
        hint: frozenset[RuleName],
        file: int,
        parent: int,
        let_go: Callable[[], None],
    ) -> None:
        """In the child."""
        try:
            sandbox.die_with_parent()
            if os.getppid() != parent:
                os._exit(70)
            if suspicion.purpose == APPRAISE:
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            else:
                os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
            call_myself(Role.APPRAISER if suspicion.purpose == APPRAISE else Role.EXAMINER)
            let_go()
            zygote.send(catalogue.GUILT, encode_examined(self._examined(suspicion, hint, file)))
            os._exit(0)
        finally:
            os._exit(70)

    def _examined(self, suspicion: Suspicion, hint: frozenset[RuleName], file: int) -> Examined:
        what = examiner.read_input(file, suspicion.size_bytes, suspicion.purpose)
        held = suspicion.size_bytes <= limits.SCAN_WHOLE_BYTES_MAX
        data = what.source.read_at(0, suspicion.size_bytes) if held else b""
        release = without(self._load(), self._left_out)
        whole = rule_map(release)
        known = _remaining(whole, self._left_out)
        if suspicion.purpose == APPRAISE:
            entries = self._content.rules
            indexes = {RuleName(entry.pack, entry.identifier): place for place, entry in enumerate(entries)}
            found = appraiser.appraise(release, known, indexes, self._ledger, what)
        else:
            found = examiner.examine(release, known, hint, what)
        return Examined(
            job=suspicion.job,
            size_bytes=suspicion.size_bytes,
            sha256=hashlib.sha256(data).digest() if held else _NO_DIGEST,
            path=suspicion.path,
            attribution=found,
        )


def _remaining(whole: RuleMap, left_out: frozenset[RuleName]) -> RuleMap:
    """The map without what is a stub already."""
    return RuleMap(tuple(rule for rule in whole.rules if rule not in left_out), whole.needs)


def _gave_up(suspicion: Suspicion) -> Examined:
    """The examiner died: nothing was found out."""
    attribution = Attribution(Finding.GAVE_UP, None, (), 0)
    return Examined(suspicion.job, suspicion.size_bytes, _NO_DIGEST, suspicion.path, attribution)
