"""Answers one request of an app: caps, kept answers, budget, then the provider."""

import time
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from evaluator.errors import BudgetError, ConfigError, EvalGateError
from evaluator.gateway.cache import StoredAnswer, request_key
from evaluator.gateway.door.arrival import Arrival
from evaluator.gateway.door.endpoints import Endpoint
from evaluator.gateway.door.exchange import Kept, exchange, read_whole
from evaluator.gateway.door.headers import told_by_headers
from evaluator.gateway.door.outcome import Outcome
from evaluator.gateway.door.refusal import BUDGET_STATUS, Refused
from evaluator.gateway.door.relay import LARGEST_KEPT, replayed
from evaluator.gateway.door.routes import Route
from evaluator.gateway.door.settings import DoorSettings
from evaluator.gateway.door.stream import EventCutter, StreamReader
from evaluator.gateway.gateway import Gateway, ProviderDown
from evaluator.records import INFRASTRUCTURE_KINDS, Failure, FailureKind

LONGEST_PACE_S = 10.0
"""Longest wait for the provider's limits before a request is forwarded all the same: the app has a time limit of its
own, and its client reads Retry-After itself."""
GIVE_UP_AFTER = 60
"""Requests in a row that a provider fails before it counts as down: clients send each failing call some three times."""
MOST_REQUESTS = 50_000
"""Of one case, or outside of any by one process: each is remembered."""
_WRITING = frozenset({"POST", "PUT", "PATCH"})


