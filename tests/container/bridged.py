"""A bridge network as GitHub's runner gives a container action, from which the stand-ins of this process can be reached."""

import contextlib
import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.container.engine import Engine
from tests.container.forwarding import forwarded


@dataclass(frozen=True)
class Bridge:
    """A network."""

    name: str
    address: str
    """This machine's, in it."""

    def seen(self, url: str) -> str:
        """A stand-in's address as a container in the network has it."""
        return url.replace("127.0.0.1", self.address)


@contextmanager
def bridged(engine: Engine, *urls: str) -> Iterator[Bridge]:
    """Make a network for as long as the block lasts, with a way to these addresses on loopback, and to no others."""
    name = f"runner-{secrets.token_hex(4)}"
    engine.docker("network", "create", name)
    try:
        told = json.loads(engine.docker("network", "inspect", name).stdout)[0]
        bridge = Bridge(name, told["IPAM"]["Config"][0]["Gateway"])
        with contextlib.ExitStack() as doors:
            for port in {urlsplit(url).port for url in urls}:
                assert port is not None
                doors.enter_context(_door(bridge.address, port))
            yield bridge
    finally:
        engine.docker("network", "rm", name)


@contextmanager
def _door(address: str, port: int) -> Iterator[None]:
    with (
        socket.create_server((address, port)) as listener,
        forwarded(listener, lambda: socket.create_connection(("127.0.0.1", port))),
    ):
        yield
