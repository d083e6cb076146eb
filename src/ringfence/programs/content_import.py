"""`ringfence content import-yara`: a public YARA pack becomes a content directory."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ringfence.author.import_yara import FileReport, check_target, import_pack, release_name, write_directory
from ringfence.host.tree_walk import shown
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.records import RuleAction


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The pack, as its authors publish it.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUTDIR",
            help="The content directory to write: a new one, or an earlier import, which is replaced."
            "  By default NAME-content in the current directory, where NAME is the pack's; never over what is there.",
        ),
    ] = None,
    action: Annotated[
        RuleAction, typer.Option(help="What a match does: alert only, or block (refuse the file) as well.")
    ] = RuleAction.ALERT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    r"""Turn a public YARA pack into a content directory; says per file what was taken, refused and why.

    Rules keep their authors and licences.  They alert and refuse no file unless you say `--action block`: nobody has
    tried them on your files yet.  Read their alerts, then import again.  A rule that says too little to block, or that
    no sample made of its own texts shows at work, only alerts all the same, and the report says why.

    \b
    From a public pack to a protected directory:
      ringfence content import-yara signature-base/yara --action block
      ringfence content prove yara-content -o yara.release
      ringfence up --state /var/lib/ringfence --protect /srv --content yara.release

    \b
    Exit status:
      0   rules were taken, and OUTDIR holds them; what was refused is in the report
      65  no rule could be taken: the report says why for each file, and nothing is written
      66  DIR has no file of rules, or OUTDIR cannot be used
    """
    target = output or default_target(directory)
    check_target(target)
    with progress_bar() as step:
        imported = import_pack(directory, action, step)
    taken = sum(len(one.taken) for one in imported.reports)
    report = {
        "directory": str(target) if taken else "",
        "action": action.value,
        "files": [_file_facts(one) for one in imported.reports],
        "taken": taken,
        "refused": sum(len(one.refused) for one in imported.reports),
        "only_alert": sum(len(one.only_alert) for one in imported.reports),
    }
    if taken:
        write_directory(imported, target, directory.resolve().name, json.dumps(report, indent=1) + "\n")
    if as_json:
        print(json.dumps(report))
    else:
        _print_files(imported.reports)
    if not taken:
        raise ContentRefused(
            f"no rule was taken from its {len(imported.reports)} files; nothing is written",
            "the report says why for each file: correct the rules, or name another pack",
            file=shown(str(directory)),
        )
    if not as_json:
        print(
            f"{shown(str(target))}: {taken} rules taken from {len(imported.files)} of {len(imported.reports)} files,"
            f" {report['refused']} refused, {report['only_alert']} only alert"
        )
        _print_way_on(target, action)


def default_target(directory: Path) -> Path:
    """`NAME-content` here, or beside the pack for somebody who stands in it.  Raises PathRefused if it is there."""
    pack, here = directory.resolve(), Path.cwd()
    target = Path(f"{release_name(pack.name)}-content")
    if here.is_relative_to(pack):
        target = pack.parent / target
    if os.path.lexists(target):
        raise PathRefused(
            f"{target} is there already", f"name a new directory with -o; an earlier import is replaced by -o {target}"
        )
    return target


def _print_files(reports: Sequence[FileReport]) -> None:
    """What became of each file.  Names and reasons come from the pack: nothing in them reaches a terminal as it is."""
    for one in reports:
        where = f", written as rules/{one.written}" if one.written not in ("", one.file) else ""
        print(shown(f"{one.file}: {len(one.taken)} taken, {len(one.refused)} refused{where}"))
        for old, new in one.renamed:
            print(shown(f"    {old}: now called {new}, its name was taken"))
        for refusal in one.refused:
            print(shown(f"    {refusal.rule or 'the file'}: {refusal.reason}"))
        for refusal in one.only_alert:
            print(shown(f"    {refusal.rule}: taken, but only alerts: {refusal.reason}"))


def _print_way_on(target: Path, action: RuleAction) -> None:
    """What a person does next."""
    content = shlex.quote(str(target))
    name = target.name.removesuffix("-content")
    release = shlex.quote(f"{name}.release")
    print("Next:")
    print(f"  ringfence content prove {content} -o {release}")
    print(f"  ringfence up --state STATE --protect DIR --content {release}")
    print(f"  or, for a sensor that runs: ringfence host load {release} --state STATE")
    if action is RuleAction.ALERT:
        print(f"These rules alert and refuse no file; to refuse, import again with: --action block -o {content}")


def _file_facts(one: FileReport) -> dict[str, Any]:
    return {
        "file": one.file,
        "written": one.written,
        "taken": list(one.taken),
        "renamed": [{"from": old, "to": new} for old, new in one.renamed],
        "refused": [asdict(refusal) for refusal in one.refused],
        "only_alert": [asdict(refusal) for refusal in one.only_alert],
    }


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal's standard error; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)
