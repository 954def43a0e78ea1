"""Attacks over the network: to other ports, to other machines, around the rules."""

from tests.sandbox.arena import Attack

PORTS, LOOPBACK, CALLS = ("landlock-network",), ("loopback",), ("seccomp",)
BOTH = (*PORTS, *LOOPBACK)
PRIVILEGED = ("identity", "capabilities", "seccomp")
OUTSIDE = ("outside",)

ATTACKS = [
    Attack("another port of this machine", "tcp('127.0.0.1', A['other'])", PORTS, PORTS),
    Attack("another port, over IPv6", "tcp('::ffff:127.0.0.1', A['other'], socket.AF_INET6)", PORTS, PORTS),
    Attack("another machine at the door's port", "tcp(A['outside'], A['door'])", LOOPBACK, LOOPBACK, needs=OUTSIDE),
    Attack("another machine at a web port, as cloud metadata is", "tcp(A['outside'], 80)", BOTH, BOTH, needs=OUTSIDE),
    Attack(
        "another machine, the socket's device taken away",
        "s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, 25, b''); s.settimeout(3)\n"
        "s.connect((A['outside'], A['door'])); s.send(A['nonce'].encode())",
        LOOPBACK, LOOPBACK, needs=OUTSIDE,
    ),
    Attack("a datagram", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(A['nonce'].encode(), ('127.0.0.1', A['udp']))", CALLS, CALLS),
    Attack(
        "a question to a name server",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(A['nonce'].encode(), (A['outside'], 53))", CALLS, CALLS,
        needs=OUTSIDE,
    ),
    Attack("a raw socket", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); won()", PRIVILEGED),
    Attack("a packet socket", "socket.socket(17, socket.SOCK_RAW, 0x0300); won()", PRIVILEGED),
    Attack("a netlink socket", "socket.socket(16, socket.SOCK_RAW, 0); won()", CALLS, CALLS),
    Attack("multipath TCP, which Landlock does not know", "tcp('127.0.0.1', A['other'], socket.AF_INET, 262)", CALLS, CALLS, needs=("mptcp",)),
    Attack(
        "a first packet with data, without connect",
        "socket.socket().sendto(A['nonce'].encode(), 0x20000000, ('127.0.0.1', A['other']))",
        (*PORTS, *CALLS), (*PORTS, *CALLS),
    ),
    Attack("listening on a port", "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); won()", (*PORTS, *CALLS), (*PORTS, *CALLS)),
    Attack("listening without a name", "s = socket.socket(); s.listen(); won()", CALLS, CALLS),
    Attack(
        "a socket by io_uring", "p = ctypes.create_string_buffer(120); f = call(425, 4, ctypes.addressof(p)); won()", CALLS, CALLS,
    ),
]  # fmt: skip
