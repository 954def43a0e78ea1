"""A model provider for benches, in a process of its own: answers after a fixed time and keeps its own log of latencies.

Written on bare asyncio, so that it is not the one who is slow. Where it is all the same, the time that a request lay in
its socket counts as its own: the log begins when the kernel had the request, to a tick of the kernel's clock (Linux).
What it answers hangs on the request alone.
"""

import asyncio
import json
import re
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LAST_RECEIVED = struct.Struct("=52xI")
"""Of `struct tcp_info`: `tcpi_last_data_recv`, milliseconds ago."""
_TICK_S = 0.004
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Running:
    """A stand-in that is running."""

    url: str
    process: "subprocess.Popen[str]"

    def tell(self) -> dict[str, Any]:
        """What it saw since it was last asked: `latencies` in seconds, `seen` by request, `most` at once."""
        return self._ask("tell")

    def different(self) -> int:
        """How many different requests it has had since then."""
        return int(self._ask("count")["different"])

    def _ask(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def cpu_s(self) -> float:
        """CPU seconds that it has used."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / 100


@contextmanager
def provider(delay_s: float) -> Iterator[Running]:
    """Run a stand-in for as long as the context lasts."""
    command = [sys.executable, __file__, str(delay_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Running(process.stdout.readline().strip(), process)
        process.stdin.close()


class _Seen:
    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.clear()
        self.open = 0

    def clear(self) -> None:
        self.latencies: list[float] = []
        self.began: list[float] = []
        self.requests: dict[int, int] = {}
        self.most = 0


class _Connection(asyncio.Protocol):
    def __init__(self, seen: _Seen) -> None:
        self._seen = seen
        self._given = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        began = time.perf_counter() - self._lain_s()
        self._given += data
        head, found, body = self._given.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._given = b""
        seen = self._seen
        key = zlib.crc32(body)
        seen.requests[key] = seen.requests.get(key, 0) + 1
        seen.open += 1
        seen.most = max(seen.most, seen.open)
        answer = _answer(body, key)
        if seen.delay_s:
            asyncio.get_running_loop().call_later(seen.delay_s, self._say, answer, began)
        else:
            self._say(answer, began)

    def _lain_s(self) -> float:
        """How long what has come lay in the socket; 0 below a tick."""
        if sys.platform != "linux":
            return 0.0
        size = _LAST_RECEIVED.size
        told = self._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
        (milliseconds,) = _LAST_RECEIVED.unpack(told)
        return milliseconds / 1000 if milliseconds / 1000 > _TICK_S else 0.0

    def _say(self, answer: bytes, began: float) -> None:
        self._seen.open -= 1
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        now = time.perf_counter()
        self._seen.began.append(began)
        self._seen.latencies.append(now - began)


def _answer(body: bytes, key: int) -> bytes:
    judged = b'"response_format"' in body
    text = (
        json.dumps({"reasoning": "It says so.", "score": 3 + key % 3})
        if judged
        else f"answer {key} {key % 7} " + "." * 200
    )
    message = {"role": "assistant", "content": text, "refusal": None}
    said = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_767_000_000,
            "model": "m",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": len(body) // 4, "completion_tokens": 60, "total_tokens": len(body) // 4 + 60},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
    return head.encode() + said


async def _serve(delay_s: float) -> None:
    seen = _Seen(delay_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(seen), "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    while word := await asyncio.to_thread(sys.stdin.readline):
        if word == "count\n":
            print(json.dumps({"different": len(seen.requests)}), flush=True)
            continue
        ends = [began + took for began, took in zip(seen.began, seen.latencies, strict=True)]
        told = {
            "latencies": seen.latencies,
            "wall_s": max(ends, default=0.0) - min(seen.began, default=0.0),
            "asked": sum(seen.requests.values()),
            "different": len(seen.requests),
            "most": seen.most,
        }
        print(json.dumps(told), flush=True)
        seen.clear()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
