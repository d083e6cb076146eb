"""Every code that only proving can give, with the harm that it stands for.  A code never changes its meaning."""

from typing import Final

PROVE_CODES: Final[dict[str, str]] = {
    "prove/load": "The release does not load as a host loads it: no host would run any of it.",
    "prove/contract": "The release needs an input that a sensor does not supply: there it would fail, or never match.",
    "prove/compile": "The rule does not compile, with the rules that it refers to: its pack takes the release down.",
    "prove/compile-slow": "Compiling takes so long that a host gives up on the release, or starts late.",
    "prove/self-test": "A self-test does not hold: the rule does not do what its author believes.",
    "prove/slow": "One scan takes longer than one rule may cost: every open of such a file waits for it.",
    "prove/timeout": "The engine times out: no rule speaks about that file, also none of the good ones.",
    "prove/engine-panic": "The engine fails inside: a scanner that fails is replaced and the file goes unscanned.",
    "prove/engine-died": "The engine's process dies of it: each such file costs a host a scanner.",
    "prove/hang": "The engine does not end: each such file holds up whoever opens it until the deadline.",
    "prove/memory": "It takes more memory than a host gives its scanners: they are killed one after the other.",
    "prove/babble": "The worker gave an answer that fits no question: something in the rules steered the engine.",
    "prove/matches-everything": "The rule matches zeros, text and chance alike: it would match every file.",
    "prove/clock": "The rule reads the clock: it can turn bad after it was proven, at the same moment everywhere.",
    "prove/budget": "The release costs more than it claims: a host that gives it what it claims throws it out.",
    "prove/goodware-block": "A blocking rule hits a file of the system: hosts would refuse to open it.",
    "prove/goodware-vital": "A blocking rule hits a file without which a machine does not boot or log in.",
    "prove/goodware-own": "A rule hits Ringfence's own files: the sensor would report or refuse itself.",
    "prove/goodware-noise": "An alerting rule hits so many good files that its alerts drown the others.",
    "prove/goodware-alert": "An alerting rule hits a few good files, within its bound.",
    "prove/goodware-failed": "The engine failed on an ordinary file: it would go unscanned on every host.",
    "prove/fast-differs": "The host's path and the plain engine disagree: a rule would stay silent, or speak wrongly.",
    "prove/not-repeatable": "The same input gives another result the second time: no proof says anything about it.",
}
"""Code -> what is wrong, and what harm it does, in one sentence."""
