"""Measures what a call costs us: our gateway, a bare aiohttp client and the official client, in the same run.

    python bench/transport.py

CPU seconds of this process a call, against a stand-in in a process of its own that answers after 50 ms.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.interface import ChatRequest
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import Provider
from tests.standin.provider import stand_in

CALLS = 600
IN_FLIGHT = (8, 32, 128)
DELAY_S = 0.05


async def serve() -> None:
    """The stand-in's process: print the address, answer until standard input ends."""

    async def answer(body: object, number: int) -> str:
        await asyncio.sleep(DELAY_S)
        return "ok"

    async with stand_in(answer) as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def measure(ask: Callable[[int], Awaitable[Any]], in_flight: int) -> tuple[float, float]:
    """(CPU milliseconds a call, wall time as a multiple of the ideal)."""
    places = asyncio.Semaphore(in_flight)

    async def one(number: int) -> None:
        async with places:
            await ask(number)

    await asyncio.gather(*(one(-number - 1) for number in range(in_flight)))  # connections are opened before
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(CALLS)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / CALLS * 1000, wall / (CALLS / in_flight * DELAY_S)


async def bench(url: str) -> None:
    """Print one row a client and concurrency."""
    print(f"{'client':24} {'in flight':>9} {'CPU ms a call':>14} {'wall / ideal':>13}")
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}
    for in_flight in IN_FLIGHT:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def bare(number: int, session: aiohttp.ClientSession = session) -> None:
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    await response.json()

            print_row("aiohttp, bare", in_flight, *await measure(bare, in_flight))
        with tempfile.TemporaryDirectory() as folder:
            store = AnswerStore(Path(folder) / "answers.sqlite")
            parts: Any = {"store": store, "prices": Prices({}), "budget": Budget(), "run_id": "bench"}
            async with Gateway({"p": Provider("p", (url,))}, **parts) as gateway:
                caller = gateway.caller()

                async def ours(number: int, caller: Any = caller) -> None:
                    message: Any = {"role": "user", "content": f"{number:8}" + "x" * 392}
                    await caller.chat(ChatRequest("p", "m", (message,), {}))

                print_row("our gateway", in_flight, *await measure(ours, in_flight))
            store.close()
        from openai import AsyncOpenAI

        async with AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:

            async def official(number: int, client: Any = client) -> None:
                await client.chat.completions.create(**body)

            print_row("openai, official", in_flight, *await measure(official, in_flight))


def print_row(name: str, in_flight: int, cpu_ms: float, ratio: float) -> None:
    """One line of the table."""
    print(f"{name:24} {in_flight:9} {cpu_ms:14.2f} {ratio:13.2f}", flush=True)


def main() -> None:
    """Start the stand-in and measure."""
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        asyncio.run(bench(server.stdout.readline().strip()))
        server.stdin.close()


if __name__ == "__main__":
    asyncio.run(serve()) if sys.argv[1:] == ["serve"] else main()
