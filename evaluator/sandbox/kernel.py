"""System calls that Python has no name for. Launcher only: standard library, nothing of the house.

Sources: syscall(2), prctl(2), and the kernel's tables `arch/x86/entry/syscalls/syscall_64.tbl` and
`include/uapi/asm-generic/unistd.h`.
"""

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4


def system_call(number: int, *arguments: "int | ctypes.Array[ctypes.c_char] | None") -> int:
    """Make a system call.

    Raises:
        OSError: What the kernel says.
    """
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(number), *passed))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, *arguments: int) -> None:
    """Change a property of this process, as its manual page describes.

    Raises:
        OSError: What the kernel says.
    """
    padded = [*arguments, 0, 0, 0, 0][:4]
    if _LIBC.prctl(ctypes.c_int(option), *(ctypes.c_ulong(value) for value in padded)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def buffer(data: bytes) -> "ctypes.Array[ctypes.c_char]":
    """Give bytes a place in memory whose address can be handed to the kernel."""
    return ctypes.create_string_buffer(data, len(data))


def address(place: "ctypes.Array[ctypes.c_char]") -> int:
    """The address of what `buffer` made."""
    return ctypes.addressof(place)
