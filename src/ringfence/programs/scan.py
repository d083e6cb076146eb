"""`ringfence scan`: look for malicious files on demand, with every processor, in sandboxed workers.

Walking is in `host/tree_walk.py`, the workers in `host/demand_pool.py`; this is the command: arguments, the report, the
exit status.  The status is 0, 1 or 2 whatever happens: an error's own is not used here (a person's Ctrl-C gives 130).
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import typer

from ringfence.host.demand_pool import DemandPool, Scanned
from ringfence.host.tree_walk import FoundFile, Passed, PassedBy, shown, walk
from ringfence.model.errors import UsageRefused
from ringfence.model.limits import DEMAND_WORKERS_MAX
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.programs.content_show import read_release_file
from ringfence.programs.failure import settle_output, tell
from ringfence.programs.starter_content import starter_release

CLEAN_STATUS: Final = 0
FOUND_STATUS: Final = 1
ERROR_STATUS: Final = 2

REASONS: Final = {
    UnknownReason.DEADLINE_PASSED: "took too long",
    UnknownReason.SCANNER_DIED: "the scanner died on it",
    UnknownReason.ENGINE_TIMEOUT: "a rule took too long",
    UnknownReason.ENGINE_PANIC: "the engine failed on it",
    UnknownReason.FILE_TOO_LARGE: "too large to be scanned to its end",
    UnknownReason.FILE_UNREADABLE: "could not be read to its end",
    UnknownReason.ARCHIVE_BOUND: "not everything in it could be opened",
    UnknownReason.FILE_HOT: "changed while it was read",
    UnknownReason.FILE_PARTIAL: "only parts of it were scanned",
}


@dataclass(slots=True)
class Tally:
    """What the summary says."""

    files: int = 0
    bytes: int = 0
    malicious: int = 0
    suspicious: int = 0
    not_scanned: int = 0
    passed_by: int = 0
    """Pipes, sockets, devices and other file systems: nothing to scan there."""

    started_ns: int = field(default_factory=time.monotonic_ns)

    def exit_status(self, *, cut_short: bool = False) -> int:
        """Found wins over every error: a script that looks for threats must not miss one behind an unreadable file."""
        if self.malicious or self.suspicious:
            return FOUND_STATUS
        return ERROR_STATUS if self.not_scanned or cut_short else CLEAN_STATUS


def command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files and directories.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines; see above.")] = False,
    content: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A release file; the packaged starter content by default.")
    ] = None,
    one_file_system: Annotated[
        bool, typer.Option("--one-file-system", help="Do not cross into other mounted file systems.")
    ] = False,
    workers: Annotated[
        int, typer.Option(metavar="N", min=0, help="Scanner processes; 0 means one for each processor.")
    ] = 0,
) -> None:
    r"""Scan files and directories, and what is packed in archives, on demand.

    \b
    Examples:
      ringfence scan /srv /home
      ringfence scan --json /var/www > findings.jsonl
      ringfence scan --content my.release suspicious.zip || echo "found, or not all could be scanned"

    \b
    Exit status:
      0  everything was scanned and nothing was found
      1  something was found (also if other files could not be scanned, or an error ended the scan after it)
      2  nothing was found, and not everything was scanned: a file that could not be read to its end, or any error
         (a PATH that does not exist, content that is refused, wrong words ...); standard error says which
    A PATH that does not exist ends the command before it scans anything.

    \b
    With --json each line is one object with a "type":
      finding      path, outcome (malicious, suspicious), size_bytes, sha256 ("" if not read to its end), complete,
                   rules (identifier, pack, author, description, severity, action, technique, reference, licence),
                   matches (rule, pattern, offset_bytes, length_bytes, excerpt_hex, member)
      not_scanned  path, reason, detail (a list of texts)
      summary      files, bytes, malicious, suspicious, not_scanned, passed_by, duration_ms, workers_replaced,
                   release (name, version, sha256), exit_status; the last line, unless an error ends the scan

    \b
    Symbolic links are not followed, except one given as PATH.  Pipes, sockets and devices are never opened.
    Mounted file systems below PATH are scanned too, except those that are no storage (proc, sysfs and the like).
    A file with several names is scanned once; one that changes while it is read counts as not scanned.
    Archives (zip, tar, gzip, bzip2, xz, zstd) are opened within bounds; one that is encrypted, damaged or over a
    bound counts as not scanned unless something was found in it.
    """
    tally = Tally()
    report: Report = JsonReport(tally) if as_json else TextReport(tally)
    cut_short = True
    try:
        release = starter_release() if content is None else read_release_file(content)
        found = _files(walk(paths, one_file_system=one_file_system), tally, report)
        _scan(found, release, _worker_count(workers), report, progress=not as_json)
        sys.stdout.flush()
        cut_short = False
    except BrokenPipeError:  # the reader has seen enough: no error to tell of, but not everything was scanned
        settle_output()
    except Exception as error:  # noqa: BLE001 - whatever it is: the exit status is this command's, see its help
        tell(error)
        settle_output()
    raise SystemExit(tally.exit_status(cut_short=cut_short))


def _scan(files: Iterator[FoundFile], release: bytes, workers: int, report: "Report", *, progress: bool) -> None:
    """Scan `files` and report on each."""
    descriptor = _memory_file(release)
    try:
        with DemandPool(descriptor, workers) as pool, _progress(report.tally, wanted=progress) as tick:
            for scanned in pool.scan(files, tick):
                _account(scanned, report.tally)
                report.scanned(scanned)
        report.end(pool, sha256(release).hexdigest())
    finally:
        os.close(descriptor)


def _files(found: Iterator[FoundFile | PassedBy], tally: Tally, report: "Report") -> Iterator[FoundFile]:
    """The open files of a walk; what was passed by is reported on the way."""
    for item in found:
        if isinstance(item, FoundFile):
            yield item
        elif item.why is Passed.UNREADABLE:
            tally.not_scanned += 1
            report.unreadable(item)
        else:
            tally.passed_by += 1


def _account(scanned: Scanned, tally: Tally) -> None:
    outcome = scanned.result.outcome
    if outcome is Outcome.UNKNOWN:
        tally.not_scanned += 1
        return
    tally.files += 1
    tally.bytes += scanned.result.scanned_bytes
    tally.malicious += outcome is Outcome.MALICIOUS
    tally.suspicious += outcome is Outcome.SUSPICIOUS


class Report:
    """Where findings go.  The base says nothing about any file."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def scanned(self, scanned: Scanned) -> None:
        """One file was scanned, or could not be."""

    def unreadable(self, item: PassedBy) -> None:
        """One file could not be opened."""

    def end(self, pool: DemandPool, release_sha256: str) -> None:
        """Everything is done."""


