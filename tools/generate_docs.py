"""Write the documents that are made from code, or check that they are fresh.

    python tools/generate_docs.py [--check]

`docs/messages.md` comes from `wire/catalogue.py`, `docs/exit-status.md` from `model/errors.py`, `docs/limits.md` from
`model/limits.py`, `docs/processes.md` from `host/processes.py`; `docs/contract.md` and the contract of this build,
`src/ringfence/contract.json`, from `detect/supplied.py`; `docs/lint.md` from `author/codes.py`.

With `--check` nothing is written: the exit status is 1 where a document is stale, and it is named.
"""

import argparse
import ast
import inspect
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from ringfence import __version__
from ringfence.author.codes import CODES
from ringfence.author.waivers import FINAL
from ringfence.detect.supplied import ENGINE, supplied_contract
from ringfence.host import processes, sandbox
from ringfence.model import errors, limits
from ringfence.wire import catalogue
from ringfence.wire.contract import contract_digest, encode_contract

ROOT: Final = Path(__file__).resolve().parent.parent
NOTICE: Final = "<!-- Made by tools/generate_docs.py: do not edit, run `make docs`. -->\n\n"

OTHER_STATUS: Final = (
    (0, "", "done; for `ringfence scan`: nothing was found"),
    (1, "", "`ringfence scan`: something was found, whatever else happened"),
    (2, "", "`ringfence scan`: nothing was found, and not everything was scanned; any error, whatever its code"),
    (130, "", "ended by Ctrl-C before its work was done"),
)
"""Exit status that no error of the tree carries."""


def messages_document() -> str:
    """`docs/messages.md`: who may say what to whom."""
    lines = [
        "# Messages between the processes of a host\n",
        "Every message has a row here, and this table is the whole communication graph. Requests have even numbers,",
        "and the answer to request N is N + 1. A frame that is not listed for its sender and receiver, or whose body",
        "is not decoded exactly, ends the process that sent it. The fixed part of a body is given as a `struct`",
        "layout; *variable* bodies are decoded by another module of `wire/`.\n",
        "| number | message | from | to | body | descriptors | meaning |",
        "| --: | --- | --- | --- | --- | --: | --- |",
    ]
    for row in sorted(catalogue.MESSAGES, key=lambda message: message.number):
        body = "*variable*" if row.layout == "variable" else f"`{row.layout}`" if row.layout else "empty"
        cells = (row.number, f"`{row.name}`", row.sender, row.receiver, body, row.descriptors, row.meaning)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def exit_status_document() -> str:
    """`docs/exit-status.md`: what a command's exit status says, and who must act."""
    lines = [
        "# Exit status and error codes\n",
        "A command that fails prints two lines on standard error, `ringfence: error CODE: what happened` and",
        "`way out: …`, and ends with the status of its code. Codes and statuses are stable.\n",
        "`ringfence scan` prints the same lines, but ends with 0, 1 or 2 (130 after Ctrl-C), so that a script can rely",
        "on it: a file that was found gives 1 even where others could not be read, an error without a find gives 2.\n",
        "| status | code | what happened | who must act |",
        "| --: | --- | --- | --- |",
    ]
    rows = [(error.exit_status, f"`{error.code}`", _summary(error), _who_acts(error)) for error in _leaves()]
    rows += [(status, code, text, "") for status, code, text in OTHER_STATUS]
    lines += [f"| {status} | {code} | {text} | {who} |" for status, code, text, who in sorted(rows)]
    return "\n".join(lines) + "\n"


def limits_document() -> str:
    """`docs/limits.md`: every bound with its value and its reason."""
    lines = [
        "# Limits\n",
        "Every queue, table, message and wait is bounded by a name from `src/ringfence/model/limits.py`. Words in the",
        "names give the unit.\n",
        "| limit | value | reason |",
        "| --- | --: | --- |",
    ]
    lines += [f"| `{name}` | {_shown(value)} | {reason} |" for name, value, reason in _limits()]
    return "\n".join(lines) + "\n"


