"""The content failures of history, each with its damage first: a host refuses the content, or survives it.

The numbers are those under which these failures are known to us (R01 to R46).
"""

import hashlib
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import re2
from tests.support.live_sensor import RULE, meet, reading, release_of, running, shell_tree

from faults import damage
from faults.outcome import Case
from faults.stage import Scene, Stage
from ringfence.detect.yara import compile_release
from ringfence.model import limits
from ringfence.model.errors import ContentRefused
from ringfence.model.release import Contract
from ringfence.wire.release import decode_release

OTHER: Final = b"ANOTHER-" + b"BAD-STRING"
OTHER_RULE: Final = 'rule another { strings: $a = "ANOTHER-" $b = "BAD-STRING" condition: $a and $b }\n'
LITERAL: Final = 'rule twenty_first { condition: owner == "root" }\n'
WILDCARD: Final = "rule twenty_first { condition: owner matches /.*/ }\n"
BAD_PARTS: Final = 'rule parts { strings: $s1 = "1111" condition: $s1 or $s7 }\n'
SHORTCUT: Final = "[Desktop Entry]\nType=Application\nName=Program {0}\nExec=/usr/bin/program-{0}\n"
SHORTCUT_RULE: Final = 'rule shortcut { strings: $a = "[Desktop Entry]" condition: $a at 0 }\n'
PROGRAM_RULE: Final = "rule program { condition: uint32(0) == 0x464c457f }\n"
IMPORT: Final = """import "math"
"""
HANG: Final = b"ONE-" + b"EXPRESSION"
HANG_RULE: Final = """
rule one_expression {
  strings: $a = "ONE-" $b = "EXPRESSION"
  condition: $a and $b and for all i in (0..1 << 60) : (math.entropy(0, filesize) >= 0)
}
"""
REGEX_INPUT_CHARACTERS: Final = 20_000
SHORTCUTS: Final = 120
ALTERNATIONS: Final = 3
FOUND_S: Final = 150.0
"""For an examination at low priority on a machine that others use."""


def load(scene: Scene, release: bytes) -> str:
    """Give the running host a release, to run as soon as it compiles; what it says against it, or ""."""
    try:
        scene.live.load(release, at_once=True)
    except ContentRefused as refused:
        return str(refused)
    return ""


def channel_file_291(stage: Stage, case: Case) -> str:
    """R01.  Content that reads one input more than there are, literal or as a wildcard."""
    asks = damage.in_a_child(lambda: damage.read_input(damage.SUPPLIED + 1))
    hides = damage.in_a_child(lambda: damage.read_input(damage.SUPPLIED))
    case.damage = f"reading input {damage.SUPPLIED + 1} of {damage.SUPPLIED} {asks}; with a wildcard there, it {hides}"
    case.need("the damage is real", holds="SIGSEGV" in asks and hides == "ended well")
    with stage.scene(case) as scene:
        said = []
        for rule in (LITERAL, WILDCARD):
            release = release_of(RULE + rule, "live_test", "twenty_first", contract=Contract((), ("owner",)))
            said.append(load(scene, release))
            case.need("the release is refused", holds="owner" in said[-1])
            case.need("bad files are refused meanwhile", holds=scene.refuses())
            engine = compile_release(decode_release(release)).scanner(1)  # past every check
            case.need("the engine lives", holds=engine.scan(b"anything") is not None)
    return f"refused, literal and wildcard alike: {said[0][:90]}"


def half_loaded_rule(stage: Stage, case: Case) -> str:
    """R02.  One rule that the engine cannot take among good ones."""
    odd = "rule odd { strings: $a = /a{2,1}/ condition: $a }\n"
    loaded, lost = damage.half_loaded(RULE, odd)
    case.damage = f"a loader that skips it says that all is well, with {lost} rule of {loaded + lost} missing"
    case.need("the damage is real", holds=lost == 1)
    return _refused(stage, case, release_of(RULE + OTHER_RULE + odd, "another", "live_test", "odd"), "yara/live.yar")


