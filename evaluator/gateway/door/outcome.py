"""What became of one request: gathered while it is answered, priced and put into its trace at the end."""

import time
from dataclasses import dataclass, field

from evaluator.gateway.door.answers import Reading
from evaluator.gateway.door.arrival import Arrival
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.pace import NOTHING, Ending, Told
from evaluator.gateway.prices import CacheWrites
from evaluator.gateway.transport import is_turned_away
from evaluator.records import Call, Failure, TracedRequest, Usage

UNKNOWN = Reading(None)
_FREE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""They fetch or remove: nothing is generated, nothing is charged."""
_LONGEST_PATH = 200


@dataclass(slots=True)
class Outcome:
    """Filled in as the answer comes; times are the provider's alone."""

    arrival: Arrival
    status: int | None = None
    waits: list[tuple[float, float]] = field(default_factory=list)
    """Times of our own: what an app waits for a cap of its own case is not among them."""
    sent_at: float | None = None
    """When it was sent the last time, from which the provider's times count."""
    first_byte_s: float | None = None
    latency_s: float | None = None
    """To the last byte, without the time in which the app kept us from reading on."""
    attempts: int = 1
    answered: bool = False
    """True if the provider accepted the request, also if the app went away before the end."""
    refused: bool = False
    """True if the provider told that it makes no answer."""
    cached: bool = False
    measured_in: str = ""
    reading: Reading = UNKNOWN
    usage_unknown_there: bool = False
    """True if the provider turned out not to know `stream_options`."""
    maybe_charged: bool = False
    """True from sending on, until the provider tells that it made no answer."""
    charged_usd: float = 0.0
    """What counts against the budget, known once all is over."""
    failure: Failure | None = None
    told: Told = NOTHING
    """What the provider told of its limits."""
    _priced: tuple[Reading, float | None] | None = None

    @property
    def ending(self) -> Ending:
        """How it ended, as far as pace is concerned."""
        if self.answered:
            return Ending.ANSWERED
        turned_away = self.failure is not None and is_turned_away(self.failure.kind, self.status or 0, self.told)
        return Ending.TURNED_AWAY if turned_away else Ending.FAILED

    @property
    def used(self) -> tuple[int, int] | None:
        """(input, output) tokens, if they are known."""
        usage = self.reading.usage
        return None if usage is None else (usage.input_tokens, usage.output_tokens)

    def waited(self, since: float) -> None:
        """It has waited for us until now."""
        self.waits.append((since, time.perf_counter()))

    def cost(self, gateway: Gateway) -> float | None:
        """What the answer costs by its own usage; None if that is unknown."""
        if self.reading.usage is None:
            return None
        if self._priced is None or self._priced[0] is not self.reading:
            self._priced = self.reading, self._price(gateway, self.reading.usage, self.reading.written)
        return self._priced[1]

    def to_charge(self, gateway: Gateway, worst_usd: float) -> float:
        """What counts against the budget: the cost, or the worst case where the provider does not tell."""
        if self.reading.usage is not None:
            return self.cost(gateway) or 0.0
        return worst_usd if self.maybe_charged else 0.0

    def call(self, gateway: Gateway) -> Call | None:
        """The metered call; None if there is nothing to charge for.

        What the app gave up, or what broke, after it was sent is a call too: the provider may go on and charge, so it
        counts with the most that it allowed.
        """
        given_up = self.maybe_charged and not self.refused
        arrival = self.arrival
        free = arrival.free is not None or (arrival.metered is None and arrival.request.method in _FREE_METHODS)
        if free or not (self.answered or given_up):
            return None
        most = self.arrival.most() if self.reading.usage is None else None
        return Call(
            provider=self.arrival.route.provider.name,
            model=self.arrival.model,
            usage=self.reading.usage,
            cost_usd=self.cost(gateway),
            latency_s=self.latency_s or 0.0,
            cached=self.cached,
            measured_in=self.measured_in,
            attempts=self.attempts,
            most_usage=most,
            most_usd=None if most is None else self._price(gateway, most),
        )

    def traced(self, gateway: Gateway) -> TracedRequest:
        """The request as its trace keeps it."""
        arrival, began = self.arrival, self.arrival.trace.began
        return TracedRequest(
            method=arrival.request.method,
            path=arrival.rest.partition("?")[0][:_LONGEST_PATH],
            status=self.status,
            started_s=arrival.came - began,
            ended_s=time.perf_counter() - began,
            waits=tuple((since - began, until - began) for since, until in self.waits),
            first_byte_s=self.first_byte_s,
            streamed=arrival.asked.streams,
            call=self.call(gateway),
            charged_usd=self.charged_usd,
            tool_calls=self.reading.tool_calls,
            failure=self.failure,
        )

    def _price(self, gateway: Gateway, usage: Usage, written: CacheWrites | None = None) -> float | None:
        arrival = self.arrival
        provider = arrival.route.provider.price_provider
        return gateway.prices.cost(arrival.model, usage, price_provider=provider, written=written)
