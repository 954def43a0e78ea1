"""One case of an app that is a server: the request, and where its answer is. Who starts the server is not told here."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import aiohttp

from evaluator.records import Case, Failure, FailureKind, JsonValue, Output
from evaluator.target.answer_record import read_plain
from evaluator.target.json_path import JsonPath, fill
from evaluator.worker import WorkerFailure, parse_json, printable

MAX_ANSWER_BYTES = 4_000_000
PROBE_S = 5.0
"""How long a server may take to tell whether it is ready."""
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


class Asked(Protocol):
    """A server that is started when it is needed; `server.Server` is one, a container another."""

    async def url(self) -> str:
        """Where it listens; started and ready.

        Raises:
            WorkerFailure: CRASH or HANG.
        """
        ...

    async def why(self) -> str | None:
        """How it ended, or None if it runs on."""
        ...

    def last_words(self) -> str:
        """The end of what it wrote, for a message."""
        ...

    async def stop(self, grace_s: float = 0.0) -> None:
        """End it."""
        ...


class Asking:
    """Asks servers.

    Args:
        exchange: How.
        key: Where the config says so, for messages.
        clock: Seconds, for latencies.
    """

    def __init__(self, exchange: Exchange, *, key: str, clock: Callable[[], float] = time.perf_counter) -> None:
        """Only store the arguments; see the class."""
        self._exchange = exchange
        self._key = key
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, server: Asked, case: Case, repeat: int) -> tuple[Output, float | None]:
        """Ask one case; gives the output, and when the server was asked.

        Raises:
            WorkerFailure: CRASH, HANG or INVALID_ANSWER; the server is stopped then.
        """
        try:
            body = self._body(case, repeat)
        except ValueError as error:
            message = f"{self._key}.body does not fit case {printable(case.id, 60)!r}: {error}"
            return Output(failure=Failure(FailureKind.INVALID_ANSWER, message)), None
        url = await server.url()
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self._exchange.headers}
        headers["X-Eval-Case"] = quote(case.id, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
        asked_at, whole = self._clock(), False
        try:
            async with self.session().request(
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

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    def session(self) -> aiohttp.ClientSession:
        """What requests are made with."""
        if self._session is None:
            # A connection a request: a server that closes idle ones must not look like one that fails.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

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


async def why_not_ready(session: aiohttp.ClientSession, url: str, path: str | None) -> str | None:
    """What a server that listens says to the question if it is ready; None if it is.

    Args:
        session: To ask with.
        url: Where it listens.
        path: Answers 2xx once it is ready; None if listening is enough.
    """
    if path is None:
        return None
    try:
        timeout = aiohttp.ClientTimeout(total=PROBE_S)
        async with session.get(url + path, allow_redirects=False, timeout=timeout) as response:
            return None if 200 <= response.status < 300 else f"{path} answers {response.status}"
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return f"{path}: {printable(str(error) or type(error).__name__, 200)}"


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
