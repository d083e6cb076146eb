"""`python -m vm`: make the image, run every case, print the table, write build/test-vm.json."""

import argparse
import fnmatch
import json
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vm.cases import CASES, own_machine, prepared
from vm.hands import Seen
from vm.image import Image, image

NEEDS: Final = "qemu-system-x86_64 qemu-img mmdebstrap busybox mke2fs cpio modprobe unshare setpriv".split()
MACHINES_AT_ONCE: Final = 3
"""One more than there are processors: a machine that waits leaves them to the others."""


@dataclass(slots=True)
class Result:
    """One case and what became of it."""

    name: str
    passed: bool
    detail: str
    seconds: float
    spent_s: float
    """Processor seconds of QEMU: what it takes on an idle machine."""

    seen: Seen = field(default_factory=Seen)


def main(words: list[str]) -> int:
    """Run what was asked for; 0 when every case passed."""
    parser = argparse.ArgumentParser(prog="python -m vm", description="Hurt whole machines at boot.  Needs root.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases whose names match, such as 'power*'")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--cache", type=Path, default=Path("build/vm"), help="where the images are kept")
    parser.add_argument("--output", type=Path, default=Path("build/test-vm.json"), help="where the JSON goes")
    asked = parser.parse_args(words)
    chosen = [name for name in CASES if fnmatch.fnmatchcase(name, asked.only)]
    if asked.list or not chosen:
        print("\n".join(chosen) or f"no case is called {asked.only}")
        return 0 if chosen else 2
    missing = [need for need in NEEDS if shutil.which(need) is None]
    if os.geteuid() != 0 or missing:
        print(f"vm: needs {'root' if not missing else 'the commands ' + ', '.join(missing)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    made = image(asked.cache)
    print(f"the image is there after {time.monotonic() - began:.0f} s", flush=True)
    disk = prepared(made, asked.cache)
    print(f"the prepared machine is there after {time.monotonic() - began:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="ringfence-vm-") as scratch, ThreadPoolExecutor(MACHINES_AT_ONCE) as pool:
        runs = [pool.submit(_run, name, made, disk, Path(scratch) / f"{at}.qcow2") for at, name in enumerate(chosen)]
        results = [run.result() for run in runs]
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(as_json(results), indent=2) + "\n")
    print(table_of(results))
    print(f"\nthe whole took {time.monotonic() - began:.0f} s")
    failed = sum(not one.passed for one in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return int(failed > 0)


def _run(name: str, made: Image, disk: Path, own: Path) -> Result:
    began = time.monotonic()
    seen, spent_s = Seen(), 0.0
    try:
        with own_machine(made, disk, own) as machine:
            try:
                detail, passed = CASES[name](machine, seen), True
            finally:
                spent_s = machine.spent_s
    except Exception as error:  # noqa: BLE001 - whatever it is, the case has failed, and the others go on
        detail, passed = f"{type(error).__name__}: {error}", False
    finally:
        own.unlink(missing_ok=True)
    if passed and (against := _against(seen)):
        detail, passed = f"{detail}, but: {against}", False
    result = Result(name, passed, detail, time.monotonic() - began, spent_s, seen)
    took = f"{result.seconds:.0f} s, {spent_s:.0f} s of processor time"
    print(f"{'ok' if passed else 'FAIL'}  {name} ({took}): {detail}", flush=True)
    return result


def _against(seen: Seen) -> str:
    """What no case may count, whatever else it claims."""
    counts = {
        "opens past the deadline": seen.opens_past_deadline,
        "acknowledged records lost": seen.alerts_lost,
        "good releases refused": seen.wrong_convictions,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def as_json(results: list[Result]) -> dict[str, object]:
    """The report for machines."""
    again = [seconds for one in results for seconds in one.seen.protected_again_s]
    return {
        "opens_past_deadline": sum(one.seen.opens_past_deadline for one in results),
        "acknowledged_lost": sum(one.seen.alerts_lost for one in results),
        "wrong_convictions": sum(one.seen.wrong_convictions for one in results),
        "worst_protected_again_s": round(max(again, default=0.0), 1),
        "cases": [
            {
                "name": one.name,
                "passed": one.passed,
                "detail": one.detail,
                "seconds": round(one.seconds, 1),
                "processor_seconds": round(one.spent_s, 1),
            }
            for one in results
        ],
    }


def table_of(results: list[Result]) -> str:
    """The report for people."""
    width = max(len(one.name) for one in results)
    lines = [f"{'case':<{width}}  {'':4}  {'took':>6}  what was seen", ""]
    for one in results:
        word = "ok" if one.passed else "FAIL"
        lines.append(f"{one.name:<{width}}  {word:<4}  {one.seconds:>4.0f} s  {one.detail.splitlines()[0]}")
    figures = as_json(results)
    lines.append("")
    lines += [f"{name.replace('_', ' ')}: {value}" for name, value in figures.items() if name != "cases"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