def processes_document() -> str:
    """`docs/processes.md`: what each process may still do once it has dropped."""
    lines = [
        "# What each process may do\n",
        "After it has dropped, and proven that by trying. The warden is not in the table: it stays root, starts,",
        "watches and replaces the others, and reads fixed frames only.\n",
        "| process | uid | capabilities | reads files | writes files | connects | forks | descriptors | system calls |",
        "| --- | --: | --- | --- | --- | --- | --- | --: | --: |",
    ]
    profiles = _profiles()
    for one in profiles:
        cells = (
            f"`{one.name}`",
            str(one.uid),
            _listed(_capability(number) for number in sorted(one.capabilities)),
            _listed(one.access.readable) if one.access else "no call that opens",
            _listed(one.access.writable) if one.access else "no call that opens",
            "yes" if one.access and one.access.connect else "no",
            "yes" if one.may_fork else "no",
            f"{one.descriptors_max:,}",
            str(len(one.syscalls)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("\nEvery system call that is not named for a process is refused.")
    for one in profiles:
        lines.append(f"\n## System calls of the {one.name}\n")
        lines.append(", ".join(f"`{name}`" for name in sorted(one.syscalls)))
    return "\n".join(lines) + "\n"


def contract_document() -> str:
    """`docs/contract.md`: what this build supplies to content."""
    contract = supplied_contract(__version__, version(ENGINE))
    lines = [
        "# What this build supplies to content\n",
        "The contract of this build, made from the code that supplies the inputs; `src/ringfence/contract.json` is the",
        "same for machines. Every host's loader holds a release against its own, and refuses one that needs an input",
        "more. `ringfence content show --contract` prints it for the inventory of a fleet.\n",
        "| | |",
        "| --- | --- |",
        f"| build | `{contract.build}` |",
        f"| SHA-256 | `{contract_digest(contract)}` |",
        f"| engine | {contract.engine} {contract.engine_version} |",
        f"| release format | {contract.release_format} |",
        f"| rules over events | {contract.detection_format or 'none: this build has no detector yet'} |",
        f"| YARA modules | {_listed(contract.yara_modules)} |",
        f"| YARA variables | {_listed(contract.yara_variables)}: a verdict belongs to the bytes, whatever their name |",
        f"| file classes | {_listed(contract.file_classes)} |",
    ]
    lines += [f"| `{name}` | {value:,} |" for name, value in contract.limits]
    for event in contract.events:
        fields = _listed(f"`{field.name}` ({field.kind})" for field in event.fields)
        lines.append(f"| event `{event.name}`, {event.arity} fields | {fields} |")
    return "\n".join(lines) + "\n"


def lint_document() -> str:
    """`docs/lint.md`: every code that a check of content may give."""
    lines = [
        "# What the checks of content say\n",
        "`ringfence content lint` prints each finding as `file:line:column: code: text`, all at once. An error refuses",
        "the content; a warning (`code: warning: text`) refuses nothing. Codes are stable. What is marked *final*",
        "cannot be excused by a waiver: the engine, the release format or a sensor would refuse it anyhow. Those that",
        "begin with `prove` are given by `ringfence content prove`, which runs the rules.\n",
        "| code | what is wrong, and what harm it does | |",
        "| --- | --- | --- |",
    ]
    for code, meaning in sorted(CODES.items()):
        lines.append(f"| `{code}` | {meaning} | {'*final*' if FINAL.fullmatch(code) else ''} |")
    return "\n".join(lines) + "\n"


def contract_file() -> str:
    """`src/ringfence/contract.json`."""
    return encode_contract(supplied_contract(__version__, version(ENGINE))).decode()


DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "docs/messages.md": messages_document,
    "docs/exit-status.md": exit_status_document,
    "docs/limits.md": limits_document,
    "docs/processes.md": processes_document,
    "docs/contract.md": contract_document,
    "docs/lint.md": lint_document,
}
"""Path -> what makes its text."""

FILES: Final[dict[str, Callable[[], str]]] = {"src/ringfence/contract.json": contract_file}
"""Path -> what makes the whole of it."""


def main(arguments: list[str]) -> int:
    """Write or check every document; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the documents that are made from code.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a document is stale")
    check = parser.parse_args(arguments).check
    stale = []
    texts = {name: NOTICE + make() for name, make in DOCUMENTS.items()} | {name: make() for name, make in FILES.items()}
    for name, text in texts.items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"generate_docs: stale: {', '.join(stale)}\n  way out: make docs\n")
        return 1
    return 0


def _profiles() -> list[sandbox.Profile]:
    """Every profile of the table, the courier's with the names of its files."""
    found = [value for value in vars(processes).values() if isinstance(value, sandbox.Profile)]
    found.append(processes.updater("the update client's metadata"))
    courier = processes.courier("the spool", ("identity, certificate and resolver files",))
    return [*found, courier, processes.replayer(("the protected places",))]


def _capability(number: int) -> str:
    names = [name for name, value in vars(sandbox).items() if name.startswith("CAP_") and value == number]
    return f"`{names[0]}`" if names else str(number)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _leaves() -> list[type[errors.RingfenceError]]:
    """Errors that are raised: those with a code of their own."""
    found = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.RingfenceError) and "code" in vars(value) and value is not errors.RingfenceError
    ]
    return sorted(found, key=lambda error: (error.exit_status, error.code))


def _who_acts(error: type[errors.RingfenceError]) -> str:
    if issubclass(error, errors.OperatorError):
        return "the person at the command line"
    if issubclass(error, errors.PartyError):
        return "the party that is named"
    if issubclass(error, errors.MachineError):
        return "whoever looks after the machine"
    return "Ringfence's developers"


def _summary(error: type[errors.RingfenceError]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _limits() -> list[tuple[str, object, str]]:
    """(name, value, reason) in the order of the file."""
    body = ast.parse(inspect.getsource(limits)).body
    rows: list[tuple[str, object, str]] = []
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        reason = " ".join(str(ast.literal_eval(following.value)).split()) if said else ""  # type: ignore[attr-defined]
        rows.append((node.target.id, getattr(limits, node.target.id), reason.replace("|", "\\|")))
    return rows


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
