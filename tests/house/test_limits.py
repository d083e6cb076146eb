"""Every bound of the system lives in `model/limits.py`, with its unit in its name and its reason beneath it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.house.sources import SOURCE, python_files, text_of, tree_of

UNITS: Final = frozenset(
    """NS US MS S SECONDS DAYS BYTES KIB MIB PERCENT RATIO DEPTH DIGITS CHARACTERS NODES
    BOOTS BUCKETS CLIENTS CONNECTIONS CONTAINERS COUNTERS CHOICES DEATHS DESCRIPTORS DOUBLINGS ENROLMENTS ENTRIES
    EPOCHS EVENTS FIELDS FILES FINDINGS FRAMES GAPS GATES HASHES HOSTS INGESTS KEYS MARKS MATCHES MEMBERS NOTES
    OPERATORS PACKS
    PATTERNS PLACES PROCESSES QUESTIONS READERS RECORDS REFUSALS RELEASES REPEATS ROWS RULES SCANNERS SESSIONS SIGHTINGS
    SLOTS STARTS STEPS STREAMS STRIKES TABLES TASKS TESTS TOKENS USERS USES VERSIONS WINDOWS WORDS WORKERS ALERTS
    ANSWERS""".split()
)
"""A word of a limit's name is one of these: a measure, or a thing that is counted.  `MAX` measures nothing."""

COUNTED: Final[dict[str, str]] = {
    "AHEAD_IN_FLIGHT_MAX": "files",
    "AHEAD_QUEUE_MAX": "files",
    "AUDIT_KEPT_MAX": "entries",
    "COUNT_SHOWN_MAX": "rows",
    "DEMAND_PENDING_MAX": "files",
    "EVENT_CLOSE_WRITE_BATCH_MAX": "events",
    "LINEAGES_WAITING_MAX": "lineages",
    "JSON_INTEGER_MAX": "a number itself",
    "LOGIN_WAITING_MAX": "log-ins",
    "RELEASE_VERSION_MAX": "a number itself",
    "RULE_PROBE_BATCH_MAX": "rules",
    "SEARCH_TEXT_MAX": "characters",
    "SKIPPED_KEPT_MAX": "files",
    "STALE_LOOKS_MIN": "looks",
    "SUSPECTS_MAX": "files",
    "STATUS_KEPT_PER_HOST_MAX": "statuses",
}
"""Limits whose names do not say it -> what they count.  A new one names its unit instead."""

REASON_WORDS_MIN: Final = 4

BOUND_WORDS: Final = frozenset(
    """MAX MIN LIMIT TIMEOUT DEADLINE INTERVAL AFTER WINDOW RETRY RETRIES ATTEMPTS ROWS GRACE PATIENCE BUDGET BACKLOG
    SPACE MAXLEN MAXSIZE WAIT TICK""".split()
)
"""A number that is given to a name with one of these words is a bound, be it a constant, a field's default, a
parameter's default or a keyword.  Sizes of formats, modes and units are not."""

WAITS: Final = frozenset(
    """acquire deque join listen poll Queue LifoQueue PriorityQueue recv recvmsg recvfrom read pread result Semaphore
    BoundedSemaphore select settimeout sleep timeout timeout_at wait wait_for""".split()
)
"""A number that is given to one of these is a wait or a size.  0 is none: not to wait, or nothing."""

HARMLESS: Final[dict[str, str]] = {
    "programs/courier.py: recv(1)": "looks whether anything is there, and takes nothing",
    "programs/alerts.py: limit=100": "what the command prints unless told otherwise; its bound is ALERTS_KEPT_MAX",
    "programs/alerts.py: min=1": "at least one of something that was asked for",
    "programs/host_rules.py: min=1": "at least one of something that was asked for",
    "programs/server.py: min=1": "at least one of something that was asked for",
    "control/api.py: min_length=1": "at least something, where something is to be written",
}
"""Where, and the call or keyword -> why the number is no bound of ours."""

REPRESENTATION_WORDS: Final = frozenset("DIGITS INTEGER BYTE PLANE".split())
"""The largest value that a representation can hold is a fact, not a bound of ours."""

NOT_LIMITS: Final[dict[str, str]] = {
    "wire/": "widths of a format that peers agreed on: a decoder's bound is part of the format",
    "host/kernel.py": "numbers of the kernel's interface",
    "host/syscalls.py": "numbers of the kernel's interface",
    "host/seccomp.py": "numbers of the kernel's interface",
    "host/landlock.py": "numbers of the kernel's interface",
    "host/fanotify.py": "numbers of the kernel's interface",
}
"""Path (or folder) below `src/ringfence` -> why its numeric constants are no limits."""


def test_every_limit_names_its_unit() -> None:
    unitless = [name for name, _ in _limits() if not _has_unit(name) and name not in COUNTED]
    assert unitless == []


def test_every_limit_has_its_reason() -> None:
    silent = [name for name, reason in _limits() if len(reason.split()) < REASON_WORDS_MIN]
    assert silent == []


