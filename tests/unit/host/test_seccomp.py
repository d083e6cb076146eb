"""The filter's program, run by a small interpreter: what the kernel would answer to every call, on both machines."""

import struct
from typing import Final

import pytest

from ringfence.host import processes, seccomp
from ringfence.host.sandbox import Profile
from ringfence.host.seccomp import ALLOW, CLONE_THREAD, ENOSYS, EPERM, ERRNO, KILL_PROCESS, X32_BIT, program
from ringfence.host.syscalls import AUDIT_ARCHITECTURE, numbers
from ringfence.model.errors import KernelLacks

MACHINES: Final = ("x86_64", "aarch64")
CALLS_MAX: Final = 500
REFUSED: Final = ERRNO | EPERM
CALL = struct.Struct("=iIQ6Q")
"""struct seccomp_data: number, architecture, instruction pointer, arguments."""

PROFILES = (
    processes.WATCHDOG,
    processes.ZYGOTE,
    processes.SCANNER,
    processes.GATE,
    processes.GATE_THREAD,
    processes.courier("/spool", ()),
)


def run(code: bytes, number: int, architecture: int, argument: int = 0) -> int:
    """What the program returns for one call.  Raises AssertionError for an instruction that no filter of ours has."""
    data = CALL.pack(number, architecture, 0, argument, 0, 0, 0, 0, 0)
    instructions = list(struct.iter_unpack("HBBI", code))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = instructions[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            assert operation in holds
            at += if_true if holds[operation] else if_false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_exactly_the_listed_calls_are_allowed(profile: Profile, machine: str) -> None:
    code = program(profile.syscalls, may_fork=profile.may_fork, machine=machine)
    allowed = set(numbers(profile.syscalls - {"clone", "clone3"}, machine))
    (clone,), (clone3,) = numbers(frozenset({"clone"}), machine), numbers(frozenset({"clone3"}), machine)
    for number in set(range(CALLS_MAX)) - {clone, clone3}:
        answer = run(code, number, AUDIT_ARCHITECTURE[machine])
        assert answer == (ALLOW if number in allowed else REFUSED), number


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_clone_is_for_threads_unless_it_may_fork(profile: Profile, machine: str) -> None:
    code = program(profile.syscalls, may_fork=profile.may_fork, machine=machine)
    (clone,), (clone3,) = numbers(frozenset({"clone"}), machine), numbers(frozenset({"clone3"}), machine)
    architecture = AUDIT_ARCHITECTURE[machine]
    may_start_threads = profile.may_fork or "clone" in profile.syscalls
    assert run(code, clone, architecture, CLONE_THREAD | 0x0F00) == (ALLOW if may_start_threads else REFUSED)
    assert run(code, clone, architecture, 17) == (ALLOW if profile.may_fork else REFUSED)
    assert run(code, clone3, architecture) == ERRNO | ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_is_death(machine: str) -> None:
    code = program(processes.SCANNER.syscalls, may_fork=False, machine=machine)
    for architecture in {*AUDIT_ARCHITECTURE.values(), 0x40000003, 0} - {AUDIT_ARCHITECTURE[machine]}:
        assert run(code, 0, architecture) == KILL_PROCESS


def test_x32_numbers_are_death() -> None:
    code = program(processes.SCANNER.syscalls, may_fork=False, machine="x86_64")
    for number in (X32_BIT, X32_BIT | 1, X32_BIT | 59, 0x7FFFFFFF):
        assert run(code, number, AUDIT_ARCHITECTURE["x86_64"]) == KILL_PROCESS


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_the_program_is_short_enough_for_the_kernel(profile: Profile, machine: str) -> None:
    code = program(profile.syscalls, may_fork=profile.may_fork, machine=machine)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4_096


def test_no_profile_may_open_by_other_means_run_programs_or_trace() -> None:
    never = frozenset("execve execveat ptrace process_vm_readv mount bpf setns unshare io_uring_setup keyctl".split())
    assert [one.name for one in PROFILES if one.syscalls & never] == []


def test_only_the_courier_may_open_a_socket_or_connect() -> None:
    network = frozenset({"socket", "connect"})
    assert [one.name for one in PROFILES if one.syscalls & network] == [processes.Role.COURIER]


def test_only_gate_and_courier_may_open_a_file() -> None:
    opening = frozenset({"open", "openat"})
    assert [one.name for one in PROFILES if one.syscalls & opening] == [processes.Role.GATE, processes.Role.COURIER]


def test_an_unknown_machine_is_said() -> None:
    with pytest.raises(KernelLacks, match="riscv64"):
        numbers(frozenset({"read"}), "riscv64")


def test_an_unknown_name_is_our_bug() -> None:
    with pytest.raises(KeyError):
        numbers(frozenset({"raed"}), "x86_64")


def test_the_numbers_of_this_machine_are_the_kernels() -> None:
    """Some that everybody knows by heart."""
    known = {"read": (0, 63), "write": (1, 64), "openat": (257, 56), "clone": (56, 220), "exit_group": (231, 94)}
    for name, pair in known.items():
        assert tuple(numbers(frozenset({name}), machine)[0] for machine in MACHINES) == pair
    assert seccomp.MACHINE in MACHINES