@dataclass(slots=True)
class Service:
    """What answering requests needs, and what the run has to be told."""

    gateway: Gateway
    session: aiohttp.ClientSession
    settings: DoorSettings
    exhausted: BudgetError | None = None
    broken: EvalGateError | None = None
    _failed_in_a_row: dict[str, int] = field(default_factory=dict)
    _without_usage: set[tuple[str, str]] = field(default_factory=set)

    def asks_usage(self, route: Route, model: str) -> bool:
        """Whether a provider takes `stream_options` for a model, as far as is known."""
        return (route.provider.name, model) not in self._without_usage

    async def answer(self, arrival: Arrival) -> web.StreamResponse:
        """Answer a request, and put what became of it into its trace.

        Raises:
            Refused: There is no answer of the provider's to pass on.
        """
        outcome = Outcome(arrival)
        trace = arrival.trace
        if len(trace.requests) >= MOST_REQUESTS:
            raise Refused(429, f"more than {MOST_REQUESTS} requests in one case", code="too_many_requests")
        try:
            return await self._capped(arrival, outcome)
        except BudgetError as error:
            outcome.status = BUDGET_STATUS
            outcome.failure = Failure(FailureKind.BUDGET, error.message)
            trace.refused = error
            raise Refused(BUDGET_STATUS, error.message, code="budget") from None
        except Refused as refused:
            outcome.status = refused.status
            raise
        finally:
            arrival.entrance.own.add(arrival.route.provider.name, outcome.reading.response)
            trace.requests.append(outcome.traced(self.gateway))

    async def _capped(self, arrival: Arrival, outcome: Outcome) -> web.StreamResponse:
        self._require_key(arrival)
        worst = self._worst(arrival)
        async with arrival.trace.budget.reserve(worst) as case:
            try:
                if arrival.metered is None or arrival.trace.scope is None:
                    response, _ = await self._paid(arrival, outcome, worst)
                    return response
                return await self._kept_or_paid(arrival, outcome, worst, arrival.trace.scope)
            finally:
                case.spent_usd = outcome.to_charge(self.gateway, worst)

    def _require_key(self, arrival: Arrival) -> None:
        """See that the provider can be asked at all; where it cannot, no case of this app tells anything.

        Raises:
            Refused: A variable that it needs is not set.
        """
        provider = arrival.route.provider
        if not provider.missing:
            return
        message = f"the app asks '{provider.name}', and the environment variable {provider.missing} is not set"
        there = [route.provider.name for route in arrival.entrance.routes if not route.provider.missing]
        other = f" (keys are there for: {', '.join(there)})" if there else ""
        hint = f"set it where the gate runs, or name the provider that the app asks: `target: {{provider: ...}}`{other}"
        self.stop(ConfigError(message, hint=hint))
        raise Refused(401, message, code="no_key")

    def _require_free(self, arrival: Arrival, *, capped: bool) -> None:
        """See that what is not metered may be forwarded.

        Raises:
            Refused: It is not known to be free, and the config does not open it, or dollars are capped.
        """
        found, own = arrival.free, arrival.entrance.own
        if found is not None and (not found.response or own.has(arrival.route.provider.name, found.response)):
            return
        method, path = arrival.request.method, arrival.rest.partition("?")[0]
        if not self.settings.unmetered:
            why = "`sandbox: {unmetered: true}` at base opens such paths"
        elif capped and method in _WRITING and found is None:
            why = "what they cost would pass the cap on dollars unseen, also with `sandbox: {unmetered: true}`"
        else:
            return
        arrival.entrance.turned_away.add(why, method, path)
        raise Refused(403, f"this path is not metered, and not forwarded: {why}", code="not_metered")

    def _worst(self, arrival: Arrival) -> float:
        """The most that a request can cost, in US dollars; 0 where no dollars are capped.

        Raises:
            Refused: Dollars are capped and the price is not known.
        """
        caps = self.gateway.budget.max_usd, arrival.trace.budget.max_usd
        capped = any(cap is not None for cap in caps)
        if arrival.metered is None:
            self._require_free(arrival, capped=capped)
            return 0.0
        if not capped:
            return 0.0
        usage = arrival.worst(self.settings.default_max_output)
        worst = self.gateway.prices.cost(arrival.model, usage, price_provider=arrival.route.provider.price_provider)
        if worst is None:
            name = ascii(arrival.model)[1:-1][:80]
            what = f"Azure's deployment '{name}'" if arrival.metered.deployment else f"model '{name}'"
            message = f"{what} has no known price, so a budget in dollars cannot be kept"
            self.stop(ConfigError(message, hint=f"add `prices: {{{name}: ...}}`, in dollars per million tokens"))
            raise Refused(403, message, code="no_price")
        return worst

    async def _kept_or_paid(self, arrival: Arrival, outcome: Outcome, worst: float, scope: str) -> web.StreamResponse:
        provider, trace = arrival.route.provider, arrival.trace
        # A name that no path has: the store's other entries are bodies without their content type.
        path = f"door:{arrival.rest}#{told_by_headers(arrival.request.headers, token=arrival.slot.token)}"
        identity = provider.identity or provider.base_urls[0]
        asked = request_key(scope, identity, path, arrival.digested, trace.repeat)
        number = trace.take_number(asked)
        key = request_key(scope, identity, f"{path}#{number}", arrival.digested, trace.repeat)
        asked_at = time.perf_counter()
        try:
            async with self.gateway.turn(key):
                outcome.waited(asked_at)
                stored = self.gateway.store.get(key)
                if stored is not None:
                    return await _replay(stored, arrival, outcome)
                response, kept = await self._paid(arrival, outcome, worst)
                self._keep(key, kept, outcome)
                return response
        finally:
            if not outcome.answered:
                trace.give_back(asked, number)

    async def _paid(self, arrival: Arrival, outcome: Outcome, worst: float) -> tuple[web.StreamResponse, Kept | None]:
        provider, gateway = arrival.route.provider, self.gateway
        outcome.measured_in = gateway.run_id
        line = gateway.pace.line(provider.name, arrival.model, provider.limits)
        side = arrival.slot.party  # base and head each have their fair part of pace and budget
        asked_at = time.perf_counter()
        try:
            outside = not arrival.trace.case_id
            async with (
                line.turn(len(arrival.body), None, side, longest_s=LONGEST_PACE_S) as turn,
                gateway.budget.reserve(worst, party=side, outside=outside) as reservation,
            ):
                try:
                    async with arrival.entrance.turn(provider), gateway.server(provider) as base_url:
                        outcome.waited(asked_at)
                        return await exchange(
                            self.session, base_url, arrival, outcome, most_bytes=self.settings.max_body_bytes
                        )
                finally:  # also where the app has gone away
                    turn.ending, turn.told, turn.used = outcome.ending, outcome.told, outcome.used
                    call = outcome.call(gateway)
                    reservation.counts = call is not None
                    reservation.counts_usd = call.counted_usd if call is not None else 0.0
                    outcome.charged_usd = reservation.spent_usd = outcome.to_charge(gateway, worst)
                    self._watch(arrival, outcome)
        except BudgetError as error:
            self.exhausted = self.exhausted or error
            raise

    def _watch(self, arrival: Arrival, outcome: Outcome) -> None:
        """Tell the run where going on is of no use."""
        name, failure = arrival.route.provider.name, outcome.failure
        if outcome.usage_unknown_there:
            self._without_usage.add((name, arrival.model))
        if failure is None:
            if outcome.answered:
                self._failed_in_a_row[name] = 0
            return
        if failure.kind is FailureKind.AUTHENTICATION:
            # 403 may be about one model or one path that the app should not have asked for.
            if outcome.status != 403 and (arrival.metered is not None or arrival.free is not None):
                self.stop(ProviderDown(f"{name}: {failure.message}", hint="check the key and the account"))
        elif failure.kind in INFRASTRUCTURE_KINDS:
            self._failed_in_a_row[name] = failed = self._failed_in_a_row.get(name, 0) + 1
            if failed >= GIVE_UP_AFTER:
                message = f"{name}: {failed} requests in a row failed; the last: {failure.message}"
                self.stop(ProviderDown(message, hint="try again when the provider works"))

    def stop(self, error: EvalGateError) -> None:
        """Note, once, that no call can succeed any more."""
        self.broken = self.broken or error

    def _keep(self, key: bytes, kept: Kept | None, outcome: Outcome) -> None:
        if kept is None or len(kept.body) > LARGEST_KEPT:
            return
        try:
            text = kept.body.decode()
        except UnicodeDecodeError:
            return
        body = {"content_type": kept.content_type, "text": text, "first_byte_s": outcome.first_byte_s}
        answer = StoredAnswer(body, outcome.latency_s or 0.0, outcome.measured_in, outcome.attempts)
        self.gateway.store.put_soon(key, answer)


async def _replay(stored: StoredAnswer, arrival: Arrival, outcome: Outcome) -> web.Response:
    """A kept answer as the app would have got it, with the original's tokens and times in the trace."""
    body = str(stored.body["text"]).encode()
    content_type = str(stored.body["content_type"])
    outcome.answered = outcome.cached = True
    outcome.status = 200
    outcome.latency_s, outcome.measured_in, outcome.attempts = stored.latency_s, stored.measured_in, stored.attempts
    outcome.first_byte_s = stored.body.get("first_byte_s")
    if content_type.startswith("text/event-stream"):
        reader = StreamReader(arrival.metered.endpoint if arrival.metered else Endpoint.CHAT)
        cutter = EventCutter()
        for event in cutter.feed(body):
            reader.feed(event)
        outcome.reading = reader.reading()
        body = replayed(body, hide_usage=arrival.usage_added)
    else:
        outcome.reading = await read_whole(arrival, body)
    return web.Response(body=body, headers={"Content-Type": content_type})
