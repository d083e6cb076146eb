"""The text of the systemd unit that runs Ringfence on a real machine.

What the unit does not contain matters as much as what it does:

1. **No option that gives the service mount points of its own** (`ProtectSystem=`, `PrivateTmp=`, `PrivateDevices=`,
   `ProtectProc=` and their kin, listed in `MOUNT_NAMESPACE_OPTIONS`).  A mark on a mount holds in the mount namespace
   that it was made in; behind such an option the sensor would guard a private copy of the tree, and nobody else's.
   What those options would have taken away is taken from each process by its own sandbox (`host/processes.py`).
2. **No `MemoryDenyWriteExecute=`**: the rule engine compiles conditions to machine code at load.
3. **Nothing waits for it.**  No unit of the machine is ordered after it, its start cannot delay the machine's, and
   after a bounded number of starts systemd leaves it down: the machine up and the sensor off is the last step of
   promise 7.
"""

from dataclasses import dataclass
from typing import Final

from ringfence.host.marks import Place, PlaceKind
from ringfence.model import limits
from ringfence.model.errors import PathRefused
from ringfence.wire.canonical import is_unwelcome

UNIT_NAME: Final = "ringfence.service"
GUARD_UNIT: Final = "ringfence-boot-guard.service"
"""Counts boots, before the sensor starts; see `host/boot_units.py`."""

HEALTH_UNIT: Final = "ringfence-boot-health.service"
"""Waits until the boot is healthy; started with the sensor."""

RUN_DIRECTORY: Final = "/run/ringfence"
"""Where the guard's order for the sensor lies for the rest of the boot; `off` there: it is not to be started."""

DEFAULT_STATE: Final = "/var/lib/ringfence"
"""Where a service keeps its state; systemd makes it."""

MOUNT_NAMESPACE_OPTIONS: Final = (
    "BindPaths",
    "BindReadOnlyPaths",
    "ExecPaths",
    "InaccessiblePaths",
    "NoExecPaths",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateTmp",
    "ProcSubset",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RootDirectory",
    "RootImage",
    "TemporaryFileSystem",
)
"""Options of systemd.exec(5) that give a service a mount namespace of its own.  None may be in the unit."""

CAPABILITIES: Final = (
    "CAP_CHOWN",  # give the courier its spool
    "CAP_DAC_OVERRIDE",  # the warden reads a state directory that only root may
    "CAP_DAC_READ_SEARCH",  # the gate marks files of other users
    "CAP_KILL",  # the warden ends processes of other uids
    "CAP_LEASE",  # the gate asks whether a file is open for writing
    "CAP_SETGID",  # drop to each process's own group
    "CAP_SETPCAP",  # empty the bounding set of each process
    "CAP_SETUID",  # drop to each process's own user
    "CAP_SYS_ADMIN",  # fanotify, and the bind mount over a protected directory
    "CAP_SYS_NICE",  # the gate comes before ordinary work
    "CAP_SYS_PTRACE",  # the lineage of an alert reads /proc/PID/exe
    "CAP_SYS_RESOURCE",  # descriptors and locked memory beyond the default
)
"""The most that any process of the service may ever hold, each with who needs it."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the unit runs, all paths absolute."""

    program: tuple[str, ...]
    """Words that start the command `ringfence`, the executable first."""

    state: str
    protected: tuple[Place, ...]
    listen: str
    mode: str
    content: str | None
    strict: bool = False
    allow_unproven: bool = False
    no_console: bool = False
    fail_closed: tuple[str, ...] = ()


def unit_text(installation: Installation) -> str:
    """The unit file, ready to be written to `/etc/systemd/system`.

    Raises PathRefused for a word that would open a line of its own, or that systemd would not read.
    """
    words = [*installation.program, "up", "--state", installation.state]
    for place in installation.protected:
        words += ["--protect", place.path if place.kind is PlaceKind.MOUNT else place.spelled()]
    words += ["--listen", installation.listen, "--mode", installation.mode, "--boot-order", RUN_DIRECTORY]
    if installation.content is not None:
        words += ["--content", installation.content]
    if installation.strict:
        words.append("--strict")
    if installation.allow_unproven:
        words.append("--allow-unproven")
    if installation.no_console:
        words.append("--no-console")
    for path in installation.fail_closed:
        words += ["--fail-closed", path]
    return _TEMPLATE.format(
        command=" ".join(quoted(word) for word in checked(words)),
        capabilities=" ".join(CAPABILITIES),
        guard=GUARD_UNIT,
        health=HEALTH_UNIT,
        run=RUN_DIRECTORY,
        off=quoted(f"{installation.state}/boot/off"),
        mounts=" ".join(quoted(place.path) for place in installation.protected),
        state_directory=_STATE_DIRECTORY if installation.state == DEFAULT_STATE else "",
        starts=limits.UNIT_STARTS_MAX,
        starts_window_s=limits.UNIT_STARTS_WINDOW_S,
        restart_pause_s=limits.UNIT_RESTART_PAUSE_S,
        stop_s=limits.UNIT_STOP_S,
        memory_bytes=limits.UNIT_MEMORY_BYTES_MAX,
        tasks=limits.UNIT_TASKS_MAX,
    )


def checked(words: list[str]) -> list[str]:
    """The same words.  Raises PathRefused for one that would open a line of its own, or that systemd would not read."""
    for word in words:
        if is_unwelcome(word):
            raise PathRefused(
                f"{word!a} holds a line break, another control character or bytes that are no UTF-8",
                "a unit file cannot name it: rename it",
            )
    return words


def quoted(word: str) -> str:
    """`word` as one word of a unit file: specifiers, variables, quotes and backslashes stand for themselves."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != word or not word or any(letter in " ;'#" for letter in word) else word


_STATE_DIRECTORY: Final = "StateDirectory=ringfence\nStateDirectoryMode=0700\n"

_TEMPLATE: Final = """\
# Made by `ringfence host install`: change it with `systemctl edit {{unit}}`, not here.
[Unit]
Description=Ringfence endpoint protection
RequiresMountsFor={mounts}
Wants={guard} {health}
After={guard}
ConditionPathExists=!{run}/off
ConditionPathExists=!{off}
StartLimitIntervalSec={starts_window_s}
StartLimitBurst={starts}

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec={restart_pause_s}
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec={stop_s}
{state_directory}UMask=0077

# Bounds: the sensor may starve, the machine may not.
LimitCORE=0
MemoryMax={memory_bytes}
TasksMax={tasks}
OOMPolicy=continue

# Less privilege.  No option here makes a mount namespace: marks on mounts would guard a private copy of the tree.
AmbientCapabilities=
CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes
DevicePolicy=closed
KeyringMode=private
LockPersonality=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service @mount fanotify_init fanotify_mark seccomp
SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap

[Install]
WantedBy=multi-user.target
""".replace("{{unit}}", UNIT_NAME)
