"""The text of the two units that count boots, beside the sensor's own (`host/systemd_unit.py`).

1. **Nothing waits for them but the sensor.**  They are ordered before nothing else, and nobody requires them: a guard
   that fails or is killed costs its word, and the sensor starts carefully without it.
2. **They are pulled in by the sensor alone.**  A machine that is started for repair, without the sensor, counts
   nothing.
3. **Its end is the mark of an orderly end.**  It stops after the sensor, while the disks are still there, and nobody
   can stop it by hand.
"""

from typing import Final

from ringfence.host.systemd_unit import RUN_DIRECTORY, UNIT_NAME, Installation, checked, quoted
from ringfence.model import limits


def guard_text(installation: Installation, script: str) -> str:
    """The unit of `programs/boot_guard.py`, which lies at `script`.  Raises PathRefused as `unit_text` does."""
    python = installation.program[0]
    begin = [python, "-I", "-S", script, "begin", installation.state, RUN_DIRECTORY]
    end = [python, "-I", "-S", script, "end", installation.state, RUN_DIRECTORY]
    return _GUARD.format(
        begin=" ".join(quoted(word) for word in checked(begin)),
        end=" ".join(quoted(word) for word in checked(end)),
        state=quoted(installation.state),
        sensor=UNIT_NAME,
        start_s=limits.BOOT_GUARD_START_S,
    )


def health_text(installation: Installation) -> str:
    """The unit of `programs/boot_health.py`.  Raises PathRefused as `unit_text` does."""
    words = [installation.program[0], "-I", "-m", "ringfence.programs.boot_health", "--state", installation.state]
    words += ["--run", RUN_DIRECTORY]
    return _HEALTH.format(command=" ".join(quoted(word) for word in checked(words)), sensor=UNIT_NAME)


_GUARD: Final = """\
# Made by `ringfence host install`: change it with `systemctl edit ringfence-boot-guard`, not here.
[Unit]
Description=Ringfence counts this boot
DefaultDependencies=no
RequiresMountsFor={state}
Before={sensor}
Conflicts=shutdown.target
Before=shutdown.target
IgnoreOnIsolate=yes
RefuseManualStop=yes

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={begin}
ExecStop={end}
TimeoutSec={start_s}
RuntimeDirectory=ringfence
RuntimeDirectoryPreserve=yes
UMask=0077
CapabilityBoundingSet=CAP_DAC_OVERRIDE
NoNewPrivileges=yes
RestrictAddressFamilies=none
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""

_HEALTH: Final = """\
# Made by `ringfence host install`: change it with `systemctl edit ringfence-boot-health`, not here.
[Unit]
Description=Ringfence waits until this boot is healthy
After={sensor}

[Service]
Type=exec
ExecStart={command}
UMask=0077
CapabilityBoundingSet=CAP_DAC_OVERRIDE
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""
