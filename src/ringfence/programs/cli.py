"""The command `ringfence`: a table of commands, each in a module of its own, loaded only when it is called.

A command module has a function `command` whose signature typer reads.  Errors of the tree in `model/errors.py`
become two lines on standard error and the error's exit status; anything else is our bug and says so
(`programs/failure.py`).
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import typer

from ringfence import __version__
from ringfence.programs.failure import settle_output, tell

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "up": ("ringfence.programs.up", "Protect directories of this machine and open the console: everything in one."),
    "scan": ("ringfence.programs.scan", "Scan files and directories on demand."),
    "alerts": ("ringfence.programs.alerts", "List the alerts of a state directory."),
    "server": ("ringfence.programs.server", "Run the control plane: ingest, API and console."),
    "host status": ("ringfence.programs.host_status", "Show each process of the sensor and its counters."),
    "host mode": ("ringfence.programs.host_mode", "Switch a running sensor to observe or enforce."),
    "host rules": ("ringfence.programs.host_rules", "Show what the rules cost and find on this host."),
    "host load": ("ringfence.programs.host_load", "Give a running sensor another release."),
    "host why": ("ringfence.programs.host_why", "Say why this host is on this release, with the evidence."),
    "host pin": ("ringfence.programs.host_pin", "Keep this host on one release."),
    "host unpin": ("ringfence.programs.host_unpin", "Take the pin back."),
    "host hold": ("ringfence.programs.host_hold", "Let this host take no new releases, or take them again."),
    "host boot-state": ("ringfence.programs.host_boot_state", "Show how the last boots went, and the sensor's say."),
    "host sensor": ("ringfence.programs.host_sensor", "Switch the sensor off until told otherwise, or on again."),
    "host trust": ("ringfence.programs.host_trust", "Say which root a host's signed content must come from."),
    "host update": ("ringfence.programs.host_update", "Look for signed content now."),
    "host install": ("ringfence.programs.host_install", "Install the sensor as hardened systemd units."),
    "rescue": ("ringfence.programs.rescue", "Repair the disk of a machine that does not boot, from outside."),
    "content new": ("ringfence.programs.content_new", "Make a content directory to start from."),
    "content lint": ("ringfence.programs.content_lint", "Check a content directory: every finding at once."),
    "content waive": ("ringfence.programs.content_waive", "Excuse one finding of lint: signed, until a day."),
    "content build": ("ringfence.programs.content_build", "Build a release from a directory of rules."),
    "content prove": ("ringfence.programs.content_prove", "Prove that a release cannot hurt a host."),
    "content diff": ("ringfence.programs.content_diff", "Show what has changed from one release to another."),
    "content show": ("ringfence.programs.content_show", "Show what a release holds."),
    "content import-yara": ("ringfence.programs.content_import", "Turn a public YARA pack into a content directory."),
    "content import-sigma": (
        "ringfence.programs.content_import_sigma",
        "Turn a public Sigma pack into a content directory.",
    ),
    "content sign": ("ringfence.programs.content_sign", "Sign releases, with patches from older ones."),
    "content publish": ("ringfence.programs.content_publish", "Publish what is signed, judged as a fresh host would."),
    "keys create": ("ringfence.programs.keys_create", "Make a key, or name one in a token or a cloud's key service."),
    "keys init": ("ringfence.programs.keys_init", "Begin a repository: its first documents, for people to sign."),
    "keys sign": ("ringfence.programs.keys_sign", "Show what a document says, ask, and sign it; needs no network."),
    "keys rotate": ("ringfence.programs.keys_rotate", "Give a role other keys."),
    "keys revoke": ("ringfence.programs.keys_revoke", "Take a lost or stolen key out of its role."),
    "keys renew": ("ringfence.programs.keys_renew", "Give a document a later expiry."),
    "keys show": ("ringfence.programs.keys_show", "Show who signed what, what is missing, what expires when."),
}
"""Command words -> (module, one line of help).  The README's table of commands is checked against it."""

USAGE_STATUS: Final = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its exit status.  `arguments` default to the command line's."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--version"], ["-V"]):
        print(f"ringfence {__version__}")
        raise SystemExit(0)
    name = _command_of(words)
    if name is None:
        raise SystemExit(_help(words))
    raise SystemExit(_run(name, words[len(name.split(" ")) :]))


def _command_of(words: Sequence[str]) -> str | None:
    """The longest command name that `words` begin with."""
    for count in (2, 1):
        if (name := " ".join(words[:count])) in COMMANDS:
            return name
    return None


def _help(words: Sequence[str]) -> int:
    """Print the commands, or those of the group named first.  Returns 0 when help was asked for, else 2."""
    asked = not words or words[-1] in ("--help", "-h", "help")
    group = words[0] if words and not words[0].startswith("-") and words[0] != "help" else ""
    shown = {name: text for name, (_, text) in COMMANDS.items() if name.startswith(f"{group} ")} if group else {}
    out = sys.stdout if asked or (shown and len(words) == 1) else sys.stderr
    if not asked and not (shown and len(words) == 1):
        print(f"ringfence: error usage-refused: there is no command '{' '.join(words[:2])}'", file=out)
    width = max(len(name) for name in COMMANDS) + 2
    print("usage: ringfence COMMAND [OPTIONS]\n\nEndpoint protection that cannot take the fleet down.\n", file=out)
    for name, text in (shown or {name: text for name, (_, text) in COMMANDS.items()}).items():
        print(f"  {name:<{width}}{text}", file=out)
    print("\n`ringfence COMMAND --help` explains one command, with examples.", file=out)
    return 0 if out is sys.stdout else USAGE_STATUS


def _run(name: str, arguments: Sequence[str]) -> int:
    """Run the command `name`; returns its exit status."""
    module, help_line = COMMANDS[name]
    try:
        command = importlib.import_module(module).command
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        app.command(help=_with_kept_lines(command.__doc__ or help_line))(command)
        app(args=list(arguments), prog_name=f"ringfence {name}")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BrokenPipeError:  # `ringfence alerts | head`: the reader has seen enough
        settle_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator is told
        status = tell(error).exit_status
        settle_output()
        return status
    return 0


def _with_kept_lines(text: str) -> str:
    r"""A command's help: a paragraph after the two letters `\b` keeps its lines.

    The help's formatter wants a backspace there, and a raw docstring cannot hold one.
    """
    return text.replace("\\b", "\b")


if __name__ == "__main__":
    main()
