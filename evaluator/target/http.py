"""The `http` target: the app as a server that is started in the ref's checkout; one request a case.

A server has one token at the gateway's door, and what it asks meanwhile belongs to the case that it answers. So each
process answers one case at a time; `servers: N` starts as many processes a ref, and answers as many cases at once.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import aiohttp

from evaluator.errors import TargetError
from evaluator.records import Case, Failure, FailureKind, JsonValue, Output, Side
from evaluator.sandbox import Cage
from evaluator.target.answer_record import read_plain
from evaluator.target.command import require_program
from evaluator.target.interface import Target
from evaluator.target.json_path import JsonPath, fill
from evaluator.target.metering import Meter, Metering
from evaluator.target.seats import Seats
from evaluator.target.server import Server
from evaluator.worker import WorkerFailure, parse_json, printable

MAX_ANSWER_BYTES = 4_000_000
DEFAULT_BODY: JsonValue = {"input": "$.input", "metadata": "$.metadata"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """How a case is asked, and where its answer is."""

    path: str = "/"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JsonValue = None
    """Template of the JSON that is sent, see `json_path.fill`; None for `DEFAULT_BODY`."""
    answer: JsonPath | None = None
    """None: the whole answer, as `answer_record.py` reads what a program wrote."""
    contexts: JsonPath | None = None
    timeout_s: float = 120.0


class HttpTarget(Target):
    """A server at one ref.

    Its latency is from the request to the answer's last byte; starting the server never counts.

    Args:
        side: Which ref it is of.
        argv: The program and its arguments; `{port}` in them stands for the port.
        cwd: The ref's checkout.
        env: The server's whole environment but for its port and its meter's: `worker.child_environment`.
        exchange: How a case is asked.
        port_env: The variable that tells the server its port.
        ready: Path that answers 2xx once it is ready; None if listening is enough.
        servers: How many processes, each of which answers one case at a time.
        start_timeout_s: How long it may take until it is ready.
        metering: How its model calls are metered; None if they are not.
        cage: What its processes may reach; None for no cage.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        side: Side,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        exchange: Exchange,
        port_env: str = "PORT",
        ready: str | None = None,
        servers: int = 1,
        start_timeout_s: float = 60.0,
        metering: Metering | None = None,
        cage: Cage | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = side
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self._exchange = exchange
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

        def make(slot: int) -> tuple[Server, Meter]:
            meter = Meter(metering, f"{side}-{slot}")
            server = Server(
                argv,
                cwd=cwd,
                env={**env, **meter.environment()},
                port_env=port_env,
                ready=ready,
                start_timeout_s=start_timeout_s,
                session=self._open_session,
                cage=cage,
            )
            return server, meter

        self._seats = Seats(make, servers)

    async def start(self) -> None:
        """Start all servers and wait until they are ready.

        Raises:
            TargetError: One cannot be started, ends, or is not ready in time.
        """
        require_program("target.http.run", self._argv, self._cwd, self._env, self.side)
        try:
            async with asyncio.TaskGroup() as group:
                for server, _ in self._seats.all:
                    group.create_task(server.url())
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
            if not isinstance(first, WorkerFailure):
                raise first from None
            hint = "the server must listen on 127.0.0.1, on the port that it is told, see `target.http.port_env`"
            raise TargetError(f"target.http: the server {first.message}, at {self.side}", hint=hint) from None

    async def close(self) -> None:
        """End all servers."""
        await asyncio.gather(*(server.stop() for server, _ in self._seats.all))
        if self._session is not None:
            await self._session.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask the server; an error status, a crash, a hang or a wrong answer is the output's failure."""
        async with self._seats.take() as (server, meter):
            asked_at: float | None = None
            # What a server asks before it is ready belongs to its start, also after a crash.
            async with meter.case(case, repeat, begun=server.is_ready, discard=partial(server.stop, 0)) as trace:
                try:
                    output, asked_at = await self._ask(server, case, repeat)
                except WorkerFailure as failure:
                    output = Output(failure=failure.as_failure())
            return meter.add(output, trace, asked_at=asked_at)

    async def _ask(self, server: Server, case: Case, repeat: int) -> tuple[Output, float | None]:
        try:
            body = self._body(case, repeat)
        except ValueError as error:
            message = f"target.http.body does not fit case {printable(case.id, 60)!r}: {error}"
            return Output(failure=Failure(FailureKind.INVALID_ANSWER, message)), None
        url = await server.url()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._exchange.headers}
        headers["X-Eval-Case"] = quote(case.id, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
        asked_at, whole = self._clock(), False
        try:
            async with self._open_session().request(
                self._exchange.method,
                url + self._exchange.path,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._exchange.timeout_s),
            ) as response:
                content = await _read(response)
                latency_s, status, whole = self._clock() - asked_at, response.status, True
        except TimeoutError:
            text = f"no answer within {self._exchange.timeout_s:g} s{server.last_words()}"
            raise WorkerFailure(FailureKind.HANG, text) from None
        except (aiohttp.ClientError, OSError) as error:
            ended = await server.why()
            text = ended or f"the connection broke: {printable(str(error) or type(error).__name__)}"
            raise WorkerFailure(FailureKind.CRASH, text + ("" if ended else server.last_words())) from None
        finally:  # also when cancelled: the server may be in the middle of the case
            if not whole:
                await server.stop(0)
        return self._read(content, status, latency_s), asked_at

    def _body(self, case: Case, repeat: int) -> bytes:
        values: dict[str, JsonValue] = {
            "input": case.input, "metadata": dict(case.metadata), "case": case.id, "repeat": repeat,
        }  # fmt: skip
        template = DEFAULT_BODY if self._exchange.body is None else self._exchange.body
        return json.dumps(fill(template, values), ensure_ascii=False).encode("utf-8", "replace")

    def _read(self, content: bytes, status: int, latency_s: float) -> Output:
        if not 200 <= status < 300:
            said = printable(content[:2_000].decode("utf-8", "backslashreplace"), 500)
            return Output(failure=Failure(FailureKind.CRASH, f"the app answered {status}: {said or 'nothing'}"))
        if self._exchange.answer is None:
            return read_plain(content, latency_s)
        try:
            return _found(parse_json(content), self._exchange, latency_s)
        except ValueError as error:
            message = f"the app's answer, at {self._exchange.answer.text}: {printable(str(error), 500)}"
            return Output(failure=Failure(FailureKind.INVALID_ANSWER, message))

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A connection a request: a server that closes idle ones must not look like one that fails.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise WorkerFailure(FailureKind.INVALID_ANSWER, f"answered more than {MAX_ANSWER_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _found(whole: JsonValue, exchange: Exchange, latency_s: float) -> Output:
    """The output that the paths lead to.

    Raises:
        ValueError: They lead nowhere.
    """
    value = exchange.answer.find(whole) if exchange.answer is not None else whole
    contexts = exchange.contexts.find(whole) if exchange.contexts is not None else []
    texts = [item for item in contexts if isinstance(item, str)] if isinstance(contexts, list) else None
    if texts is None or not isinstance(contexts, list) or len(texts) < len(contexts):
        raise ValueError(f"{exchange.contexts.text if exchange.contexts else '$'} is no list of texts")
    if value is None:
        raise ValueError("it is null")
    text = value if isinstance(value, str) else None
    return Output(text=text, data=None if text is not None else value, contexts=tuple(texts), latency_s=latency_s)
