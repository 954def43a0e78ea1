"""When an answer was there, by the kernel's clock: our event loop may look for it only later.

With hundreds of calls in flight, or on a machine that is busy, an answer waits in the socket until its turn comes. That
wait is ours, not the provider's. Linux keeps for each connection in which tick of its clock (4 ms on most machines)
data were last sent and last received.
"""

import socket
import struct
import sys
from typing import Any, Protocol

import aiohttp

_TCP_INFO = struct.Struct("=44xI4xI")
"""Of `struct tcp_info` (linux/tcp.h): `tcpi_last_data_sent` and `tcpi_last_data_recv`, milliseconds ago."""
TICK_S = 0.004
"""How finely the kernel counts, on most machines."""


class Wire(Protocol):
    """What is needed of a socket."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """As of a socket."""
        ...


class TimedResponse(aiohttp.ClientResponse):
    """A response that still knows its connection's socket when the connection has gone back to the pool."""

    wire: Wire | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Remember the socket, and wait for the headers."""
        transport = connection.transport
        self.wire = transport.get_extra_info("socket") if transport is not None else None
        return await super().start(connection)


def latency_on_the_wire(wire: Wire | None, measured_s: float) -> float:
    """Seconds from the last byte sent to the last byte received.

    Ours, as long as it is within a tick of the kernel's; else the kernel's, which is right to a tick either way.

    To be asked right after the answer was read, before its connection can have got another one.

    Args:
        wire: The connection's socket.
        measured_s: By our own clock, never less than the truth.
    """
    if wire is None or sys.platform != "linux":
        return measured_s
    try:
        sent, received = _TCP_INFO.unpack(wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    except (OSError, struct.error):  # closed by now, or no TCP
        return measured_s
    kernel_s: float = (sent - received) / 1000
    return kernel_s if 0 < kernel_s < measured_s - TICK_S else measured_s
