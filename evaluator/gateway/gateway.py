"""The gateway: the only way out to a model provider. Forwards, meters, prices, paces, caches and caps the spend."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from evaluator.errors import ConfigError, InfrastructureError, ProviderError
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore, StoredAnswer, request_key
from evaluator.gateway.interface import ChatAnswer, ChatRequest, EmbeddingAnswer
from evaluator.gateway.meter import is_complete, read_chat, read_embeddings, read_usage
from evaluator.gateway.outbox import Outbox
from evaluator.gateway.pace import NOTHING, Ending, Pace, PatienceSpent
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import Provider
from evaluator.gateway.retry import RetryPolicy, with_retries
from evaluator.gateway.transport import NEVER_CHARGED, AttemptFailed, Exchange, open_session, post_json
from evaluator.gateway.wire import Wire, make_wire
from evaluator.records import INFRASTRUCTURE_KINDS, Call, FailureKind, Usage

_GIVE_UP_AFTER = 8
"""Calls in a row that fail for good before a provider counts as down."""


@dataclass(slots=True)
class _Turn:
    """Who asks for the same answer takes turns: the first asks, the others find it kept."""

    asked: dict[bytes, "_Turn"]
    """Where it stands for as long as somebody asks or waits."""
    key: bytes
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    async def __aenter__(self) -> None:
        """Wait for the others."""
        self.waiting += 1
        try:
            await self.lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Let the next one in."""
        self.lock.release()
        self._leave()

    def _leave(self) -> None:
        self.waiting -= 1
        if self.waiting == 0:
            self.asked.pop(self.key, None)


class ProviderDown(InfrastructureError):
    """A provider does not work at all, so the run stops instead of failing case by case."""


