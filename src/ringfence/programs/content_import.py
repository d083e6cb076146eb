"""`ringfence content import-yara`: a public YARA pack becomes a content directory."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ringfence.author.import_yara import REPORT_FILE, FileReport, import_pack, write_directory
from ringfence.model.records import RuleAction


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The pack, as its authors publish it.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUTDIR", help="The content directory to write.")],
    action: Annotated[RuleAction, typer.Option(help="What a match of these rules may do.")] = RuleAction.ALERT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Turn a public YARA pack into a content directory; says per file what was taken, refused and why.

    Rules keep their authors and licences.  The next step is `ringfence content build OUTDIR -o FILE`.

    Example: ringfence content import-yara signature-base/yara -o imported
    """
    with _bar() as step:
        imported = import_pack(directory, action, step)
    write_directory(imported, output, directory.resolve().name)
    report = {
        "directory": str(output),
        "files": [_file_facts(one) for one in imported.reports],
        "taken": sum(len(one.taken) for one in imported.reports),
        "refused": sum(len(one.refused) for one in imported.reports),
    }
    (output / REPORT_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(report))
        return
    for one in imported.reports:
        print(f"{one.file}: {len(one.taken)} taken, {len(one.refused)} refused")
        for old, new in one.renamed:
            print(f"    {old}: now called {new}, its name was taken")
        for refusal in one.refused:
            print(f"    {refusal.rule or 'the file'}: {refusal.reason}")
    print(
        f"{output}: {report['taken']} rules taken from {len(imported.files)} of {len(imported.reports)} files,"
        f" {report['refused']} refused.  Next: ringfence content build {output} -o FILE"
    )


def _file_facts(one: FileReport) -> dict[str, Any]:
    return {
        "file": one.file,
        "written": one.written,
        "taken": list(one.taken),
        "renamed": [{"from": old, "to": new} for old, new in one.renamed],
        "refused": [asdict(refusal) for refusal in one.refused],
    }


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal's standard error; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)
