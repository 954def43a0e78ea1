"""TCP sockets that reach this machine only: the launcher makes them, bound to the loopback device, and hands them in.

Landlock restricts ports, not addresses: a program that may connect to the gateway's port may connect to that port of
any host. A seccomp filter cannot see addresses either, but it can pass `socket`, whose arguments are plain numbers, on
to another process. A socket bound to a device (`SO_BINDTODEVICE`) stays so: only CAP_NET_RAW changes it.

Source: seccomp_unotify(2), `include/uapi/linux/seccomp.h`, socket(7).
"""

import _socket
import errno
import fcntl
import struct

NOTIFICATION = struct.Struct("=QIIiIQ6Q")
ANSWER = struct.Struct("=QqiI")
HAND_IN = struct.Struct("=QIIII")


def _request(direction: int, number: int, size: int) -> int:
    """An ioctl's number, as `_IOC` of `asm-generic/ioctl.h` makes it."""
    return direction << 30 | size << 16 | ord("!") << 8 | number


RECEIVE = _request(3, 0, NOTIFICATION.size)
SEND = _request(3, 1, ANSWER.size)
ADD_DESCRIPTOR = _request(1, 3, HAND_IN.size)
AND_ANSWER = 1 << 1

SO_BINDTODEVICE = 25
SOCK_CLOEXEC = 0o2000000
DEVICE = b"lo\0"
TCP_SYNCNT, SYN_REPEATS = 7, 2
"""A packet to another host is lost on the loopback device; so `connect` gives up after 7 s instead of two minutes."""


def local_socket(family: int, kind: int, protocol: int) -> "_socket.socket":
    """Make a socket that can only reach, and be reached from, this machine.

    Raises:
        OSError: What the kernel says.
    """
    made = _socket.socket(family, kind | SOCK_CLOEXEC, protocol)
    made.setsockopt(_socket.SOL_SOCKET, SO_BINDTODEVICE, DEVICE)
    made.setsockopt(_socket.IPPROTO_TCP, TCP_SYNCNT, SYN_REPEATS)
    return made


def answer_one(listener: int) -> None:
    """Make the socket that a caged program has asked for, as its next descriptor."""
    received = bytearray(NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, RECEIVE, received, True)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):  # who asked is gone
            return
        raise
    identity, _, _, _, _, _, *arguments = NOTIFICATION.unpack(received)
    family, kind, protocol = (_as_int(value) for value in arguments[:3])
    try:
        made = local_socket(family, kind, protocol)
        cloexec = SOCK_CLOEXEC if kind & SOCK_CLOEXEC else 0
        fcntl.ioctl(listener, ADD_DESCRIPTOR, HAND_IN.pack(identity, AND_ANSWER, made.fileno(), 0, cloexec))
        made.close()
    except OSError as error:
        _refuse(listener, identity, error.errno or errno.EPERM)


def _refuse(listener: int, identity: int, number: int) -> None:
    try:
        fcntl.ioctl(listener, SEND, ANSWER.pack(identity, 0, -number, 0))
    except OSError:  # who asked is gone
        return


def _as_int(value: int) -> int:
    """Read an argument as the kernel does: a C `int`."""
    return int.from_bytes((value & 0xFFFFFFFF).to_bytes(4, "little"), "little", signed=True)
