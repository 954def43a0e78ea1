"""The network of one side's containers: an internal one whose only other member is our relay, or the one we are in.

Older engines give containers of an internal network a default route all the same, and hold it by firewall rules alone:
without those (`--iptables=false`) there is a way to every address of the machine and beyond. So the route is led to an
address that nobody has; without capabilities no container can set another.
"""

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.errors import TargetError
from evaluator.records import Side
from evaluator.target.container.client import DockerFailed
from evaluator.target.container.engine import Engine, refusals
from evaluator.target.container.relay import Relay

_OURSELVES = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)\b")
_NO_ADDRESS = {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}
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
    """For `NetworkMode`."""
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
    engine: Engine, ourselves: str | None, *, name: str, labels: Mapping[str, str], side: Side, door: int | None
) -> Way:
    """Make an internal network, and a relay in it.

    Args:
        engine: The engine.
        ourselves: Our own container, which has a network of its own; None if we are on the engine's machine.
        name: The network's name.
        labels: The run's.
        side: Whose.
        door: The gateway's port; None for apps that are only started.

    Raises:
        TargetError: The engine allows none, or its address cannot be had here. What was made is left to `remove`.
    """
    try:
        isolated = await _create(engine, name, labels, joined=ourselves is not None)
        if ourselves is not None:
            with refusals():
                await (await engine.api.networks.get(name)).connect({"Container": ourselves})
        address = await _address(engine, name, ourselves)
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


async def remove(engine: Engine, name: str, joined: str | None) -> None:
    """Remove a network, ourselves first; one that is not there is no error."""
    with contextlib.suppress(DockerFailed), refusals():
        network = await engine.api.networks.get(name)
        if joined is not None:
            with contextlib.suppress(DockerFailed), refusals():
                await network.disconnect({"Container": joined, "Force": True})
        await network.delete()


async def find_ourselves(engine: Engine, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The ID of the container that we run in, if it is this engine's and has a network of its own; else None."""
    text = await asyncio.to_thread(mounts.read_text, "utf-8", "replace") if mounts.exists() else ""
    found = _OURSELVES.search(text)
    if found is None:
        return None
    try:
        with refusals():
            told = await engine.api.containers.container(found[1]).show()
    except DockerFailed:
        return None
    return found[1] if told["HostConfig"]["NetworkMode"] != "host" else None


async def _create(engine: Engine, name: str, labels: Mapping[str, str], *, joined: bool) -> bool:
    """Make the network; gives whether the machine has no address in it."""
    config: dict[str, Any] = {
        "Name": name, "CheckDuplicate": True, "Driver": "bridge", "Internal": True, "EnableIPv6": False,
        "Labels": dict(labels),
    }  # fmt: skip
    if joined and engine.version >= _ISOLATES:
        with contextlib.suppress(DockerFailed), refusals():
            await engine.api.networks.create({**config, "Options": _NO_ADDRESS})
            return True
    for left in reversed(range(_TRIES)):
        # Which subnet is free, only the engine knows: it is asked for one, which is then taken with our own settings.
        with refusals():
            network = await engine.api.networks.create(config)
            ours = _no_route(_ipam(await network.show()).get("Subnet", ""))
            await network.delete()
        try:
            with refusals():
                await engine.api.networks.create({**config, "IPAM": {"Driver": "default", "Config": [ours]}})
        except DockerFailed:
            if not left:  # else somebody may have been faster
                raise
        else:
            return False
    return False


def _ipam(network: Mapping[str, Any]) -> dict[str, str]:
    configs = (network.get("IPAM") or {}).get("Config") or [{}]
    return dict(configs[0])


def _no_route(subnet: str) -> dict[str, Any]:
    """Addresses of a network in which the machine has the first, and the route leads to the second, nobody's.

    Raises:
        DockerFailed: The engine gave no subnet of IPv4.
    """
    try:
        first = ipaddress.IPv4Network(subnet).network_address
    except ValueError:
        raise DockerFailed("its networks have no IPv4 addresses") from None
    nobody = {"DefaultGatewayIPv4": str(first + 2)}
    return {"Subnet": subnet, "Gateway": str(first + 1), "AuxiliaryAddresses": nobody}


async def _address(engine: Engine, name: str, ourselves: str | None) -> str:
    """Where a relay of ours can listen in a network."""
    with refusals():
        if ourselves is not None:
            told = await engine.api.containers.container(ourselves).show()
            address = str(told["NetworkSettings"]["Networks"].get(name, {}).get("IPAddress", ""))
        else:
            address = _ipam(await (await engine.api.networks.get(name)).show()).get("Gateway", "")
    address = address.partition("/")[0]
    if not re.fullmatch(r"[0-9.]+", address):
        raise DockerFailed("the network has no IPv4 address for us")
    return address