class Gateway:
    """All calls of one run; use as an async context manager, and hand out `caller(...)`."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        store: AnswerStore,
        prices: Prices,
        budget: Budget,
        run_id: str,
        policy: RetryPolicy | None = None,
        outbox: Outbox | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what was set up elsewhere; nothing is opened before the context is entered.

        With an outbox nothing is sent: what the store has no answer to is put there, for a batch.
        """
        self._spent_before, self._calls_before = budget.spent_usd, budget.calls
        self._providers = providers
        self.store, self.prices, self.budget, self.run_id = store, prices, budget, run_id
        self._policy = policy or RetryPolicy()
        self.outbox = outbox
        self._now = now
        self.pace = Pace(now=now)
        self._session: aiohttp.ClientSession | None = None
        self._asked: dict[bytes, _Turn] = {}
        self._free: dict[str, asyncio.Queue[str]] = {}
        self._failed_in_a_row: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = open_session()
        for provider in self._providers.values():
            if provider.exclusive:
                queue: asyncio.Queue[str] = asyncio.Queue()
                for url in provider.base_urls:
                    queue.put_nowait(url)
                self._free[provider.name] = queue
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session and the outbox; the store is its owner's to close."""
        try:
            if self.outbox is not None:
                self.outbox.clear()
        finally:
            if self._session is not None:
                await self._session.close()

    @property
    def spent_usd(self) -> float:
        """Charged by providers in this process, retries included; cached answers cost nothing."""
        return self.budget.spent_usd - self._spent_before

    @property
    def total_spent_usd(self) -> float:
        """Charged against the budget, by earlier processes of this run too."""
        return self.budget.spent_usd

    @property
    def keys(self) -> frozenset[str]:
        """The providers' real keys that may be sent, so that reports can be searched for them."""
        return frozenset(provider.api_key for provider in self._providers.values() if provider.api_key)

    @property
    def calls(self) -> int:
        """Calls sent by this process."""
        return self.budget.calls - self._calls_before

    @property
    def total_calls(self) -> int:
        """Calls charged against the budget, by earlier processes of this run too."""
        return self.budget.calls

    def charge(self, spent_usd: float, calls: int) -> None:
        """Count what was spent elsewhere: by another run of the same job, or by a batch. One budget holds for all."""
        self.budget.charge(spent_usd, calls)

    def caller(self, scope: str = "", *, party: str = "") -> "Caller":
        """A door to this gateway whose answers are shared, through the cache, with callers of the same scope.

        What is asked through it is spent by `party`; see `Budget`.
        """
        return Caller(self, scope, party)

    def provider(self, name: str) -> Provider:
        """The provider of a name.

        Raises:
            ConfigError: It was not set up for this run.
        """
        try:
            return self._providers[name]
        except KeyError:
            raise ConfigError(f"provider '{name}' is not described", hint="describe it under `providers:`") from None

    async def send(self, wire: Wire, *, scope: str, repeat: int) -> tuple[Mapping[str, Any], Call]:
        """Answer a request from the store or from the provider.

        The same request that is in flight already is waited for, not sent twice.
        """
        provider = wire.provider
        key = request_key(scope, provider.identity or provider.base_urls[0], wire.path, wire.body, repeat)
        async with self.turn(key):
            stored = self.store.get(key)
            if stored is not None:
                fresh = self.outbox is not None and self.outbox.take_fresh(key)
                return stored.body, self._metered(wire, stored, cached=not fresh)
            if self.outbox is not None:
                raise self.outbox.put(
                    key, provider.name, wire.path, wire.model, wire.body,
                    worst_usd=self._worst_usd(wire), inputs=wire.inputs,
                )  # fmt: skip
            answer = await self._ask(wire)
            await self.store.keep(key, answer)
            return answer.body, self._metered(wire, answer, cached=False)

    def turn(self, key: bytes) -> "_Turn":
        """Wait, in this context, for whoever asks the same at the moment, so that the answer is then found kept."""
        turn = self._asked.get(key)
        if turn is None:
            turn = self._asked[key] = _Turn(self._asked, key)
        return turn

    def _worst_usd(self, wire: Wire) -> float:
        """The most that a request can cost; 0 if its model has no price, and no budget asks for one."""
        worst = self.prices.cost(wire.model, wire.worst, price_provider=wire.provider.price_provider)
        if worst is None and self.budget.max_usd is not None:
            raise ConfigError(
                f"model '{wire.model[:80]}' has no known price, so a budget in dollars cannot be kept",
                hint="add its price under `prices:`, in dollars per million tokens",
            )
        return worst or 0.0

    async def _ask(self, wire: Wire) -> StoredAnswer:
        worst_usd = self._worst_usd(wire)
        line = self.pace.line(wire.provider.name, wire.model, wire.provider.limits)
        ticket, size = line.ticket(), len(wire.body)
        longest = None if wire.most is None else wire.most.output_tokens

        async def attempt() -> Exchange:
            turn = line.enter(size, longest)
            if turn is None:
                turn = await line.wait(ticket, size, longest)
            ending, told, used, failed = Ending.FAILED, NOTHING, None, None
            try:
                exchange, usage = await self._charged(wire, worst_usd)
                ending, told = Ending.ANSWERED, exchange.told
                used = None if usage is None else (usage.input_tokens, usage.output_tokens)
            except AttemptFailed as error:
                failed, told = error, error.told
                ending = Ending.TURNED_AWAY if error.turned_away else Ending.FAILED
            finally:
                why = line.leave(turn, ending, told, used)
            if failed is not None:
                raise failed if why is None else PatienceSpent(why)
            if not is_complete(wire.path, exchange.body):  # charged all the same, and asked again
                raise AttemptFailed("the answer holds no result", kind=FailureKind.INVALID_ANSWER)
            return exchange

        try:
            exchange, attempts = await with_retries(
                attempt, self._policy, patience_s=wire.provider.limits.patience_s, now=self._now
            )
        except AttemptFailed as error:
            self._count_failure(wire.provider.name, error)
            raise ProviderError(f"{wire.provider.name}: {error.message}", kind=error.kind) from None
        except PatienceSpent as error:
            raise ProviderDown(
                f"{wire.provider.name} {error} (model {ascii(wire.model)[:80]})",
                hint="try again later, or raise `patience` of the provider; what is finished will not be asked again",
            ) from None
        self._failed_in_a_row[wire.provider.name] = 0
        return StoredAnswer(exchange.body, exchange.latency_s, self.run_id, attempts)

    async def _charged(self, wire: Wire, worst_usd: float) -> tuple[Exchange, Usage | None]:
        """One attempt, its cost charged against the budget."""
        async with self.budget.reserve(worst_usd, party=wire.party) as reservation:
            # Until the answer tells its tokens, what was sent may be charged in full.
            reservation.spent_usd = reservation.worst_usd
            try:
                exchange = await self._exchange(wire)
            except AttemptFailed as error:
                if error.kind in NEVER_CHARGED:
                    reservation.spent_usd = 0.0
                raise
            usage = read_usage(exchange.body)
            if usage is not None:
                cost = self.prices.cost(wire.model, usage, price_provider=wire.provider.price_provider)
                reservation.spent_usd = cost or 0.0
            return exchange, usage

    async def _exchange(self, wire: Wire) -> Exchange:
        if not wire.provider.exclusive:  # the common case, without the cost of a context
            return await self._post(wire, wire.provider.base_urls[0])
        async with self.server(wire.provider) as url:
            return await self._post(wire, url)

    async def _post(self, wire: Wire, base_url: str) -> Exchange:
        if self._session is None:
            raise RuntimeError("the gateway is used outside its context")
        api_key, timeout_s = wire.provider.api_key, wire.provider.timeout_s
        return await post_json(self._session, base_url + wire.path, wire.body, api_key=api_key, timeout_s=timeout_s)

    @asynccontextmanager
    async def server(self, provider: Provider) -> AsyncIterator[str]:
        """The URL to ask; for a server that answers one at a time, once it is free."""
        queue = self._free.get(provider.name)
        if queue is None:
            yield provider.base_urls[0]
            return
        url = await queue.get()
        try:
            yield url
        finally:
            queue.put_nowait(url)

    def _count_failure(self, name: str, error: AttemptFailed) -> None:
        """Stop the run where going on is of no use.

        Raises:
            ProviderDown: The key is refused, or nothing has worked for several calls.
        """
        if error.kind is FailureKind.AUTHENTICATION:
            raise ProviderDown(f"{name}: {error.message}", hint="check the key and the account") from None
        if error.kind not in INFRASTRUCTURE_KINDS:
            return
        self._failed_in_a_row[name] = self._failed_in_a_row.get(name, 0) + 1
        if self._failed_in_a_row[name] >= _GIVE_UP_AFTER:
            raise ProviderDown(
                f"{name}: {_GIVE_UP_AFTER} calls in a row failed, each asked again before; the last: {error.message}",
                hint="try again when the provider works; what is finished is kept and will not be asked again",
            ) from None

    def _metered(self, wire: Wire, answer: StoredAnswer, *, cached: bool) -> Call:
        usage = read_usage(answer.body)
        most = wire.most if usage is None else None
        cost, most_usd = (
            None if one is None else self.prices.cost(wire.model, one, price_provider=wire.provider.price_provider)
            for one in (usage, most)
        )
        return Call(
            wire.provider.name, wire.model, usage, cost, answer.latency_s if self.outbox is None else None, cached,
            answer.measured_in, answer.attempts, most, most_usd,
        )  # fmt: skip