class JsonReport(Report):
    """JSON lines on standard output; the shape is in the command's help."""

    def scanned(self, scanned: Scanned) -> None:
        """Print a finding or a file that was not scanned."""
        result = scanned.result
        if result.outcome is Outcome.UNKNOWN:
            detail = [_reason(result.missing), *result.gaps]
            self._not_scanned(scanned.file.path, result.missing.name.lower(), detail)
        elif result.rules:
            self._line(
                type="finding",
                path=_text(scanned.file.path),
                outcome=result.outcome.name.lower(),
                size_bytes=scanned.file.size_bytes,
                sha256=result.sha256,
                complete=result.missing is UnknownReason.NONE,
                rules=[asdict(rule) for rule in result.rules],
                matches=[asdict(match) for match in result.matches],
            )

    def unreadable(self, item: PassedBy) -> None:
        """Print a file that could not be opened."""
        self._not_scanned(item.path, UnknownReason.FILE_UNREADABLE.name.lower(), [item.detail])

    def end(self, pool: DemandPool, release_sha256: str) -> None:
        """Print the summary."""
        tally = asdict(self.tally)
        started_ns = tally.pop("started_ns")
        name, version = (pool.release.name, pool.release.version) if pool.release else ("", 0)
        self._line(
            type="summary",
            **tally,
            duration_ms=(time.monotonic_ns() - started_ns) // 1_000_000,
            workers_replaced=pool.replaced,
            release={"name": name, "version": version, "sha256": release_sha256},
            exit_status=self.tally.exit_status(),
        )

    def _not_scanned(self, path: str, reason: str, detail: list[str]) -> None:
        self._line(type="not_scanned", path=_text(path), reason=reason, detail=detail)

    def _line(self, **fields: object) -> None:
        print(json.dumps(fields, separators=(",", ":")), flush=True)


