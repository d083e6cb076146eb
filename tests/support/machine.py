"""What a test may ask of the machine it runs on.

A test that needs a feature of the kernel says so by name with `kernel_requires`.  Where the feature is missing the test
does not pass: it ends as "not provable here", and the last lines of the run name it and the reason.  No other way of
skipping is allowed; `tests/house/test_tests.py` holds that.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, NoReturn

import pytest

NOT_PROVABLE: Final = "not provable here"
"""How the reason of every such test begins."""

_FANOTIFY_INIT_NUMBER: Final = {"x86_64": 300, "aarch64": 262}
_CLASS_CONTENT: Final = 0x4
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ASK_VERSION: Final = 1


class NotProvable(Exception):
    """The machine lacks something; `str(error)` says what."""


def kernel_requires(*features: str) -> None:
    """Return when the machine has every one of `features` (keys of `PROBES`); else end the test as not provable."""
    for feature in features:
        if reason := _missing(feature):
            _not_provable(f"{feature}: {reason}")


def _not_provable(what: str) -> NoReturn:
    pytest.skip(f"{NOT_PROVABLE}: {what}")


@cache
def _missing(feature: str) -> str:
    """Why `feature` is missing, or ""."""
    try:
        PROBES[feature]()
    except (NotProvable, OSError) as error:
        return str(error)
    return ""


def _root() -> None:
    if os.geteuid() != 0:
        raise NotProvable("the tests do not run as root")


def _fanotify_permission() -> None:
    _root()
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(_FANOTIFY_INIT_NUMBER[os.uname().machine], _CLASS_CONTENT, os.O_RDONLY | os.O_CLOEXEC)
    if descriptor < 0:
        raise NotProvable(f"fanotify_init with the class that may refuse: {os.strerror(ctypes.get_errno())}")
    os.close(descriptor)


def _mount() -> None:
    _root()
    with tempfile.TemporaryDirectory() as directory:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], capture_output=True, check=False)
        if mounted.returncode != 0:
            raise NotProvable(f"mounting a tmpfs: {mounted.stderr.decode(errors='replace').strip()}")
        subprocess.run(["umount", directory], capture_output=True, check=True)


def _landlock() -> None:
    version = ctypes.CDLL(None, use_errno=True).syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_ASK_VERSION)
    if version < 1:
        raise NotProvable(f"landlock_create_ruleset: {os.strerror(ctypes.get_errno())}")


def _seccomp() -> None:
    if "Seccomp:" not in Path("/proc/self/status").read_text():
        raise NotProvable("the kernel is built without seccomp")


def _loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        pass


def _dpkg() -> None:
    if not Path("/var/lib/dpkg/info").is_dir():
        raise NotProvable("no dpkg on this machine: there are no package-owned files")


def _setpriv() -> None:
    _root()
    if shutil.which("setpriv") is None:
        raise NotProvable("util-linux's setpriv is not installed")


def _chromium() -> None:
    if shutil.which("chromium") is None:
        raise NotProvable("Debian's chromium is not installed")


def _faketime() -> None:
    if shutil.which("faketime") is None:
        raise NotProvable("Debian's faketime is not installed")


def _softhsm() -> None:
    for need in ("softhsm2-util", "pkcs11-tool"):
        if shutil.which(need) is None:
            raise NotProvable(f"{need} is not installed (Debian: softhsm2, opensc)")


PROBES: Final[dict[str, Callable[[], None]]] = {
    "root": _root,
    "fanotify-permission": _fanotify_permission,
    "mount": _mount,
    "landlock": _landlock,
    "seccomp": _seccomp,
    "loopback": _loopback,
    "chromium": _chromium,
    "setpriv": _setpriv,
    "dpkg": _dpkg,
    "faketime": _faketime,
    "a PKCS#11 token in software": _softhsm,
}
"""Feature -> a probe that raises where it is missing."""
