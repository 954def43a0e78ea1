"""Files, TCP ports, signals and abstract sockets by Landlock: what is not named is closed, for all descendants.

Source: https://docs.kernel.org/userspace-api/landlock.html and `include/uapi/linux/landlock.h`. The kernel tells a
version (ABI): 1 files (5.13), 2 moves between folders (5.19), 3 truncation (6.2), 4 TCP ports (6.7), 5 device ioctls
(6.10), 6 signals and abstract Unix sockets (6.12). What a kernel lacks is left out; `notices.py` says so.

A domain also closes `ptrace` of, and thereby /proc/<pid>/environ, mem, maps and fd of, every process outside of it.
It does not cover: looking at names and sizes (stat), chmod and chown, Unix sockets by path, UDP. Users and the filter
of `seccomp.py` are for that.
"""

import os
import struct
from collections.abc import Iterable

from evaluator.sandbox.kernel import buffer, system_call

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION = 1
PATH_BENEATH, NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST_VERSION = REFER - 1
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1

RUN = EXECUTE | READ_FILE | READ_DIR
READ = READ_FILE | READ_DIR
WRITE = (FIRST_VERSION | REFER | TRUNCATE) & ~(MAKE_CHAR | MAKE_BLOCK)
SHARE = WRITE & ~(EXECUTE | REFER)
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

O_PATH = os.O_PATH | os.O_CLOEXEC


def abi() -> int:
    """The kernel's version of Landlock; 0 if it has none, or does not let us use it."""
    try:
        return system_call(CREATE_RULESET, None, 0, VERSION)
    except OSError:
        return 0


def file_rights(version: int) -> int:
    """All rights on files that this version of Landlock can take away."""
    return (
        FIRST_VERSION
        | (REFER if version >= 2 else 0)
        | (TRUNCATE if version >= 3 else 0)
        | (IOCTL_DEV if version >= 5 else 0)
    )


def new_ruleset(version: int, *, files: bool, network: bool, scopes: bool) -> int:
    """Make a set of rules that closes everything of the named kinds.

    Returns:
        Its descriptor, or -1 if there is nothing to close.
    """
    fields = [
        file_rights(version) if files else 0,
        BIND_TCP | CONNECT_TCP if network and version >= 4 else 0,
        ABSTRACT_SOCKETS | SIGNALS if scopes and version >= 6 else 0,
    ]
    if not any(fields):
        return -1
    known = 1 if version < 4 else 2 if version < 6 else 3
    attributes = struct.pack(f"={known}Q", *fields[:known])
    return system_call(CREATE_RULESET, buffer(attributes), len(attributes), 0)


def allow_paths(ruleset: int, version: int, paths: Iterable[str], rights: int) -> None:
    """Open files and folders with all that is below them; names that are not there are skipped."""
    rights &= file_rights(version)
    for path in paths:
        try:
            descriptor = os.open(path, O_PATH)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        try:
            is_folder = (os.fstat(descriptor).st_mode & 0o170000) == 0o040000
            allowed = rights if is_folder else rights & ON_A_FILE
            system_call(ADD_RULE, ruleset, PATH_BENEATH, buffer(struct.pack("=Qi", allowed, descriptor)), 0)
        finally:
            os.close(descriptor)


def allow_ports(ruleset: int, ports: Iterable[int], right: int) -> None:
    """Open TCP ports, at any address: the address is `loopback.py`'s business."""
    for port in ports:
        system_call(ADD_RULE, ruleset, NET_PORT, buffer(struct.pack("=QQ", right, port)), 0)


def restrict(ruleset: int) -> None:
    """Put this process under the rules; needs `no_new_privs`."""
    system_call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