def undeclared_part(stage: Stage, case: Case) -> str:
    """R04.  An expression over more parts than there are: refused, and the next good version installs."""
    bad = release_of(RULE + BAD_PARTS, "live_test", "parts")
    overwritten = damage.in_a_child(lambda: damage.overwrite_and_load(RULE, BAD_PARTS))
    case.damage = f"a scanner that overwrites its rules before it loads them {overwritten}, and has none"
    case.need("the damage is real", holds=overwritten == "ended with status 1")
    said = _refused(stage, case, bad, "yara/live.yar", release_of(RULE + OTHER_RULE, "another", "live_test", version=2))
    return f"{said}; the next version was taken and refuses what only it knows"


def _refused(stage: Stage, case: Case, release: bytes, reason: str, following: bytes = b"") -> str:
    """A release that the host must refuse with a reason while the old one goes on; perhaps one that it must take."""
    with stage.scene(case) as scene:
        said = load(scene, release)
        case.need(f"it is refused because of {reason}: {said!r}", holds=reason in said)
        case.need("bad files are refused as before", holds=scene.refuses())
        case.need("harmless ones are not", holds=not scene.open(scene.live.fresh()))
        if following:
            case.need("the next version is taken", holds=load(scene, following) == "")
            scene.until(lambda: scene.open(scene.live.fresh(OTHER)), "the new version refuses what it knows")
    return "refused: " + said[:120]


def system_binary_condemned(stage: Stage, case: Case) -> str:
    """R20.  A rule that condemns every program: the shell of a copied tree, its loader and its library."""
    release = release_of(PROGRAM_RULE, "program")
    with stage.scene(case, load=False, release=release, furnish=_two_systems) as scene:
        scene.may_be_convicted = scene.may_be_refused = True
        (met,) = meet([running(scene.live.tree / "changed")])
        scene.figures.opened(met.waited_ms)
        case.damage = "the shell of a system that nobody vouches for " + ("is not run" if met.refused else "runs")
        case.need("the damage is real", holds=met.refused)
        (met,) = meet([running(scene.live.tree / "vouched")])
        scene.figures.opened(met.waited_ms)
        case.need("the packaged shell runs", holds=not met.refused)
        scene.until(lambda: scene.live.status().mode.name == "OBSERVE", "the release is convicted")
        spared = scene.live.counter("spared_vital")
        (met,) = meet([running(scene.live.tree / "changed")])
        case.need("after that the other shell runs as well", holds=not met.refused)
        return f"the packaged shell, loader and library were spared ({spared}), then the release was convicted"


def _two_systems(tree: Path) -> None:
    """A shell as it is packaged, and one with a few bytes more."""
    shell_tree(tree / "changed")
    root = tree / "vouched"
    listed = subprocess.run(["ldd", "/bin/sh"], check=True, capture_output=True, text=True).stdout
    for name in ("/bin/sh", *(word for word in listed.split() if word.startswith("/"))):
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(name).resolve(), target)
    (root / "word").write_text("a word\n")


def shortcuts_deleted(stage: Stage, case: Case) -> str:
    """R27.  A rule that condemns every shortcut of the desktop, in a burst."""
    doomed = stage.home / "shortcuts"
    doomed.mkdir()
    _shortcuts(doomed)
    case.damage = f"{damage.delete_matching(doomed, SHORTCUT_RULE)} of {SHORTCUTS} shortcuts are deleted for good"
    with stage.scene(case, load=False, release=release_of(SHORTCUT_RULE, "shortcut"), furnish=_shortcuts) as scene:
        scene.may_be_convicted = scene.may_be_refused = True
        paths = sorted(scene.live.tree.glob("*.desktop"))
        refused = [scene.open(path) for path in paths]
        count = sum(refused)
        case.need(f"few are refused, then none: {count}", holds=0 < count <= limits.BREAKER_OLD_FILES_MAX)
        case.need("none after the breaker", holds=not any(refused[limits.BREAKER_OLD_FILES_MAX :]))
        kept = all(path.read_text() == SHORTCUT.format(number) for number, path in _numbered(scene.live.tree))
        case.need("every one is there, as it was", holds=kept)
        return f"{count} of {SHORTCUTS} were refused once, then the release was convicted; every one is there and opens"


def _shortcuts(directory: Path) -> None:
    for number, path in _numbered(directory):
        path.write_text(SHORTCUT.format(number))


def _numbered(directory: Path) -> list[tuple[int, Path]]:
    return [(number, directory / f"{number:03}.desktop") for number in range(SHORTCUTS)]


