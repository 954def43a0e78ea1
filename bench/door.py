"""Measures what the HTTP door costs: CPU a call beside a bare aiohttp forwarder, and the first token of a stream.

    python bench/door.py

Three processes: a provider that answers at once, the forwarder under test, and the load here. CPU is the forwarder's
own, so calls a second of one core are its reciprocal. Rounds of the forwarders take turns; medians are printed. The
door meters, prices, checks the budget and keeps every answer on disk; each request is another one.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1]))
from evaluator.config.model import PriceSection
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.door import Slot, open_door, standard_routes
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import Provider
from tests.standin.replies import Reply, chat_events, chat_whole

CALLS, IN_FLIGHT, ROUNDS = 3000, 32, 5
STREAMS, STREAM_ROUNDS = 120, 3
FIRST_TOKEN_S = 0.02
PATH = "/v1/chat/completions"
REPLY = Reply("The parcel left our warehouse on Monday.")
KINDS = {
    "aiohttp, bare": "a forwarder that reads and writes, no more",
    "door": "metered, priced, answers kept",
    "door, capped": "the same under a budget in dollars",
    "door, price list": "the same, prices from the list instead of the config",
    "door, kept answers": "every answer from the store",
}


async def provider() -> None:
    """Answer at once; a stream's first token after a fixed time."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = json.loads(await request.read())
        if not body.get("stream"):
            return web.Response(body=whole, content_type="application/json")
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await out.prepare(request)
        await asyncio.sleep(FIRST_TOKEN_S)
        for _, event in chat_events(body, REPLY):
            await out.write(event.encode())
        return out

    whole = json.dumps(chat_whole({"model": "m", "messages": "x" * 400}, REPLY)).encode()
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def bare(url: str) -> None:
    """Forward and know nothing."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False) as session:

        async def forward(request: web.BaseRequest) -> web.StreamResponse:
            body = await request.read()
            headers = {"Content-Type": "application/json"}
            async with session.post(url + request.raw_path, data=body, headers=headers) as got:
                if got.content_type != "text/event-stream":
                    return web.Response(body=await got.read(), content_type="application/json")
                out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await out.prepare(request)
                async for piece in got.content.iter_any():
                    await out.write(piece)
                return out

        runner = web.ServerRunner(web.Server(forward, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await serve(f"http://127.0.0.1:{runner.addresses[0][1]}", "none", None)
        await runner.cleanup()


async def door(url: str, kind: str) -> None:
    """Forward through the door."""
    prices = Prices({"m": PriceSection(input=1.0, output=2.0)} if "list" not in kind else {})
    behind = {"openai": Provider("openai", (f"{url}/v1",), "sk-key", price_provider="openai")}
    budget = Budget(max_usd=1e9) if "capped" in kind or "list" in kind else Budget()
    with tempfile.TemporaryDirectory() as folder:
        store = AnswerStore(Path(folder) / "answers.sqlite")
        async with (
            Gateway(behind, store=store, prices=prices, budget=budget, run_id="bench") as gateway,
            open_door(gateway, standard_routes(behind)) as opened,
        ):
            entrance = opened.entrances["head"]
            slot = entrance.slot("bench")
            await serve(entrance.url, slot.token, slot)
        store.close()


async def serve(url: str, token: str, slot: Slot | None) -> None:
    """Tell where we are; then, for each line on standard input, begin a case and tell the CPU seconds used so far."""
    print(json.dumps({"url": url, "token": token}), flush=True)
    with ExitStack() as stack:
        while await asyncio.to_thread(sys.stdin.readline):
            stack.close()
            if slot is not None:  # asked again in a new case, a request finds its first answer
                stack.enter_context(slot.case("all"))
            print(time.process_time(), flush=True)


class Forwarder:
    """A process under test."""

    def __init__(self, *words: str) -> None:
        """Start it."""
        command = [sys.executable, __file__, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = json.loads(self._line())
        self.url, self.token = told["url"], told.get("token", "none")

    def cpu_s(self) -> float:
        """CPU seconds that it has used."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._line())

    def stop(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def started(make: Callable[[], Forwarder]) -> Iterator[Forwarder]:
    """A forwarder for as long as the block lasts."""
    forwarder = make()
    try:
        yield forwarder
    finally:
        forwarder.stop()


def request_of(forwarder: Forwarder, number: int, **more: Any) -> bytes:
    """One small request, another one for each number, as bytes."""
    fields = {"model": "gpt-5-mini" if "list" in str(forwarder.process.args) else "m", "max_tokens": 64, **more}
    message = {"role": "user", "content": f"{number:12}" + "x" * 388}
    body = json.dumps({**fields, "messages": [message]}).encode()
    host = forwarder.url.removeprefix("http://")
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {forwarder.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(forwarder: Forwarder, first: int) -> tuple[float, float]:
    """(CPU milliseconds a call, calls a second by the clock) at the usual concurrency."""

    async def one(start: int) -> None:
        reader, writer = await asyncio.open_connection(*address(forwarder))
        for number in range(start, first + CALLS, IN_FLIGHT):
            writer.write(request_of(forwarder, number))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head[:20], head
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
        writer.close()

    cpu, wall = forwarder.cpu_s(), time.perf_counter()
    await asyncio.gather(*(one(first + n) for n in range(IN_FLIGHT)))
    wall = time.perf_counter() - wall
    return (forwarder.cpu_s() - cpu) / CALLS * 1000, CALLS / wall


def address(forwarder: Forwarder) -> tuple[str, int]:
    """Host and port."""
    host, _, port = forwarder.url.removeprefix("http://").partition(":")
    return host, int(port)


async def first_token(forwarder: Forwarder, number: int) -> float:
    """Milliseconds until the first token of a stream."""
    reader, writer = await asyncio.open_connection(*address(forwarder))
    started_at = time.perf_counter()
    writer.write(request_of(forwarder, number, stream=True))
    await reader.readuntil(b'"content": "The ')
    passed = time.perf_counter() - started_at
    await reader.readuntil(b"[DONE]")
    writer.close()
    return passed * 1000


def main() -> None:
    """Measure and print both tables."""
    with started(lambda: Forwarder("provider")) as behind:
        url = behind.url
        forwarders = {name: Forwarder("bare" if name == "aiohttp, bare" else "door", url, name) for name in KINDS}
        try:
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in KINDS}
            for turn in range(ROUNDS + 1):  # the first one opens connections and fills the store
                for name, forwarder in forwarders.items():
                    first = 0 if name == "door, kept answers" else turn * CALLS
                    got = asyncio.run(load(forwarder, first))
                    found[name] += [got] if turn else []
            print_calls(found)
            times: dict[str, list[float]] = {"direct": [], "aiohttp, bare": [], "door": []}
            for number in range(STREAMS * STREAM_ROUNDS):
                for name, measured in times.items():
                    asked = behind if name == "direct" else forwarders[name]
                    measured.append(asyncio.run(first_token(asked, 10_000_000 + number)))
            print_streams(times)
        finally:
            for forwarder in forwarders.values():
                forwarder.stop()


def print_calls(found: dict[str, list[tuple[float, float]]]) -> None:
    """One row a forwarder."""
    heads = f"{'CPU ms a call':>13} {'calls/s a core':>14} {'by the clock':>12} {'to bare':>7}"
    print(f"{'forwarder':20} {heads}  what it does")
    plain = statistics.median(cpu for cpu, _ in found["aiohttp, bare"])
    for name, rounds in found.items():
        cpu = statistics.median(cpu for cpu, _ in rounds)
        clock = statistics.median(rate for _, rate in rounds)
        print(f"{name:20} {cpu:13.3f} {1000 / cpu:14.0f} {clock:12.0f} {cpu / plain:7.2f}  {KINDS[name]}")


def print_streams(times: dict[str, list[float]]) -> None:
    """One row a way."""
    print(f"\n{'first token':20} {'median ms':>13} {'added ms':>14} {'p95 ms':>12}")
    plain = statistics.median(times["direct"])
    for name, all_of in times.items():
        middle = statistics.median(all_of)
        print(f"{name:20} {middle:13.2f} {middle - plain:14.2f} {statistics.quantiles(all_of, n=20)[-1]:12.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["provider"]:
        asyncio.run(provider())
    elif sys.argv[1:2] == ["bare"]:
        asyncio.run(bare(sys.argv[2]))
    elif sys.argv[1:2] == ["door"]:
        asyncio.run(door(sys.argv[2], sys.argv[3]))
    else:
        main()
