"""Broken activation machines: the product's own source with one rule changed.  Each must be caught by some seed.

What only one life in ten thousand meets (force that counts as newer metadata, the guard's word after a last death) is
held by a script of its own in `tests/decide/test_activation_operator.py`.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Final

MODULES: Final = tuple(f"ringfence.decide.activation{part}" for part in ("_turn", "_shadow", "_trial", ""))
"""In the order in which they import each other."""

Mutant = tuple[str, str, str]
"""Module's last part, what stands there exactly once, and what stands there instead."""

TURN, SHADOW, TRIAL, RULES = MODULES

MUTANTS: Final[dict[str, Mutant]] = {
    # 1: one at a time
    "takes another candidate during a trial": (
        RULES,
        "kept.candidate is not None and not _makes_room",
        "False and not _makes_room",
    ),
    "lets the fleet end a trial": (RULES, "return event.by_operator and (another", "return (another"),
    "lets the fleet spare the shadow": (
        RULES,
        "at_once = event.by_operator and event.at_once",
        "at_once = event.version if False else event.signed_version % 3 == 0",
    ),
    "tries what is older": (RULES, "event.release.version <= _newest_signed(turn)", "False"),
    "tries what is as old": (
        RULES,
        "event.release.version <= _newest_signed",
        "event.release.version < _newest_signed",
    ),
    "keeps the file of a release that it declined": (
        RULES,
        "        turn.declined.append(event.release)\n        turn.report(ReportKind.DECLINED, event",
        "        turn.report(ReportKind.DECLINED, event",
    ),
    # 3: disk first
    "runs before it writes": (TURN, "(Persist(self.kept), *rest)", "(*rest, Persist(self.kept))"),
    "never writes": (TURN, "(Persist(self.kept), *rest)", "rest"),
    "removes files that the disk names": (
        TURN,
        "named = before.files | self.kept.files if not write else self.kept.files",
        "named = self.kept.files",
    ),
    "removes no files": (
        TURN,
        "(*self.stops, *self._level(), *self.starts, *forgets, *self.reports)",
        "(*self.stops, *self._level(), *self.starts, *self.reports)",
    ),
    "forgets to stop the child": (TRIAL, "turn.stops = [StopCandidate(candidate.release)]", "pass"),
    "goes on with a trial without a compiler after a restart": (
        RULES,
        "turn.keep(candidate=replace(candidate, stage=Stage.COMPILING))\n        turn.starts",
        "turn.starts",
    ),
    "does not compile after a restart": (
        RULES,
        "        turn.starts = [Compile(candidate.release)]\n    turn.stops",
        "    turn.stops",
    ),
    # 4: shadow
    "promotes on no data": (SHADOW, "compared >= limits.SHADOW_QUESTIONS_MIN or", "True or"),
    "promotes on no data where there is none": (SHADOW, "counts.exhausted and compared > 0", "counts.exhausted"),
    "writes nothing at a start": (RULES, "How.WITHDRAWN, True, True", "How.WITHDRAWN, True, False"),
    "promotes after no time": (SHADOW, "shadow_ms >= limits.SHADOW_MS_MIN and ", ""),
    "lets a soak go on in silence": (TRIAL, "if event.cause is Cause.MUTE:", "if False:"),
    "holds silence against what does not soak": (
        TRIAL,
        "if _tried(turn, event.release, Stage.SOAKING) is not None:\n            refuse_candidate(turn, Reason.HUNG",
        "if turn.kept.candidate is not None:\n            refuse_candidate(turn, Reason.HUNG",
    ),
    "never ends a shadow without data": (TRIAL, "turn.state.stage_ms >= limits.SHADOW_MS_MAX", "False"),
    "refuses for want of data": (
        TRIAL,
        '_set_aside(turn, f"only {compared_of(turn.state.counts)} files could be compared")',
        'refuse_candidate(turn, Reason.HUNG, "")',
    ),
    "bears blocks of vital files": (SHADOW, "if counts.vital_blocks:", "if counts.vital_blocks > 1:"),
    "bears one known file more": (
        SHADOW,
        "counts.known_blocks > limits.SHADOW_KNOWN_FILES_MAX",
        "counts.known_blocks > limits.SHADOW_KNOWN_FILES_MAX + 1",
    ),
    "bears no known file": (SHADOW, "counts.known_blocks > limits.SHADOW_KNOWN_FILES_MAX", "counts.known_blocks"),
    "bears one new file more": (
        SHADOW,
        "counts.new_blocks > limits.SHADOW_NEW_FILES_MAX",
        "counts.new_blocks > limits.SHADOW_NEW_FILES_MAX + 1",
    ),
    "bears deaths in the shadow": (SHADOW, "counts.crashes > limits.SHADOW_DEATHS_MAX", "False"),
    "bears timeouts": (SHADOW, "counts.timeouts > late_max", "False"),
    "bears slowness": (SHADOW, "if slow and", "if False and"),
    "bears growth": (SHADOW, "counts.resident_bytes > limits.ZYGOTE_RESIDENT_BYTES_MAX", "False"),
    "goes on with the last candidate's shadow": (TRIAL, "    turn.note(stage_ms=0, counts=NO_COUNTS)\n", ""),
    "skips the shadow": (TRIAL, "if not candidate.owes_shadow:", "if True:"),
    # 5: soak
    "soaks without an answer": (TURN, "(stage is Stage.SOAKING and state.ready)", "stage is Stage.SOAKING"),
    "soaks for a moment": (RULES, "turn.state.stage_ms >= limits.SOAK_MS", "turn.state.stage_ms > 0"),
    "never finishes a soak": (RULES, "turn.state.stage_ms >= limits.SOAK_MS", "False"),
    "does not begin the soak anew after a death": (
        TRIAL,
        "        turn.keep(candidate=again)\n        turn.note(stage_ms=0)",
        "        turn.keep(candidate=again)",
    ),
    "does not begin the soak anew after a kill": (
        TRIAL,
        "elif candidate.stage is Stage.SOAKING:\n            turn.note(stage_ms=0)",
        "elif candidate.stage is Stage.SOAKING:\n            pass",
    ),
    "takes the shadow's time for soak": (
        TRIAL,
        "owes_shadow=False))\n    turn.note(stage_ms=0)",
        "owes_shadow=False))",
    ),
    # 6: trial
    "gives a trial one start more": (
        TRIAL,
        "candidate.attempts >= limits.TRIAL_STARTS_MAX",
        "candidate.attempts >= limits.TRIAL_STARTS_MAX + 1",
    ),
    "gives a trial no second start": (TRIAL, "candidate.attempts >= limits.TRIAL_STARTS_MAX", "True"),
    "does not count starts": (TRIAL, "attempts=candidate.attempts + 1", "attempts=candidate.attempts"),
    "blames a trial for an orderly end": (
        RULES,
        "if not event.clean:",
        "if not event.clean or turn.kept.candidate is not None:",
    ),
    "blames nobody for an end of the host": (RULES, "if not event.clean:", "if False:"),
    "blames the good release for a trial": (
        RULES,
        "candidate_died(turn, candidate, Reason.HOST_CRASHED)",
        "good_died(turn, turn.kept.chain[0], Reason.HOST_CRASHED)",
    ),
    "tries again what its child refused": (
        TRIAL,
        "refuse_candidate(turn, Reason.NOT_COMPILED, event.text)",
        "candidate_died(turn, turn.kept.candidate, Reason.HUNG)",
    ),
    # 7 and 8: the way back
    "keeps only one good release": (
        TRIAL,
        "chain = [proven, *turn.kept.chain]",
        "chain = [proven, turn.kept.chain[-1]]",
    ),
    "keeps no older release when one is proven": (
        TRIAL,
        "if len(chain) > limits.GOOD_RELEASES_MAX:",
        "if len(chain) > 2:",
    ),
    "falls back to the end of the chain": (
        TRIAL,
        "turn.keep(chain=tuple(one for one in turn.kept.chain if one is not good))\n    _refuse",
        "turn.keep(chain=turn.kept.chain[-1:])\n    _refuse",
    ),
    "does not refuse what it leaves": (
        TRIAL,
        "    _refuse(turn, good.release, good.signed_version, reason, text)\n",
        "",
    ),
    "forgets the deaths of a trial": (TRIAL, "candidate.attempts - 1, turn.wall_s", "0, turn.wall_s"),
    "bears one death more": (
        TRIAL,
        "if died.deaths >= limits.RELEASE_DEATHS_MAX:",
        "if good.deaths >= limits.RELEASE_DEATHS_MAX:",
    ),
    "refuses at the first death": (TRIAL, "if died.deaths >= limits.RELEASE_DEATHS_MAX:", "if died.deaths:"),
    "does not count deaths": (
        TRIAL,
        "died if one is good else one for one in turn.kept.chain",
        "one for one in turn.kept.chain",
    ),
    "forgives at once": (RULES, "if steps < limits.FORGIVE_STEPS:", "if False:"),
    "never forgives": (RULES, "if steps < limits.FORGIVE_STEPS:", "if True:"),
    "forgives everything": (RULES, "deaths=good.deaths - 1", "deaths=0"),
    "forgives while another one soaks": (
        RULES,
        "turn.state.runs not in (None, good.release) or not good.deaths",
        "not good.deaths",
    ),
    "counts calm while nobody answers": (TURN, "(state.ready or state.runs is None)", "True"),
    "goes on with the calm of before a death": (TRIAL, "calm_steps=0, steady=False)", "steady=False)"),
    "goes on with the hour of before a death": (TRIAL, "steady=False)\n    turn.note(calm_ms=0)", "steady=False)"),
    "restarts a dying baseline for ever": (
        TURN,
        "(state.baseline_lost or good.deaths >= limits.RELEASE_DEATHS_MAX)",
        "state.baseline_lost",
    ),
    "refuses the baseline": (TRIAL, "    if good is turn.kept.baseline:\n        return\n    turn.how", "    turn.how"),
    "does not restart what has died": (
        TRIAL,
        "        turn.note(ready=False)\n        turn.again = True",
        "        turn.note(ready=False)",
    ),
    "does not see a burst of the good release": (
        TRIAL,
        "        refuse_good(turn, good, Reason.BREAKER, event.text)",
        "        pass",
    ),
    "does not see a burst of the candidate": (
        TRIAL,
        "        refuse_candidate(turn, Reason.BREAKER, event.text)",
        "        pass",
    ),
    "calls everything steady": (RULES, "turn.state.steady_ms >= limits.STEADY_MS", "True"),
    "calls what soaks steady": (TURN, "state.ready and stage is not Stage.SOAKING else 0", "state.ready else 0"),
    "stays steady over a start": (RULES, "    turn.keep(steady=False)\n", ""),
    "blames who was steady": (RULES, "elif not turn.kept.steady and ran", "elif ran"),
    "never blames who was steady once": (
        TURN,
        "calm_steps=0, steady=False)\n            self.note",
        "calm_steps=0)\n            self.note",
    ),
    # 9: refusals
    "forgets a refused candidate": (
        TRIAL,
        "_refuse(turn, candidate.release, candidate.signed_version, reason, text)",
        "pass",
    ),
    "tries again under the same metadata": (
        RULES,
        "event.signed_version <= refusal.signed_version",
        "event.signed_version < refusal.signed_version",
    ),
    "tries again whatever is refused": (RULES, "    if refusal is not None and not forced and", "    if False and"),
    "lets the fleet force": (RULES, "forced = by_hand and event.forced", "forced = True"),
    "forgets the rank of the oldest refusal": (RULES, "refusal is None and ranked <= 0", "False and ranked <= 0"),
    "forgets the rank of its metadata": (TRIAL, "max(turn.kept.forgotten_signed_version, oldest.signed_version)", "0"),
    # 10 and 11: pin and hold
    "runs something newer than the pin": (
        TURN,
        "return next((one for one in kept.chain[:-1] if one.release.version <= newest), kept.baseline)",
        "return kept.chain[0]",
    ),
    "tries others in spite of a pin": (RULES, "if kept.pin is not None and not pinned:", "if False:"),
    "does not run the pinned release": (
        TURN,
        "    if pinned is not None:\n        return pinned",
        "    if pinned is not None:\n        pass",
    ),
    "pins what is refused": (RULES, "if refusal is not None and not event.forced and not is_tried:", "if False:"),
    "tries others in spite of a hold": (RULES, "if kept.hold is not None and not by_hand:", "if False:"),
    # 12: guard
    "runs although it is switched off": (
        TURN,
        "    if state.off:\n        return None",
        "    if False:\n        return None",
    ),
    "tries although it is switched off": (
        RULES,
        '    if turn.state.off:\n        return "the boot',
        '    if False:\n        return "the boot',
    ),
    # 13: no memory, no risks
    "tries although nothing can be written": (RULES, "    if turn.state.unkept:", "    if False:"),
    "goes on with a trial that is not written down": (
        RULES,
        '        withdraw(turn, "the record cannot be written")\n',
        "        pass\n",
    ),
    "leaves the file of a trial that did not begin": (
        RULES,
        "        turn.declined.append(candidate.release)\n        withdraw",
        "        withdraw",
    ),
    "leaves the child of a soak that did not begin": (
        RULES,
        "            stops.append(StopCandidate(candidate.release))",
        "            pass",
    ),
    "does not write again": (RULES, "        turn.write = True", "        pass"),
    "believes that it wrote": (
        RULES,
        "turn.note(asked=None, unkept=True,",
        "turn.note(asked=None, durable=None, unkept=True,",
    ),
    "does not run anything when the disk refuses": (
        RULES,
        "turn.again = any(isinstance(one, Run | Idle) for one in asked)",
        "turn.again = False",
    ),
    "is not cautious": (RULES, "cautious = turn.state.cautious or turn.state.unclean", "cautious = False"),
    "stays cautious": (RULES, "unkept=False, unclean=False, cautious=False", "unkept=False, unclean=False"),
    # 14 to 16
    "refuses what is lost": (
        TRIAL,
        '        withdraw(turn, "its file is lost")',
        '        refuse_candidate(turn, Reason.CRASHED, "")',
    ),
    "keeps what is lost": (
        TRIAL,
        "            turn.keep(chain=tuple(one for one in turn.kept.chain if one is not good))\n",
        "            pass\n",
    ),
    "believes its clock": (
        TURN,
        "min(max(now_ms - state.last_ms, 0), limits.ACTIVATION_TICK_MS_MAX)",
        "max(now_ms - state.last_ms, 0)",
    ),
    "lets time go back": (
        TURN,
        "min(max(now_ms - state.last_ms, 0), limits.ACTIVATION_TICK_MS_MAX)",
        "min(now_ms - state.last_ms, limits.ACTIVATION_TICK_MS_MAX)",
    ),
    "blames a release for somebody else's kill": (
        TRIAL,
        "reason = _REASON_OF.get(event.cause)",
        "reason = _REASON_OF.get(event.cause, Reason.CRASHED)",
    ),
    "believes words about another release": (
        TRIAL,
        "candidate is None or candidate.release != release or candidate.stage not in stages",
        "candidate is None or candidate.stage not in stages",
    ),
    "believes words of another stage": (
        TRIAL,
        "candidate is None or candidate.release != release or candidate.stage not in stages",
        "candidate is None or candidate.release != release",
    ),
}


def source_of(module: str) -> str:
    """The text of a module of the product."""
    return Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")


def broken(mutant: Mutant) -> ModuleType:
    """The machine with one change.  Raises LookupError when the change no longer fits the source."""
    changed, old, new = mutant
    if source_of(changed).count(old) != 1:
        raise LookupError(f"{old!r} stands {source_of(changed).count(old)} times in {changed}")
    sound = {name: sys.modules[name] for name in MODULES}
    try:
        for name in MODULES:
            text = source_of(name)
            sys.modules[name] = module = ModuleType(name)
            module.__file__ = sound[name].__file__
            code = compile(text.replace(old, new) if name == changed else text, name, "exec")
            exec(code, module.__dict__)  # noqa: S102 - our own source
        return sys.modules[MODULES[-1]]
    finally:
        sys.modules.update(sound)