class TextReport(Report):
    """Lines for a person; colours only on a terminal."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
        self._colours = {} if plain else {Outcome.MALICIOUS: "\x1b[1;31m", Outcome.SUSPICIOUS: "\x1b[1;33m"}

    def scanned(self, scanned: Scanned) -> None:
        """Print a finding; a file that was not scanned goes to standard error."""
        result = scanned.result
        path = shown(scanned.file.path)
        if result.outcome is Outcome.UNKNOWN:
            print(
                f"{path}: not scanned: {'; '.join([_reason(result.missing), *map(shown, result.gaps)])}",
                file=sys.stderr,
            )
        elif result.rules:
            word = self._coloured(result.outcome)
            inside = {shown(match.member) for match in result.matches if match.member}
            where = f" (in {', '.join(sorted(inside))})" if inside else ""
            print(f"{path}: {word}: {', '.join(shown(rule.identifier) for rule in result.rules)}{where}", flush=True)

    def _coloured(self, outcome: Outcome) -> str:
        start = self._colours.get(outcome)
        return f"{start}{outcome.name}\x1b[0m" if start else outcome.name

    def unreadable(self, item: PassedBy) -> None:
        """Print a file that could not be opened."""
        print(f"{shown(item.path)}: not scanned: {item.detail}", file=sys.stderr)

    def end(self, pool: DemandPool, release_sha256: str) -> None:
        """Print the summary line."""
        del release_sha256
        tally = self.tally
        seconds = (time.monotonic_ns() - tally.started_ns) / 1e9
        content = pool.release
        named = f"; content {shown(content.name)} {content.version}, {content.rules} rules" if content else ""
        print(
            f"{tally.files} files ({tally.bytes / 1e6:.1f} MB) scanned in {seconds:.1f} s: "
            f"{tally.malicious} malicious, {tally.suspicious} suspicious, {tally.not_scanned} not scanned{named}"
        )


@contextmanager
def _progress(tally: Tally, *, wanted: bool) -> Iterator[Callable[[], None]]:
    """A progress line on a terminal, nothing anywhere else.  The total is unknown: walking twice would cost more."""
    if not wanted or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - a script in a pipe does not pay for it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("scanning"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scan", total=None, said="")

        def tick() -> None:
            found = tally.malicious + tally.suspicious
            progress.update(task, said=f"{tally.files} files, {tally.bytes / 1e6:.0f} MB, {found} found")

        yield tick


def _worker_count(wanted: int) -> int:
    """How many workers to start.  Raises UsageRefused."""
    if wanted > DEMAND_WORKERS_MAX:
        raise UsageRefused(f"{wanted} workers are too many", f"name at most {DEMAND_WORKERS_MAX}")
    return wanted or min(len(os.sched_getaffinity(0)), DEMAND_WORKERS_MAX)


def _memory_file(data: bytes) -> int:
    """A descriptor whose bytes are `data`, for the workers: what was named is what all of them use."""
    descriptor = os.memfd_create("ringfence-release", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _reason(missing: UnknownReason) -> str:
    """Why a file was not scanned, for a person; a worker may name a reason that it should not have."""
    return REASONS.get(missing, missing.name.lower())


def _text(path: str) -> str:
    """A path as JSON text: bytes that are no UTF-8 as escapes, everything else as it is."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
