"""Bring the console's front-end libraries from npm into the package.

    python tools/build_console_assets.py [--no-install]

Runs `npm ci` (the lock file pins every library by hash; no library's own scripts are run) and copies the few files that
the pages load, with their licences, to `src/ringfence/control/console/static/vendor/`.  That folder is not in git, and
is in the wheel.  Run again after a change of `package-lock.json`; it writes the same files from the same lock.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "src" / "ringfence" / "control" / "console" / "static" / "vendor"

COPIES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uPlot.min.css",
    "uplot/LICENSE": "uPlot.LICENSE.txt",
}
"""File below `node_modules/` to its name in the vendor folder."""


def install() -> None:
    """Run `npm ci` at the root of the repository; raises SystemExit with the way out where npm is missing or fails."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("build_console_assets: npm is missing\n  way out: apt-get install -y npm")
    finished = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=ROOT, check=False)
    if finished.returncode != 0:
        raise SystemExit("build_console_assets: `npm ci` failed\n  way out: read its message above")


def copy(modules: Path, vendor: Path) -> list[Path]:
    """Copy every file of `COPIES` from `modules` to `vendor`; returns what was written."""
    vendor.mkdir(parents=True, exist_ok=True)
    written = []
    for source, name in COPIES.items():
        target = vendor / name
        target.write_bytes((modules / source).read_bytes())
        written.append(target)
    for stranger in set(vendor.iterdir()) - set(written):
        stranger.unlink()
    return written


def main(arguments: list[str]) -> int:
    """Install and copy; prints one line a file."""
    parser = argparse.ArgumentParser(description="Bring the console's front-end libraries into the package.")
    parser.add_argument("--no-install", action="store_true", help="copy from node_modules as it is")
    if not parser.parse_args(arguments).no_install:
        install()
    for path in copy(ROOT / "node_modules", VENDOR):
        sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
