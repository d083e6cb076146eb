"""`ringfence content lint`: everything that is wrong with a content directory, at once."""

import datetime as dt
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ringfence import __version__
from ringfence.author.codes import CODES
from ringfence.author.finding import Finding, Level, finding_facts, finding_line
from ringfence.author.sarif import sarif_log
from ringfence.host.tree_walk import shown
from ringfence.model.contract import SensorContract
from ringfence.model.errors import UsageRefused
from ringfence.programs.content_build import write_whole
from ringfence.programs.own_contract import own_contract
from ringfence.programs.progress import progress_line

REFUSED_STATUS = 65
"""As for every refused content."""

_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Content directory.")],
    contracts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Contracts of the fleet's sensor builds; default: this build's own."),
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF 2.1.0 as well.")
    ] = None,
    today: Annotated[
        str, typer.Option(metavar="DAY", help="Judge waivers as on this day (YYYY-MM-DD), for a release of that day.")
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Check a content directory: every finding at once, as file:line:column: code: text.

    Errors refuse the content; `ringfence content waive` lets somebody who may do so excuse one.  Warnings and notes
    refuse nothing.  docs/lint.md says what each code means.

    \b
    Examples:
      ringfence content lint content/starter
      ringfence content lint my-content --contracts fleet/contracts --sarif lint.sarif

    \b
    Exit status:
      0   nothing refuses the content
      65  the content is refused: at least one error that nobody has waived
      66  DIR is no content directory, or cannot be read
    """
    try:
        from ringfence.author.lint import lint_directory, reasons_of  # noqa: PLC0415 - an extra may be missing
    except ModuleNotFoundError as missing:
        raise UsageRefused(
            f"this installation lacks {missing.name}, which authors need", "install ringfence with its extra: author"
        ) from missing
    day = parse_day(today) if today else dt.datetime.fromtimestamp(time.time(), dt.UTC).date()
    builds = contracts_of(contracts)
    with progress_line("checking") as progress:
        result = lint_directory(directory, builds, day, progress)
    if sarif is not None:
        reasons = reasons_of(result.waivers)
        log = sarif_log(result.findings, tool="ringfence", version=__version__, codes=CODES, reasons=reasons)
        write_whole(sarif, json.dumps(log, indent=1).encode())
    counts = Counter(finding.level for finding in result.findings if not finding.waived_by)
    waived = sum(bool(finding.waived_by) for finding in result.findings)
    if as_json:
        facts = {
            "directory": str(directory),
            "refused": result.refused,
            "files": result.files,
            "rules": result.rules,
            **{f"{level}s": counts[level] for level in Level},
            "waived": waived,
            "contracts": [contract.build for contract in builds],
            "findings": [finding_facts(finding) for finding in result.findings],
        }
        print(json.dumps(facts))
    else:
        print_findings(result.findings)
        told = ", ".join(f"{counts[level]} {level}s" for level in Level)
        print(f"{shown(str(directory))}: {result.rules} rules in {result.files} files: {told}, {waived} waived")
    if result.refused:
        raise SystemExit(REFUSED_STATUS)


def contracts_of(directory: Path | None) -> tuple[SensorContract, ...]:
    """The contracts to hold content against: those of `directory`, or this build's own."""
    if directory is None:
        return (own_contract(),)
    from ringfence.author.contract_files import read_contracts  # noqa: PLC0415 - only where it is asked for

    return read_contracts(directory)


def print_findings(findings: tuple[Finding, ...]) -> None:
    """One line for each, in colour on a terminal; nothing from content reaches it as it is."""
    console = Console(soft_wrap=True, highlight=False) if sys.stdout.isatty() else None
    for finding in findings:
        line = shown(finding_line(finding))
        if console is None:
            print(line)
        else:
            style = "dim" if finding.waived_by else _STYLES[finding.level]
            console.print(line, style=style, markup=False)


def parse_day(text: str) -> dt.date:
    """The day that `text` names.  Raises UsageRefused."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageRefused(f"{text!a} is not a day", "write it as 2026-12-31") from error
