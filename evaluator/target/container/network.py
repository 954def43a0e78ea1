"""The network of one side's containers: an internal one whose only other member is our relay, or the one we are in.

Older engines give containers of an internal network a default route all the same, and hold it by firewall rules alone:
without those (`--iptables=false`) there is a way to every address of the machine and beyond. So the route is led to an
address that nobody has; without capabilities no container can set another.
"""

import asyncio
import contextlib
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Side
from evaluator.target.container.box import LABEL
from evaluator.target.container.client import Docker, DockerFailed
from evaluator.target.container.relay import Relay

_OURSELVES = re.compile(r"/containers/([0-9a-f]{64})/hostname\b")
_NO_ADDRESS = ("--opt", "com.docker.network.bridge.gateway_mode_ipv4=isolated")
"""The machine gets no address in the network."""
_ISOLATES = 28
"""Docker that knows this option; older ones ignore or refuse it."""
_TRIES = 3
_HINT = (
    "let base's config say `sandbox: {network: allow}` to run the app in the network that the gate itself is in, where"
    " it can reach any address: only for code that may"
)


@dataclass(frozen=True, slots=True)
class Way:
    """How containers are connected."""

    network: str
    """For `--network`."""
    relay: Relay | None
    """None: the door's own address is theirs too, or there is no door."""
    notes: tuple[str, ...] = ()
    """What is not held."""
    joined: str | None = None
    """Our own container, if it was put in the network."""


def shared_way(ourselves: str | None, side: Side) -> Way:
    """Put the containers where we are, for a config that allows any network."""
    network = "host" if ourselves is None else f"container:{ourselves}"
    note = f"the network is allowed by the config: the app's containers, at {side}, share the gate's own network"
    return Way(network, None, (note,))


async def internal_way(
    docker: Docker, ourselves: str | None, *, name: str, label: str, side: Side, door: int | None
) -> Way:
    """Make an internal network, and a relay in it.

    Args:
        docker: The client.
        ourselves: Our own container, which has a network of its own; None if we are on the engine's machine.
        name: The network's name.
        label: The run's label.
        side: Whose.
        door: The gateway's port; None for apps that are only started.

    Raises:
        TargetError: The engine allows none, or its address cannot be had here. What was made is left to `remove`.
    """
    try:
        isolated = await _create(docker, name, label, joined=ourselves is not None)
        if ourselves is not None:
            await docker.ask("network", "connect", name, ourselves)
        address = await _address(docker, name, ourselves)
        relay = Relay(address, door) if door is not None else None
        if relay is not None:
            await relay.open()
    except (DockerFailed, OSError) as error:
        why = str(error) if isinstance(error, DockerFailed) else f"cannot listen there: {error.strerror}"
        text = f"target.container: the engine has no network whose only way out is the gateway, at {side}: {why}"
        raise TargetError(text, hint=_HINT) from None
    notes: tuple[str, ...] = ()
    if not isolated:
        notes = (
            f"the app's containers, at {side}, reach what listens on all addresses of the engine's machine; they reach"
            " nothing else but the gateway",
        )
    return Way(name, relay, notes, ourselves)


async def remove(docker: Docker, name: str, joined: str | None) -> None:
    """Remove a network, ourselves first; one that is not there is no error."""
    if joined is not None:
        with contextlib.suppress(DockerFailed):
            await docker.ask("network", "disconnect", "--force", name, joined)
    with contextlib.suppress(DockerFailed):
        await docker.ask("network", "rm", name)


async def find_ourselves(docker: Docker, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The ID of the container that we run in, if it is this engine's and has a network of its own; else None."""
    text = await asyncio.to_thread(mounts.read_text, "utf-8", "replace") if mounts.exists() else ""
    found = _OURSELVES.search(text)
    if found is None:
        return None
    try:
        mode = await docker.ask("inspect", "--type", "container", "--format", "{{.HostConfig.NetworkMode}}", found[1])
    except DockerFailed:
        return None
    return found[1] if mode != "host" else None


async def _create(docker: Docker, name: str, label: str, *, joined: bool) -> bool:
    """Make the network; gives whether the machine has no address in it."""
    words = ("network", "create", "--driver", "bridge", "--internal", "--label", f"{LABEL}={label}")
    if joined and docker.version >= _ISOLATES:
        with contextlib.suppress(DockerFailed):
            await docker.ask(*words, *_NO_ADDRESS, name)
            return True
    for left in reversed(range(_TRIES)):
        # Which subnet is free, only the engine knows: it is asked for one, which is then taken with our own settings.
        await docker.ask(*words, name)
        subnet = await docker.ask("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", name)
        await docker.ask("network", "rm", name)
        try:
            await docker.ask(*words, *_no_route(subnet), name)
        except DockerFailed:
            if not left:  # else somebody may have been faster
                raise
        else:
            return False
    return False


def _no_route(subnet: str) -> tuple[str, ...]:
    """Options of a network in which the machine has the first address, and the route leads to the second, nobody's.

    Raises:
        DockerFailed: The engine gave no subnet of IPv4.
    """
    try:
        first = ipaddress.IPv4Network(subnet).network_address
    except ValueError:
        raise DockerFailed("its networks have no IPv4 addresses") from None
    nobody = f"DefaultGatewayIPv4={first + 2}"
    return ("--subnet", subnet, "--gateway", str(first + 1), "--aux-address", nobody)


async def _address(docker: Docker, name: str, ourselves: str | None) -> str:
    """Where a relay of ours can listen in a network."""
    if ourselves is not None:
        path = f'{{{{(index .NetworkSettings.Networks "{name}").IPAddress}}}}'
        address = await docker.ask("inspect", "--type", "container", "--format", path, ourselves)
    else:
        address = await docker.ask("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", name)
    address = address.partition("/")[0]
    if not re.fullmatch(r"[0-9.]+", address):
        raise DockerFailed("the network has no IPv4 address for us")
    return address
