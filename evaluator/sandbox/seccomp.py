"""The filter of system calls: what an app has no use for is refused with an error, everything else passes.

Source: seccomp(2), `Documentation/userspace-api/seccomp_filter.rst`, `include/uapi/linux/{seccomp,filter}.h`. A filter
sees numbers, not what pointers lead to; so it decides by families and flags, and paths and addresses are Landlock's and
`loopback.py`'s business. It is a list of refusals rather than of permissions: apps are written in any language, and
a runtime that meets an unknown refusal fails in ways that nobody understands.
"""

import errno
import struct
from collections.abc import Sequence

from evaluator.sandbox.kernel import address, buffer, system_call
from evaluator.sandbox.syscalls import AUDIT_ARCH, REFUSED, SHARED, X32_BIT, number

SET_MODE_FILTER = 1
NEW_LISTENER, WAIT_KILLABLE = 1 << 3, 1 << 5
KILL_PROCESS, ERRNO, NOTIFY, ALLOW = 0x80000000, 0x00050000, 0x7FC00000, 0x7FFF0000

LOAD, EQUAL, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
NUMBER, MACHINE = 0, 4

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCK_STREAM, SOCK_SEQPACKET = 1, 5
SOCK_FLAGS = 0x80800  # SOCK_CLOEXEC | SOCK_NONBLOCK
IPPROTO_TCP = 6
MSG_FASTOPEN = 0x20000000
NEW_NAMESPACES = 0x7E020000
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
PERSONALITIES = (0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
"""Plain Linux, 32-bit names, old version numbers, a mere question: as container engines allow it."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def argument(index: int, *, high: bool = False) -> Instruction:
    """Load 32 bits of an argument; the machines that we know are little-endian."""
    return (LOAD, 0, 0, 16 + 8 * index + (4 if high else 0))


def refuse(code: int) -> Instruction:
    """End with an error number."""
    return (RETURN, 0, 0, ERRNO | code)


PASS: Instruction = (RETURN, 0, 0, ALLOW)


def when(value: int, then: Sequence[Instruction], *, test: int = EQUAL) -> list[Instruction]:
    """If what was loaded equals `value` (or has one of its bits), do `then`; else go on behind it."""
    return [(test, 0, len(then), value), *then]


def socket_rules(*, network: bool, shared: bool, loopback: bool) -> list[Instruction]:
    """`socket`: TCP, through the launcher where that binds it to loopback; Unix sockets only where they are shared.

    Landlock knows TCP alone: not UDP, not the other protocols that a stream can have (MPTCP, SCTP).
    """
    plain = [argument(1), (AND, 0, 0, 0xFFFFFFFF ^ SOCK_FLAGS)]
    tcp = (RETURN, 0, 0, NOTIFY) if loopback else PASS
    internet = [
        *plain,
        (EQUAL, 1, 0, SOCK_STREAM),
        refuse(errno.EPROTONOSUPPORT),
        argument(2),
        *when(0, [tcp]),
        *when(IPPROTO_TCP, [tcp]),
        refuse(errno.EPROTONOSUPPORT),
    ]
    if network:
        internet = [*plain, *when(SOCK_STREAM, [PASS]), *when(2, [PASS]), refuse(errno.EPROTONOSUPPORT)]
    netlink = [argument(2), *when(0, [PASS]), refuse(errno.EAFNOSUPPORT)]  # NETLINK_ROUTE: names of interfaces
    return [
        argument(0),
        *when(AF_INET, internet),
        *when(AF_INET6, internet),
        *(when(AF_UNIX, [PASS]) if shared else []),
        *(when(16, netlink) if network else []),
        refuse(errno.EAFNOSUPPORT),
    ]


def socketpair_rules() -> list[Instruction]:
    """`socketpair`: no datagrams, for one can send elsewhere than to its pair: to the system's log."""
    return [
        argument(1),
        (AND, 0, 0, 0xFFFFFFFF ^ SOCK_FLAGS),
        *when(SOCK_STREAM, [PASS]),
        *when(SOCK_SEQPACKET, [PASS]),
        refuse(errno.EPROTONOSUPPORT),
    ]


def unless(index: int, bits: int) -> list[Instruction]:
    """Refuse where an argument has one of these bits."""
    return [argument(index), *when(bits, [refuse(errno.EPERM)], test=ANY_BIT), PASS]


def limits_rules() -> list[Instruction]:
    """`prlimit64`: change nobody's limits but one's own; looking is free."""
    return [
        argument(0),
        *when(0, [PASS]),
        argument(2),
        (EQUAL, 0, 3, 0),
        argument(2, high=True),
        *when(0, [PASS]),
        refuse(errno.EPERM),
    ]


def program(machine: str, *, network: bool, shared: bool, listening: bool, loopback: bool) -> list[Instruction]:
    """Write the filter.

    Args:
        machine: As `uname` calls it; one that `syscalls.py` knows.
        network: Do not restrict the network.
        shared: Let it use what programs of a machine share.
        listening: It may listen: `listen` without `bind` takes a port that no rule of Landlock sees.
        loopback: TCP sockets are made by the launcher.
    """
    refused = REFUSED if shared else REFUSED | SHARED
    looked_into: dict[str, list[Instruction]] = {
        "clone3": [refuse(errno.ENOSYS)],  # its flags are behind a pointer; the C library falls back on clone
        "clone": unless(0, NEW_NAMESPACES),
        "ioctl": [argument(1), *when(TIOCSTI, [refuse(errno.EPERM)]), *when(TIOCLINUX, [refuse(errno.EPERM)]), PASS],
        "personality": [
            argument(0),
            *(step for one in PERSONALITIES for step in when(one, [PASS])),
            refuse(errno.EPERM),
        ],
        "prlimit64": limits_rules(),
        "socket": socket_rules(network=network, shared=shared, loopback=loopback and not network),
    }
    if not shared:
        looked_into["socketpair"] = socketpair_rules()
    if not network:  # sent with the first packet, past Landlock's look at `connect`
        looked_into |= {"sendto": unless(3, MSG_FASTOPEN), "sendmsg": unless(2, MSG_FASTOPEN)}
        looked_into |= {"sendmmsg": unless(3, MSG_FASTOPEN)}
    if not network and not listening:
        looked_into["listen"] = [refuse(errno.EACCES)]
    steps = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, KILL_PROCESS)]
    steps.append((LOAD, 0, 0, NUMBER))
    if machine == "x86_64":
        steps += when(X32_BIT, [refuse(errno.ENOSYS)], test=ANY_BIT)
    for name, rules in looked_into.items():
        called = number(name, machine)
        if called is not None:
            steps += when(called, rules)
    for name in refused:
        called = number(name, machine)
        if called is not None:
            steps += when(called, [refuse(errno.EPERM)])
    return [*steps, PASS]


def install(steps: Sequence[Instruction], machine: str, *, listener: bool) -> int:
    """Put this process under the filter; needs `no_new_privs`.

    Returns:
        The descriptor on which the calls that are passed on arrive, or -1 without `listener`.

    Raises:
        OSError: What the kernel says; EBUSY if a filter above has a listener already.
    """
    code = buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    described = buffer(struct.pack("@HP", len(steps), address(code)))
    call = number("seccomp", machine)
    assert call is not None  # noqa: S101  # every machine has it
    if not listener:
        system_call(call, SET_MODE_FILTER, 0, described)
        return -1
    try:  # from 5.19: a signal does not repeat the call; Go sends its threads many
        return system_call(call, SET_MODE_FILTER, NEW_LISTENER | WAIT_KILLABLE, described)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return system_call(call, SET_MODE_FILTER, NEW_LISTENER, described)
