"""Families, costs and endings of processes, on processes of the test's own."""

import os
import signal
import subprocess
from pathlib import Path

from bench.processes import cpu_ns, end_all, family_of, pss_bytes, start_of, wait_quiet
from bench.subjects import tail_of


def test_a_family_holds_children_and_costs_memory() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo up; wait"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        family = family_of(parent.pid)
        assert len(family) == 2
        assert pss_bytes(family) > 0
        assert wait_quiet(family, limit_s=10, window_s=0.05) < 10
        end_all({pid: start_of(pid) for pid in family})
        assert parent.wait(10) == -signal.SIGKILL


def test_another_process_with_the_same_pid_is_not_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        end_all({bystander.pid: start_of(bystander.pid) + 1, 0: 0})
        assert bystander.poll() is None
        bystander.kill()


def test_what_is_gone_costs_nothing() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait(10)
    assert start_of(ended.pid) == 0
    assert cpu_ns([ended.pid]) == pss_bytes([ended.pid]) == 0
    assert cpu_ns([os.getpid()]) > 0


def test_the_end_of_a_log_explains(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail_of(log) == "it printed nothing"
    log.write_text("".join(f"line {number}\n" for number in range(20)))
    assert tail_of(log).startswith("line 14")
