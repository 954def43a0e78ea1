"""A stand-in provider, a gateway to it and an open door, for tests of the door."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from evaluator.config.model import PriceSection
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.door import Door, DoorSettings, Entrance, Slot, open_door, standard_routes
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import Provider
from tests.standin.provider import Answerer, StandIn, stand_in

KEY = "sk-secret-0123456789"
PRICES = Prices({"m": PriceSection(input=1.0, output=2.0, cached_input=0.5)})


@dataclass(frozen=True)
class Scene:
    """Everything that a test touches."""

    door: Entrance
    doors: Door
    slot: Slot
    server: StandIn
    gateway: Gateway

    def cost(self) -> float:
        """What the stand-in would charge by the prices here, writes to its cache at 1.25."""
        return sum(
            (row.given - row.cached + 0.25 * row.written + 0.5 * row.cached + 2 * row.made) / 1e6
            for row in self.server.log
        )


def providers(server: StandIn, **changes: Any) -> dict[str, Provider]:
    """The stand-in as three providers."""
    root = server.url.removesuffix("/v1")
    made = {
        "openai": Provider("openai", (server.url,), KEY, timeout_s=5.0, identity="openai"),
        "anthropic": Provider("anthropic", (root,), KEY, timeout_s=5.0, identity="anthropic"),
        "azure": Provider("azure", (root,), KEY, timeout_s=5.0, identity="azure"),
    }
    return {name: replace(provider, **changes) for name, provider in made.items()}


@asynccontextmanager
async def scene(
    answer: Answerer, folder: Path, *, budget: Budget | None = None, settings: DoorSettings | None = None,
    run_id: str = "r1", prices: Prices = PRICES, **changes: Any,
) -> AsyncIterator[Scene]:  # fmt: skip
    """Set all of it up, with one slot."""
    async with stand_in(answer) as server:
        behind = providers(server, **changes)
        store = AnswerStore(folder / "answers.sqlite")
        try:
            async with (
                Gateway(behind, store=store, prices=prices, budget=budget or Budget(), run_id=run_id) as gateway,
                open_door(gateway, standard_routes(behind), sides=("head", "base"), settings=settings) as door,
            ):
                yield Scene(door.entrances["head"], door, door.entrances["head"].slot("head-0"), server, gateway)
        finally:
            store.close()


def body(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """A chat completion's request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 16, **fields}


@dataclass(frozen=True)
class Got:
    """An answer as an app sees it."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.content)

    @property
    def events(self) -> list[Any]:
        """The data of its events."""
        lines = [line[6:] for line in self.content.decode().splitlines() if line.startswith("data: ")]
        return [json.loads(line) if line != "[DONE]" else line for line in lines]


async def post(
    scene: Scene, path: str, sent: object, *, token: str | None = None, headers: Mapping[str, str] | None = None,
    method: str = "POST",
) -> Got:  # fmt: skip
    """Ask the door as plain HTTP."""
    given = {"Authorization": f"Bearer {token or scene.slot.token}", "Content-Type": "application/json"}
    data = io.BytesIO(sent if isinstance(sent, bytes) else json.dumps(sent).encode())
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            URL(scene.door.url + path, encoded=True),
            data=data,
            headers=given | dict(headers or {}),
            allow_redirects=False,
        ) as response,
    ):
        return Got(response.status, response.headers, await response.read())


async def raw(scene: Scene, request: bytes) -> bytes:
    """Send bytes to the door and read until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.door.port)
    writer.write(request)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
