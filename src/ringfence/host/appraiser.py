"""What each rule costs on a file of this host, measured one by one when nobody waits.

The engine's package has no profile of single rules, and timing them on every scan would cost every scan.  So now and
then a file that comes to the idle scanner is scanned again, by some of the rules, each alone; a few files tell the dear
rules from the cheap ones.

The appraiser is an examiner with another question: a child of the zygote that runs one child of its own.  That one
compiles, enters the scanner's sandbox, and times rule after rule.  A rule over its budget twice in a row is told, and
the host leaves it out; one that does not come back is a fault like any other, and is examined as one.
"""

import os
import resource
import socket
import time
from collections.abc import Mapping
from typing import Final, NoReturn

from ringfence.decide.inspection import inspect_windows
from ringfence.detect.rule_removal import RuleMap, only
from ringfence.detect.yara import compile_release
from ringfence.host import examiner, processes, sandbox
from ringfence.host.examiner import Input
from ringfence.host.executing import ExecutingMark
from ringfence.host.rule_ledger import RuleLedger
from ringfence.model import limits
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.model.release import Release

_PLACE_BYTES: Final = 4
_NANOSECONDS: Final = 1_000_000


def appraise(
    release: Release, known: RuleMap, indexes: Mapping[RuleName, int], ledger: RuleLedger, what: Input
) -> Attribution:
    """Time the rules that have the fewest samples.  The finding is APPRAISED, or names a rule that takes too long."""
    reporting = [rule for rule in known.rules if rule in indexes]
    reporting.sort(key=lambda rule: ledger.row(indexes[rule]).samples)
    chosen = reporting[: limits.APPRAISAL_RULES_MAX]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mark, parent = ExecutingMark(), os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.die_with_parent()
            if os.getppid() != parent:
                os._exit(70)
            ours.close()
            _time(theirs, release, known, chosen, indexes, ledger, what, mark)
        finally:
            os._exit(70)
    theirs.close()
    said = examiner.listen(ours, pid, _PLACE_BYTES)
    ours.close()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if said:
        slow = chosen[int.from_bytes(said[:_PLACE_BYTES], "big")]
        return Attribution(Finding.RULES, FaultKind.SLOW, (slow,), 2)
    _, place = mark.read()
    if status < 0 and 0 <= place < len(chosen):
        return examiner.examine(release, known, frozenset({chosen[place]}), what)
    return Attribution(Finding.APPRAISED, None, (), 0)


def _time(
    end: socket.socket,
    release: Release,
    known: RuleMap,
    chosen: list[RuleName],
    indexes: Mapping[RuleName, int],
    ledger: RuleLedger,
    what: Input,
    mark: ExecutingMark,
) -> NoReturn:
    """In the child.  Says the place of the first rule that takes too long, and nothing where none does."""
    nobody = frozenset[RuleName]()
    compiled = [compile_release(only(release, known.needs.get(rule, nobody) | {rule})) for rule in chosen]
    compiled[0].scanner(limits.ENGINE_TIMEOUT_S).warm()  # the engine's timer thread starts here, before the sandbox
    used = resource.getrusage(resource.RUSAGE_SELF)
    used_s = int(used.ru_utime + used.ru_stime) + 1
    examiner.limit(resource.RLIMIT_CPU, used_s + limits.APPRAISAL_CPU_S, spare=1)
    sandbox.enter(processes.SCANNER)
    for place, rule in enumerate(chosen):
        mark.begin(place)
        spent_ms = 0
        for _ in range(2):
            engine = compiled[place].scanner(limits.ENGINE_TIMEOUT_S)
            began_ns = time.thread_time_ns()  # under a limit of processor time the process's own clock only ticks
            inspect_windows(engine, what.source, limits.SYNC_SCAN_BYTES_MAX)
            spent_ns = time.thread_time_ns() - began_ns
            ledger.sampled(indexes[rule], spent_ns)
            spent_ms = spent_ns // _NANOSECONDS
            if spent_ms <= limits.RULE_BUDGET_MS:
                break
        if spent_ms > limits.RULE_BUDGET_MS:
            end.send(place.to_bytes(_PLACE_BYTES, "big"))
            break
    mark.end(0)
    os._exit(0)