class Caller:
    """A `ModelCaller` whose answers belong to a scope of the cache."""

    def __init__(self, gateway: Gateway, scope: str, party: str = "") -> None:
        """Bind a gateway, a scope, and who spends."""
        self._gateway = gateway
        self._scope = scope
        self._party = party

    async def chat(self, request: ChatRequest) -> ChatAnswer:
        """Ask for one chat completion; see `ModelCaller.chat`."""
        provider = self._gateway.provider(request.provider)
        body: dict[str, Any] = {"model": request.model, "messages": list(request.messages), **request.params}
        if request.response_format is not None:
            body["response_format"] = request.response_format
        body.update(provider.extras)
        wire = make_wire(provider, "/chat/completions", body, request.model, self._party)
        answer, call = await self._gateway.send(wire, scope=self._scope, repeat=request.repeat)
        return read_chat(answer, call)

    async def embed(self, texts: tuple[str, ...], *, provider: str, model: str) -> EmbeddingAnswer:
        """Ask for the embeddings of some texts; see `ModelCaller.embed`."""
        found = self._gateway.provider(provider)
        wire = make_wire(
            found, "/embeddings", {"model": model, "input": list(texts)}, model, self._party, inputs=len(texts)
        )
        answer, call = await self._gateway.send(wire, scope=self._scope, repeat=0)
        return read_embeddings(answer, call, len(texts))
