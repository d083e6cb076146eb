"""`ringfence content import-sigma`: a public Sigma pack becomes a content directory."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence.author.import_sigma import SigmaReport, import_sigma_pack, write_sigma_directory
from ringfence.author.import_yara import check_target
from ringfence.host.tree_walk import shown
from ringfence.model.errors import ContentRefused
from ringfence.programs.content_import import default_target, progress_bar


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
    product: Annotated[
        str, typer.Option("--product", metavar="NAME", help="Take only rules for this product, such as linux.")
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    r"""Turn a public Sigma pack into a content directory; says per file what was taken, refused and why.

    Rules keep their authors, licences and ids.  Each is held to two self-tests that are made of its own texts.  A rule
    alerts and never blocks.  It runs where a sensor supplies its type of event and all fields that it reads: the file
    of a sensor's contract says which those are.

    \b
    From a public pack to a release:
      ringfence content import-sigma sigma/rules --product linux -o linux-sigma
      ringfence content build linux-sigma -o sigma.release

    \b
    Exit status:
      0   rules were taken, and OUTDIR holds them; what was refused is in the report
      65  no rule could be taken: the report says why for each file, and nothing is written
      66  DIR has no Sigma rule, or OUTDIR cannot be used
    """
    target = output or default_target(directory)
    check_target(target)
    with progress_bar() as step:
        imported = import_sigma_pack(directory, product, step)
    report = _report(imported.reports, str(target) if imported.files else "", len(imported.tests))
    if imported.files:
        write_sigma_directory(imported, target, directory.resolve().name, json.dumps(report, indent=1) + "\n")
    if as_json:
        print(json.dumps(report))
    else:
        _print_files(imported.reports)
    if not imported.files:
        raise ContentRefused(
            f"no rule was taken from its {len(imported.reports)} files; nothing is written",
            "the report says why for each file: correct the rules, or name another pack",
            file=shown(str(directory)),
        )
    if not as_json:
        print(
            f"{shown(str(target))}: {report['taken']} rules taken, {report['refused']} files refused,"
            f" {len(imported.tests)} self-tests made"
        )
        print(f"Next:\n  ringfence content build {shlex.quote(str(target))} -o {shlex.quote(f'{target.name}.release')}")


def _report(reports: Sequence[SigmaReport], directory: str, tests: int) -> dict[str, Any]:
    return {
        "directory": directory,
        "files": [
            {
                "file": one.file,
                "written": one.written,
                "rule": one.rule,
                "refused": [{"code": code, "line": line, "text": text} for code, line, text in one.reasons],
            }
            for one in reports
        ],
        "taken": sum(bool(one.written) for one in reports),
        "refused": sum(bool(one.reasons) for one in reports),
        "self_tests": tests,
    }


def _print_files(reports: Sequence[SigmaReport]) -> None:
    """What became of each file.  Names and reasons come from the pack: nothing in them reaches a terminal as it is."""
    for one in reports:
        if one.written:
            where = f", written as sigma/{one.written}" if one.written != one.file else ""
            print(shown(f"{one.file}: taken{where}"))
        for code, line, text in one.reasons:
            print(shown(f"{one.file}:{line}: {code}: {text}"))
