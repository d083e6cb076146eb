"""The few questions and wishes that this product has for systemd."""

import shutil
import subprocess
from typing import Final

from ringfence.model.limits import UNIT_STOP_S

SYSTEMCTL: Final = shutil.which("systemctl") or "/bin/systemctl"


def is_up() -> bool:
    """Whether the default target is reached."""
    return systemctl("is-active", "--quiet", "default.target") == 0


def systemctl(*words: str) -> int:
    """Run systemctl; its exit status, 1 where it is missing or does not end in time."""
    try:
        done = subprocess.run([SYSTEMCTL, *words], stdin=subprocess.DEVNULL, check=False, timeout=2 * UNIT_STOP_S)
    except (OSError, subprocess.TimeoutExpired):
        return 1
    return done.returncode
