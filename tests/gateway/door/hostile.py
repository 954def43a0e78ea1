"""An app that holds on to everything that it can get of the door; a program of its own, and a real client.

    python hostile.py HEAD_PORT HEAD_TOKEN BASE_PORT

Says "held" once it holds it all, and goes on until it is killed.
"""

import asyncio
import json
import resource
import sys

CONNECTIONS = 2800
FLOODS = 24


def head_of(port: int, token: str, length: str = "Content-Length: 9", path: str = "/v1/chat/completions") -> bytes:
    """A request's headers."""
    named = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{named}{length}\r\n\r\n".encode()


def request_of(port: int, token: str, **fields: object) -> bytes:
    """A whole request."""
    message = {"role": "user", "content": "hello"}
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [message], **fields}).encode()
    return head_of(port, token, f"Content-Length: {len(body)}") + body


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; refused ones are tried again."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)


async def hold(port: int, first: bytes, drip: bytes, began: asyncio.Semaphore) -> None:
    """Say the first words, and then as little as keeps a connection up; come back where it is cut off."""
    while True:
        _reader, writer = await connect(port)
        try:
            writer.write(first)
            began.release()
            while not writer.is_closing():
                await asyncio.sleep(0.2)
                writer.write(drip)
                await writer.drain()
        except OSError:
            await asyncio.sleep(0.05)
        finally:
            writer.close()


async def flood(port: int, said: bytes) -> None:
    """Ask again and again, as fast as it goes."""
    while True:
        reader, writer = await connect(port)
        try:
            while not reader.at_eof():
                writer.write(said)
                await writer.drain()
                await reader.read(65_536)
        except OSError:
            await asyncio.sleep(0.01)
        finally:
            writer.close()


async def main(port: int, token: str, other: int) -> None:
    """Hold it all."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if 0 < hard < 4096 else 4096, hard))
    chunked = head_of(port, token, "Transfer-Encoding: chunked")
    stream = request_of(port, token, stream=True)
    large = json.dumps({"model": "m", "messages": [[]] * 300_000}).encode()
    ways = [
        (port, b"POST /v1/chat", b"x"),  # headers that do not end, without a token
        (other, b"POST /v1/chat", b"x"),
        (port, head_of(port, token)[:-2] + b"X-A: ", b"x"),  # with one
        (port, head_of(port, token, "Content-Length: 60000000"), b"x"),  # all the memory, promised
        (port, chunked, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),  # all the memory, sent
        (port, stream * 50, b""),  # calls in flight, and more behind them in the pipe
        (other, request_of(other, token), b"x"),  # the other side's port with our token
    ]
    floods = [
        (port, head_of(port, "") + b"x" * 9),
        (other, head_of(other, "") + b"x" * 9),
        (port, head_of(port, token, path="/nowhere") + b"x" * 9),
        (port, head_of(port, token, f"Content-Length: {len(large)}") + large),
    ]
    each = CONNECTIONS // len(ways)
    began = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(hold(*way, began)) for way in ways for _ in range(each)]
    tasks += [asyncio.create_task(flood(*way)) for way in floods for _ in range(FLOODS // len(floods))]
    for _ in range(each * len(ways)):
        await began.acquire()
    print("held", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
