"""Ordinary events of a Linux machine, invented and always the same: what rules must mostly leave alone.

They stand for a day of builds, package upgrades, scheduled jobs and people at work; recorded ones would say more, and
belong to whoever recorded them.  A type of event that is not known here gets ordinary values in the fields that its
rules read.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ringfence.detect.events import Event
from ringfence.model.limits import ORDINARY_EVENTS_MAX

ORDINARY_VALUES: Final = (
    "/usr/bin/bash",
    "/usr/lib/systemd/systemd",
    "C:\\Windows\\System32\\svchost.exe",
    "bash -c 'make -j2 all'",
    "ls -la /srv/documents",
    "python3 -m http.server 8000",
    "sshd: ann [priv]",
    "cc1 -quiet -O2 -o /tmp/ccA1b2C3.s main.c",
    "git fetch --all --prune",
    "root",
    "NT AUTHORITY\\SYSTEM",
    "192.0.2.17",
    "443",
    "https://www.example.org/index.html?x=1&y=2",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "/var/log/apt/history.log.1.gz",
)
"""Values of all kinds, for fields of which nothing is known."""

_PARENTS: Final = (
    ("/usr/bin/make", "make -j4 all"),
    ("/usr/bin/dash", "/bin/sh -c -e"),
    ("/usr/bin/bash", "-bash"),
    ("/usr/lib/systemd/systemd", "/sbin/init"),
    ("/usr/bin/dpkg", "dpkg --configure --pending"),
    ("/usr/sbin/cron", "/usr/sbin/CRON -f"),
    ("/usr/bin/python3.11", "python3 setup.py build"),
)
_COMMANDS: Final = (
    "/usr/bin/gcc -O2 -g -Wall -I./include -c -o obj/part{n}.o src/part{n}.c",
    "/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -imultiarch x86_64-linux-gnu src/part{n}.c -o /tmp/cc{n}.s",
    "/usr/bin/as --64 -o obj/part{n}.o /tmp/cc{n}.s",
    "/usr/bin/ld -plugin --eh-frame-hdr -m elf_x86_64 -o prog{n} obj/part{n}.o -lc",
    "/usr/bin/ar rcs libpart{n}.a obj/part{n}.o",
    "/usr/bin/sed -e s,@prefix@,/usr/local,g config{n}.in",
    "/usr/bin/grep -c ^processor{n} Makefile",
    "/usr/bin/mkdir -p build/dir{n}",
    "/usr/bin/cp -p src/part{n}.h include/",
    "/usr/bin/mv -f part{n}.Tpo part{n}.Po",
    "/usr/bin/install -m 644 part{n}.h include/part{n}.h",
    "/usr/bin/cat version{n}.txt",
    "/usr/bin/expr {n} + 1",
    "/usr/bin/tr a-z A-Z",
    "/usr/bin/sort -u list{n}",
    "/usr/bin/git fetch --quiet origin topic{n}",
    "/usr/bin/python3.11 -m pytest tests/test_part{n}.py",
    "/usr/bin/dpkg-query --show package{n}",
    "/usr/bin/run-parts --report /etc/cron.hourly",
    "/usr/bin/date +%s",
    "/usr/bin/ls -l build/dir{n}",
    "/usr/bin/vim notes{n}.txt",
    "/usr/bin/less log{n}.txt",
    "/usr/sbin/logrotate /etc/logrotate.conf",
)
_USERS: Final = ("root", "ann", "build")


KNOWN_TYPES: Final = frozenset({"process_creation"})
"""Types whose ordinary events are known here."""


def ordinary_events(event_type: str, fields: Iterable[str]) -> Iterator[Event]:
    """`ORDINARY_EVENTS_MAX` events of this type; of a type that is not known here, with these fields."""
    names = sorted(fields)
    for number in range(ORDINARY_EVENTS_MAX):
        made = _process(number) if event_type in KNOWN_TYPES else _of_fields(names, number)
        yield Event(event_type, made)


def _of_fields(names: Sequence[str], number: int) -> dict[str, str]:
    values = len(ORDINARY_VALUES)
    return {name: ORDINARY_VALUES[(number * 7 + place * 3) % values] for place, name in enumerate(names)}


def _process(number: int) -> dict[str, str]:
    command = _COMMANDS[number % len(_COMMANDS)].format(n=number)
    parent, parent_command = _PARENTS[number // len(_COMMANDS) % len(_PARENTS)]
    return {
        "CommandLine": command.rpartition("/usr/bin/")[2],
        "CurrentDirectory": f"/srv/build/tree{number % 5}",
        "Image": command.partition(" ")[0],
        "ParentCommandLine": parent_command,
        "ParentImage": parent,
        "User": _USERS[number % len(_USERS)],
    }
