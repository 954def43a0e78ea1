"""Carries requests from an address on the containers' network to the gateway's door, which listens on loopback only.

The door answers to its own name alone, so the relay puts it in place of its own in the request's head; everything after
the head is carried as it comes. A connection carries one request: to find the next head, bodies would have to be read.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from evaluator.target.metering import Metering, Slot, Trace

_DOOR = "127.0.0.1"
_HEAD_S = 30.0
_MAX_HEAD = 65_536
_AT_ONCE = 256
_PROXY_NAMES = ("NO_PROXY", "no_proxy")


class Relay:
    """A listener; made by `open_relay`.

    Args:
        host: The address that it listens on.
        door_port: The gateway's.
    """

    def __init__(self, host: str, door_port: int) -> None:
        """Only store the arguments; see `open_relay`."""
        self.host = host
        self.port = 0
        self._door_port = door_port
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: The address is not ours.
        """
        self._server = await asyncio.start_server(self._serve, self.host, 0, limit=_MAX_HEAD, backlog=128)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End the listener and all connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("not in a task")
        self._tasks.add(task)
        try:
            async with self._free:
                # Whatever breaks here breaks the app's own connection, which is how it learns of it.
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                    await self._carry(reader, writer)
        except asyncio.CancelledError:
            return  # we close; nobody waits for this task
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        from_door, to_door = await asyncio.open_connection(_DOOR, self._door_port)
        try:
            to_door.write(renamed(head, f"{self.host}:{self.port}", f"{_DOOR}:{self._door_port}"))
            ways = {asyncio.create_task(_pipe(reader, to_door)), asyncio.create_task(_pipe(from_door, writer))}
            try:
                # The door ends after its answer; an app that ends first wants none, and the door must learn of it.
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            to_door.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def renamed(head: bytes, ours: str, doors: str) -> bytes:
    """A request's head with the door's name for ours, and a wish to end the connection after the answer.

    Another name than ours stays, and the door refuses it: a page in a browser could have been led here by it.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = []
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() in (b"connection", b"keep-alive") and b"upgrade" not in value.lower():
            continue
        if name.lower() == b"host" and value.strip() == ours.encode():
            kept.append(b"Host: " + doors.encode())
        else:
            kept.append(line)
    if not any(line.lower().startswith(b"connection:") for line in kept):
        kept.append(b"Connection: close")
    return b"\r\n".join([first, *kept]) + b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class RelayedSlot:
    """A slot of the door whose app asks at a relay."""

    slot: Slot
    door: str
    relay: Relay

    @property
    def outside(self) -> Trace:
        """As the slot's own."""
        return self.slot.outside

    def environment(self) -> Mapping[str, str]:
        """The slot's, with the relay's address in place of the door's."""
        there = f"{self.relay.host}:{self.relay.port}"
        told = {name: value.replace(self.door, there) for name, value in self.slot.environment().items()}
        return {name: f"{value},{self.relay.host}" if name in _PROXY_NAMES else value for name, value in told.items()}

    def case(self, case_id: str, repeat: int, scope: str | None) -> AbstractContextManager[Trace]:
        """As the slot's own."""
        return self.slot.case(case_id, repeat, scope)


def relayed(metering: Metering, relay: Relay, door_port: int) -> Metering:
    """The metering of apps that ask at a relay."""
    return replace(metering, slot=lambda name: RelayedSlot(metering.slot(name), f"{_DOOR}:{door_port}", relay))
