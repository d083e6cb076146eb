"""People who meet over keys: the commands in a directory of theirs, with a passphrase file and nobody at a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

WORDS: Final = "correct horse battery staple"
PEOPLE: Final = ("ada", "grace", "mary", "lise", "emmy", "rosa")
SERVERS: Final = ("rollout", "snapshot", "timestamp")


class Ceremony:
    """A directory with keys and the trust directory `trust`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)
        self.passphrase = path / "words"
        self.passphrase.write_text(f"{WORDS}\n")
        self.passphrase.chmod(0o600)

    def run(self, *words: str, status: int = 0, env: dict[str, str] | None = None) -> str:
        """Run `ringfence keys …` in the directory; its output, both streams."""
        run = subprocess.run(
            [sys.executable, "-m", "ringfence.programs.cli", "keys", *words],
            cwd=self.path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout + run.stderr

    def create(self, *names: str, online: bool = False) -> None:
        """Make keys."""
        for name in names:
            how = ("--online",) if online else ("--passphrase-file", "words")
            self.run("create", name, "-o", f"{name}.key", *how)

    def init(self) -> None:
        """The first documents, with a role for everybody."""
        words = [word for name in PEOPLE[:3] for word in ("--root", f"{name}.pub")]
        words += [word for name in PEOPLE[3:] for word in ("--content", f"{name}.pub")]
        words += [word for name in SERVERS for word in (f"--{name}", f"{name}.pub")]
        self.run("init", "trust", *words)

    def sign(self, document: str, *names: str) -> str:
        """Let people sign."""
        said = ""
        for name in names:
            said += self.run("sign", f"trust/{document}", "--key", f"{name}.key", "--passphrase-file", "words", "--yes")
        return said

    def shown(self) -> dict[str, dict[str, Any]]:
        """`keys show`, by role."""
        return {one["role"]: one for one in json.loads(self.run("show", "trust", "--json"))["documents"]}
