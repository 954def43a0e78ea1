"""The filter decides as it says, for both machines; run here by an interpreter of the few instructions that it uses."""

import errno
import struct

import pytest

from evaluator.sandbox import seccomp
from evaluator.sandbox.syscalls import AUDIT_ARCH, REFUSED, SHARED, number

MACHINES = ["x86_64", "aarch64"]
KINDS = {seccomp.ALLOW: "allow", seccomp.NOTIFY: "notify", seccomp.KILL_PROCESS: "kill"}


def decide(steps: list[seccomp.Instruction], machine: int, called: int, arguments: tuple[int, ...]) -> str:
    data = struct.pack("=iIQ6Q", called, machine, 0, *(arguments + (0,) * 6)[:6])
    loaded, at = 0, 0
    while True:
        code, yes, no, operand = steps[at]
        at += 1
        if code == seccomp.LOAD:
            loaded = int.from_bytes(data[operand : operand + 4], "little")
        elif code == seccomp.AND:
            loaded &= operand
        elif code == seccomp.EQUAL:
            at += yes if loaded == operand else no
        elif code == seccomp.ANY_BIT:
            at += yes if loaded & operand else no
        elif operand in KINDS:
            return KINDS[operand]
        else:
            assert operand & 0xFFFF0000 == seccomp.ERRNO
            return errno.errorcode[operand & 0xFFFF]


def asked(
    machine: str,
    name: str,
    *arguments: int,
    network: bool = False,
    shared: bool = False,
    listening: bool = False,
    loopback: bool = True,
) -> str:
    steps = seccomp.program(machine, network=network, shared=shared, listening=listening, loopback=loopback)
    called = number(name, machine)
    assert called is not None
    return decide(steps, AUDIT_ARCH[machine], called, arguments)


HIGH = 1 << 32
CALLS = [
    ("socket", (2, 1, 0), "notify"),
    ("socket", (2, 1 | 0x80800, 6), "notify"),
    ("socket", (2 | HIGH, 1 | HIGH, 0), "notify"),  # the kernel reads 32 bits
    ("socket", (10, 1, 0), "notify"),
    ("socket", (2, 1, 262), "EPROTONOSUPPORT"),
    ("socket", (2, 1, 132), "EPROTONOSUPPORT"),
    ("socket", (2, 2, 0), "EPROTONOSUPPORT"),
    ("socket", (10, 2, 0), "EPROTONOSUPPORT"),
    ("socket", (2, 3, 1), "EPROTONOSUPPORT"),
    ("socket", (1, 1, 0), "EAFNOSUPPORT"),
    ("socket", (16, 3, 0), "EAFNOSUPPORT"),
    ("socket", (17, 3, 0), "EAFNOSUPPORT"),
    ("socket", (40, 1, 0), "EAFNOSUPPORT"),
    ("socketpair", (1, 1, 0), "allow"),
    ("socketpair", (1, 0x80005, 0), "allow"),
    ("socketpair", (1, 2, 0), "EPROTONOSUPPORT"),
    ("listen", (3, 5), "EACCES"),
    ("sendto", (3, 0, 0, 0x4000), "allow"),
    ("sendto", (3, 0, 0, 0x20004000), "EPERM"),
    ("sendmsg", (3, 0, 0x20000000), "EPERM"),
    ("sendmmsg", (3, 0, 1, 0x20000000), "EPERM"),
    ("clone", (0x3D0F00,), "allow"),  # a thread
    ("clone", (17,), "allow"),
    ("clone", (0x10000011,), "EPERM"),
    ("clone", (0x00020011,), "EPERM"),
    ("clone3", (0, 88), "ENOSYS"),
    ("prlimit64", (0, 7, 0xFFFF), "allow"),
    ("prlimit64", (77, 7, 0), "allow"),
    ("prlimit64", (77, 7, 0xFFFF), "EPERM"),
    ("prlimit64", (77, 7, 0xFFFF << 32), "EPERM"),
    ("ioctl", (0, 0x5413), "allow"),
    ("ioctl", (0, 0x5412), "EPERM"),
    ("ioctl", (0, 0x5412 | HIGH), "EPERM"),
    ("ioctl", (0, 0x541C), "EPERM"),
    ("personality", (0xFFFFFFFF,), "allow"),
    ("personality", (0x0040000,), "EPERM"),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "arguments", "decision"), CALLS)
def test_a_call_is_decided_by_its_arguments(machine: str, name: str, arguments: tuple[int, ...], decision: str) -> None:
    assert asked(machine, name, *arguments) == decision


@pytest.mark.parametrize("machine", MACHINES)
def test_what_no_app_needs_is_refused_and_the_rest_passes(machine: str) -> None:
    refused = {number(name, machine) for name in REFUSED | SHARED} - {None}
    looked_into = {
        number(name, machine)
        for name in (
            "clone",
            "clone3",
            "ioctl",
            "listen",
            "personality",
            "prlimit64",
            "sendmmsg",
            "sendmsg",
            "sendto",
            "socket",
            "socketpair",
        )
    }
    steps = seccomp.program(machine, network=False, shared=False, listening=False, loopback=True)
    for called in range(470):
        decision = decide(steps, AUDIT_ARCH[machine], called, ())
        if called in refused:
            assert decision == "EPERM"
        elif called not in looked_into:
            assert decision == "allow"


@pytest.mark.parametrize("machine", MACHINES)
def test_what_the_config_opens_is_open(machine: str) -> None:
    assert asked(machine, "socket", 2, 2, 0, network=True) == "allow"
    assert asked(machine, "socket", 2, 1, 0, network=True) == "allow"
    assert asked(machine, "socket", 2, 3, 1, network=True) == "EPROTONOSUPPORT"
    assert asked(machine, "socket", 16, 3, 0, network=True) == "allow"
    assert asked(machine, "socket", 16, 3, 9, network=True) == "EAFNOSUPPORT"
    assert asked(machine, "socket", 1, 1, 0, shared=True) == "allow"
    assert asked(machine, "mq_open", shared=True) == "allow"
    assert asked(machine, "listen", 3, listening=True) == "allow"
    assert asked(machine, "socket", 2, 1, 0, loopback=False) == "allow"


def test_another_machines_calls_and_the_second_table_are_no_way_round() -> None:
    steps = seccomp.program("x86_64", network=False, shared=False, listening=False, loopback=True)
    assert decide(steps, 0x40000003, 20, ()) == "kill"  # i386
    assert decide(steps, AUDIT_ARCH["aarch64"], 1, ()) == "kill"
    assert decide(steps, AUDIT_ARCH["x86_64"], 0x40000000 | 101, ()) == "ENOSYS"