def test_every_limit_is_used() -> None:
    elsewhere = "\n".join(
        text_of(path) for path in python_files("src/", "tests/", "bench/", "faults/", "vm/") if path.name != "limits.py"
    )
    own = text_of(SOURCE / "model" / "limits.py")
    unused = [name for name, _ in _limits() if not re.search(rf"\b{name}\b", elsewhere) and own.count(name) == 1]
    assert unused == []


def test_no_listed_exception_is_left_over() -> None:
    names = {name for name, _ in _limits()}
    assert [name for name in COUNTED if name not in names or _has_unit(name)] == []
    found = {one for path, below in _elsewhere() for one in _literals(tree_of(path), below)}
    assert [one for one in HARMLESS if one not in found] == []


def test_no_bound_hides_elsewhere() -> None:
    stray = [f"{below}: {name}" for path, below in _elsewhere() for name in _numeric_constants(tree_of(path))]
    assert stray == []


def test_no_wait_and_no_size_is_a_number_in_the_code() -> None:
    stray = [one for path, below in _elsewhere() for one in _literals(tree_of(path), below) if one not in HARMLESS]
    assert stray == []


@pytest.mark.parametrize(
    "code",
    [
        "end.settimeout(1.0)",
        "selector.select(timeout=0.25)",
        "thread.join(60 * 2)",
        "deque(maxlen=8)",
        "Queue(100)",
        "waiting.acquire(timeout=5)",
        "Refused('later', retry_after_s=30)",
        "class Profile:\n    descriptors_max: int = 1024",
        "def ask(patience_s=3): ...",
        "def ask(*, wait_ms=3): ...",
        "asyncio.timeout(5)",
    ],
)
def test_a_number_that_bounds_is_found(code: str) -> None:
    assert _literals(ast.parse(code), "here.py") != []


@pytest.mark.parametrize(
    "code", ["poll.poll(0)", "end.settimeout(LIMIT_S)", "select(timeout=None)", "replace(count=0)"]
)
def test_what_bounds_nothing_or_has_a_name_is_left_alone(code: str) -> None:
    assert _literals(ast.parse(code), "here.py") == []


@pytest.mark.parametrize("name", ["QUEUE_MAX", "WAIT_MAX", "SOMETHINGS_MAX", "STATUS_MIN"])
def test_a_name_without_a_unit_is_found(name: str) -> None:
    assert not _has_unit(name)


def _elsewhere() -> Iterator[tuple[Path, str]]:
    """The source files whose numbers are looked at, with their names below `src/ringfence`."""
    for path in python_files("src/"):
        below = path.relative_to(SOURCE).as_posix()
        if below != "model/limits.py" and not below.startswith(tuple(NOT_LIMITS)):
            yield path, below


def _limits() -> list[tuple[str, str]]:
    """(name, docstring) of every constant of `model/limits.py`."""
    found = []
    body = tree_of(SOURCE / "model" / "limits.py").body
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            reason = str(following.value.value) if said else ""  # type: ignore[attr-defined]
            found.append((node.target.id, reason))
    return found


def _has_unit(name: str) -> bool:
    return not UNITS.isdisjoint(name.split("_"))


def _numeric_constants(tree: ast.Module) -> list[str]:
    """Module-level upper-case names of bounds that are given a number, or a sum or product of numbers."""
    names = []
    for node in tree.body:
        target, value = _assignment(node)
        words = set((target or "").split("_"))
        if target is None or value is None or not target.isupper() or BOUND_WORDS.isdisjoint(words):
            continue
        if _is_number(value) and REPRESENTATION_WORDS.isdisjoint(words):
            names.append(target)
    return names


def _literals(tree: ast.AST, below: str) -> list[str]:
    """Numbers above 0 that are given to a wait, to a size, or to a keyword, field or parameter with a bound's name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in WAITS:
                found += [f"{below}: {called}({ast.unparse(value)})" for value in node.args if _is_positive(value)]
            given = [(keyword.arg or "", keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.ClassDef):
            fields = (_assignment(one) for one in node.body if isinstance(one, ast.AnnAssign))
            given = [(name, value) for name, value in fields if name and value is not None]
        elif isinstance(node, ast.arguments):
            given = _defaults(node)
        else:
            continue
        found += [
            f"{below}: {name}={ast.unparse(value)}"
            for name, value in given
            if not BOUND_WORDS.isdisjoint(name.upper().split("_")) and _is_positive(value)
        ]
    return found


def _defaults(arguments: ast.arguments) -> list[tuple[str, ast.expr]]:
    """Parameters that have a default, with it."""
    positional = [*arguments.posonlyargs, *arguments.args]
    last = positional[len(positional) - len(arguments.defaults) :]
    pairs = [
        *zip(last, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return [(parameter.arg, value) for parameter, value in pairs if value is not None]


def _is_positive(value: ast.expr) -> bool:
    return _is_number(value) and not (isinstance(value, ast.Constant) and value.value == 0)


def _assignment(node: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return None, None


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return _is_number(value.left) and _is_number(value.right)
    return (
        isinstance(value, ast.Constant) and isinstance(value.value, int | float) and not isinstance(value.value, bool)
    )
