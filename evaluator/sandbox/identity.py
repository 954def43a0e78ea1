"""Who a caged program is: its user, without groups, without capabilities, without a way to gain any.

Sources: credentials(7), capabilities(7), prctl(2), `Documentation/userspace-api/no_new_privs.rst`.
"""

import os
import signal
import struct
import sys

from evaluator.sandbox.kernel import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    buffer,
    prctl,
    system_call,
)

CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION_3 = 0x20080522
CAP_KILL = 1 << 5
LAST_CAPABILITY = 63


def become(uid: int) -> None:
    """Become this user and the group of the same number, for good, with no other group.

    The standard streams are handed over first: a pipe belongs to who made it, and a program that opens /dev/stdout
    anew must own it.
    """
    for descriptor in (0, 1, 2):
        if not os.isatty(descriptor):
            _hand_over(descriptor, uid)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def drop_capabilities(kept: int = 0) -> None:
    """Drop all capabilities but a mask of them; for root it is what makes it a user like others."""
    if os.geteuid() == 0:
        for capability in range(LAST_CAPABILITY + 1):
            try:
                prctl(PR_CAPBSET_DROP, capability)
            except OSError:  # past the kernel's last one, or CAP_SETPCAP is missing: then no_new_privs alone must do
                break
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    number = CAPSET.get(os.uname().machine)
    if number is None:
        return
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    system_call(number, buffer(header), buffer(struct.pack("=6I", kept, kept, 0, 0, 0, 0)))


def gain_no_privileges() -> None:
    """From here on no program gains rights by being started: no setuid, no file capabilities."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Close /proc/<pid>/environ, mem, fd and the like of this process to its own user; starting a program undoes it."""
    prctl(PR_SET_DUMPABLE, 0)


def end_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Be sent a signal when the parent ends; a change of user undoes it, so it comes after that.

    The parent is the thread that started us: a gate starts its programs from one that stays.
    """
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended just before
        sys.exit(1)


def _hand_over(descriptor: int, uid: int) -> None:
    if (os.fstat(descriptor).st_mode & 0o170000) == 0o010000:  # a pipe
        os.fchown(descriptor, uid, uid)
