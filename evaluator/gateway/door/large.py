"""Reads large JSON texts in another process: Python reads one in a single go, which would hold up everybody else.

Read and written again, 8 MB of long strings take 30 to 70 ms, of chat messages 300 ms, of empty lists or numbers 700 to
900 ms (one core, Python 3.11).
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluator.errors import InfrastructureError
from evaluator.gateway.door.reading import Asked, NotJson, json_object, read_request

LARGE_BYTES = 250_000
"""From this size on a text is read elsewhere; below it takes 30 ms at most."""
_CHILD = Path(__file__).with_name("large_child.py")
_LONGEST_LINE = 4_000_000


@dataclass(slots=True)
class LargeReader:
    """The reading process of one side; started when it is first needed, and again if it breaks.

    Args:
        patience_s: How long it may take for one text.
    """

    patience_s: float
    _process: asyncio.subprocess.Process | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def request(
        self, body: bytes, *, extras: Mapping[str, Any], token: str, on_demand: bool, drop_usage: bool = False
    ) -> tuple[Asked, bytes]:
        """See `reading.read_request`.

        Raises:
            NotJson: It is no JSON object, or cannot be read in the time and memory that there are.
        """
        if len(body) < LARGE_BYTES:
            return read_request(body, extras=extras, token=token, on_demand=on_demand, drop_usage=drop_usage)
        order = {
            "answer": False, "extras": dict(extras), "token": token, "on_demand": on_demand, "drop_usage": drop_usage,
        }  # fmt: skip
        told, sent = await self._ask(order, body)
        return Asked(**told["asked"]), sent

    async def answer(self, body: bytes) -> dict[str, Any]:
        """The fields of an answer; of a large one without what tells nothing about its cost.

        Raises:
            NotJson: As for a request.
        """
        if len(body) < LARGE_BYTES:
            return json_object(body, strict=False)
        told, _ = await self._ask({"answer": True}, body)
        fields: dict[str, Any] = told["fields"]
        return fields

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _ask(self, order: Mapping[str, Any], text: bytes) -> tuple[dict[str, Any], bytes]:
        async with self._turn:
            done = False
            try:
                async with asyncio.timeout(self.patience_s):
                    told, sent = await self._exchange(order, text)
                done = True
            except TimeoutError:
                raise NotJson(f"the body cannot be read within {self.patience_s:g} s") from None
            except (OSError, EOFError, ValueError):  # it ran out of memory where Python cannot say so
                raise NotJson("the body cannot be read in the memory that there is") from None
            finally:
                if not done:  # also when cancelled: the next must not read what is left of this one
                    await self.close()
        if "refused" in told:
            raise NotJson(told["refused"])
        return told, sent

    async def _exchange(self, order: Mapping[str, Any], text: bytes) -> tuple[dict[str, Any], bytes]:
        process = self._process or await self._start()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the reader was started without pipes")
        process.stdin.write(json.dumps({**order, "size": len(text)}).encode() + b"\n")
        process.stdin.write(text)
        await process.stdin.drain()
        line = await process.stdout.readline()
        told: dict[str, Any] = json.loads(line or b"x")
        return told, await process.stdout.readexactly(told["size"])

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-E", "-s", "-S", str(_CHILD), env={}, limit=_LONGEST_LINE,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            raise InfrastructureError(f"a process for reading large requests cannot be started: {error}") from None
        return self._process
