"""`python -m faults`: run every case, print the table, write build/faults.json.  `--help` lists the options."""

import argparse
import fnmatch
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from faults import boots, content, exhaustion, network, processes, wilful
from faults.outcome import Case, NotHeldError, as_json, table_of
from faults.relay import Manner
from faults.stage import Stage

NEEDS: Final = ("mount", "umount", "unshare")
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130

Work = Callable[[Stage, Case], str]


def works() -> dict[str, Work]:
    """Every case by name, in the order in which they run."""
    found: dict[str, Work] = {}
    for number, word in processes.WORDS.items():
        for role in processes.ROLES:
            found[f"{word} {role}"] = partial(processes.hit, role=role, number=number)
    found["kill -9 gate, again and again"] = processes.crash_loop
    found["disk full"] = exhaustion.disk_full
    found["no inodes"] = exhaustion.inodes_gone
    found["no descriptors"] = exhaustion.descriptors_gone
    found["memory cgroup"] = exhaustion.memory_gone
    found["damaged spool"] = network.spool_damaged
    found["damaged store"] = network.store_damaged
    found["server gone for hours"] = network.server_gone
    found["server's clock jumps"] = network.server_clock_jumps
    for manner in (Manner.REPEATS, Manner.LOSES_ANSWERS, Manner.REORDERS):
        found[f"network {manner}"] = partial(network.lies, manner=manner)
    found |= content.WORKS
    found["R46 greenboot#26"] = boots.counter_that_loops
    for what, source in wilful.WILFUL.items():
        for way, at_once in (("at once", True), ("through the shadow", False)):
            found[f"wilful release {what}, {way}"] = partial(wilful.bad_release, source=source, at_once=at_once)
    return found


def main(words: list[str]) -> int:
    """Run what was asked for.  Returns 0 when every case passed and every figure holds."""
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description="Hurt a protected host in every way we know, and see that it goes on.  Needs root.",
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases whose names match, such as 'kill*'")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--output", type=Path, default=Path("build/faults.json"), help="where the JSON goes")
    asked = parser.parse_args(words)
    chosen = {name: work for name, work in works().items() if fnmatch.fnmatchcase(name, asked.only)}
    if asked.list or not chosen:
        print("\n".join(chosen) or f"no case is called {asked.only}")
        return 0 if chosen else EXIT_USAGE
    missing = [need for need in NEEDS if shutil.which(need) is None]
    if os.geteuid() != 0 or missing:
        print(f"faults: needs {'root' if not missing else 'the commands ' + ', '.join(missing)}", file=sys.stderr)
        return EXIT_USAGE
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _interrupt)
    cases: list[Case] = []
    stage = Stage()
    try:
        for name, work in chosen.items():
            cases.append(_run(stage, name, work))
    except KeyboardInterrupt:
        print("faults: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        stage.close()
        print(table_of(cases), flush=True)
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(json.dumps(as_json(cases), indent=1) + "\n")
    return 0 if all(case.passed for case in cases) else EXIT_FAILED


def _run(stage: Stage, name: str, work: Work) -> Case:
    """One case; whatever it raises is its failure, and the others go on."""
    case = Case(name)
    print(f"{name} …", file=sys.stderr, flush=True)
    began = time.monotonic()
    try:
        case.detail = work(stage, case)
        complaints = case.figures.complaints()
        case.passed = not complaints
        case.detail = "; ".join([*complaints, case.detail])
    except (NotHeldError, AssertionError) as error:
        case.detail = str(error).splitlines()[0] if str(error) else type(error).__name__
    except Exception as error:  # noqa: BLE001 - one case that breaks must not hide what the others find
        case.detail = f"{type(error).__name__}: {error}"
    case.seconds = time.monotonic() - began
    print(f"  {'ok' if case.passed else 'FAIL'} in {case.seconds:.1f} s: {case.detail}", file=sys.stderr, flush=True)
    return case


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End with everything undone; a second signal does not disturb the undoing."""
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