def one_regex(stage: Stage, case: Case) -> str:
    """R10.  One expression takes every processor; ours do not go back, and a rule that hangs otherwise is left out."""
    text = "1" * REGEX_INPUT_CHARACTERS
    backtracking = damage.in_a_child(lambda: damage.burn(text))
    began = time.process_time()
    re2.search(damage.REGEX, text)
    linear_ms = (time.process_time() - began) * 1000
    case.damage = f"the expression {backtracking} after {damage.CPU_S} s of processor time on {len(text)} digits"
    case.need("the damage is real", holds="SIGXCPU" in backtracking)
    case.need("a linear engine does not", holds=linear_ms < damage.CPU_S * 1000)
    release = release_of(IMPORT + RULE + HANG_RULE, "live_test", "one_expression", contract=Contract(("math",), ()))
    files = {f"hang-{number}": HANG + b" %d" % number for number in range(4)}
    with stage.scene(case, release=release, files=files) as scene:
        scene.may_be_convicted = scene.may_be_refused = True
        for met in meet([reading(scene.live.tree / name) for name in files]):
            scene.figures.opened(met.waited_ms)
            case.need("they go on", holds=not met.refused)
        began = time.monotonic()
        scene.protected_again(began)
        scene.until(lambda: scene.live.counter("rules_disabled") == 1, "the rule is found and left out", FOUND_S)
        took = time.monotonic() - began
        scene.until(scene.refuses, "the rest of the release goes on")
        scans = scene.live.counter("deadline_passed")
        for name in files:
            scene.open(scene.live.tree / name)
        case.need("those files are scanned now", holds=scene.live.counter("deadline_passed") == scans)
    return f"in linear time {linear_ms:.1f} ms; a rule that hangs was left out after {took:.0f} s, the rest went on"


def oversized_file(stage: Stage, case: Case) -> str:
    """R07.  A generated release that is twice as long as it may be; good and bad ones alternate."""
    rows = [f"feature {number}" for number in range(damage.FEATURES_MAX)]
    panic = damage.in_a_child(lambda: damage.take_features(rows * 2))
    case.damage = f"a consumer with room for {damage.FEATURES_MAX} rows {panic} on {len(rows) * 2}"
    case.need("the damage is real", holds=panic != "ended well")
    doubled = release_of(RULE * 2, "live_test")
    with stage.scene(case) as scene:
        author, said = _too_many_rules(), ""
        case.need("the author's side refuses it", holds=bool(author))
        for number in range(ALTERNATIONS):
            more = f"rule more{number} {{ condition: false }}\n"
            good = release_of(RULE + more, "live_test", f"more{number}", version=number + 2)
            case.need("a good one is taken", holds=load(scene, good) == "")
            said = load(scene, doubled)
            case.need(f"a bad one is refused: {said!r}", holds=bool(said))
            case.need("bad files are refused throughout", holds=scene.refuses())
            case.need("harmless ones never", holds=not scene.open(scene.live.fresh()))
            case.need("the good one stays", holds=scene.live.runs() == hashlib.sha256(good).hexdigest())
    return f"author: {author[:60]}; host: {said[:60]}; {ALTERNATIONS} good and bad in turn, no verdict lost"


def _too_many_rules() -> str:
    """Why a release of one rule more than a release may have is refused, or ""."""
    names = [f"r{number:05}" for number in range(limits.RULES_MAX + 1)]
    chance = random.Random(3)  # a generated file that does not shrink to nothing
    texts = (f'rule {name} {{ strings: $a = "{chance.getrandbits(128):x}" condition: $a }}\n' for name in names)
    try:
        decode_release(release_of("".join(texts), *names))
    except ContentRefused as refusal:
        return refusal.what
    return ""


WORKS: Final[dict[str, Callable[[Stage, Case], str]]] = {
    "R01 Channel File 291": channel_file_291,
    "R02 ClamAV #923": half_loaded_rule,
    "R04 ClamAV #698": undeclared_part,
    "R07 Cloudflare 2025-11-18": oversized_file,
    "R10 Cloudflare 2019-07-02": one_regex,
    "R20 McAfee DAT 5958": system_binary_condemned,
    "R27 Defender 1.381.2140.0": shortcuts_deleted,
}
"""Cases by name."""
