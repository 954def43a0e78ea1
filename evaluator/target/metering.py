"""What an app's model calls add to its output: who made them is known by the token that its process was given."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from evaluator.errors import BudgetError
from evaluator.records import MOST_TRACED, Call, Case, Failure, FailureKind, Output, ToolCall, TracedRequest, Usage

SETTLE_S = 10.0
"""How long requests that are still under way when a case has its answer are waited for: they are the case's too."""
KILLED_S = 2.0
"""How long it may take until the requests of a process that was killed have ended."""
_EXCUSES = frozenset({FailureKind.RATE_LIMIT, FailureKind.SERVER, FailureKind.TIMEOUT, FailureKind.NETWORK})
"""Failures of a provider, as the gateway saw them. What a key may not do (403), the app need not have asked; where the
key itself is refused, the run ends."""


class Trace(Protocol):
    """What one case asked of models; `gateway.door.Trace` is one."""

    begun: Callable[[], bool] | None
    """Tells whether the app is at the case yet; what it asks before is outside of it."""

    @property
    def began(self) -> float:
        """When the case was opened, as `time.perf_counter` tells."""
        ...

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        ...

    @property
    def calls(self) -> tuple[Call, ...]:
        """The answered calls."""
        ...

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that models asked for."""
        ...

    @property
    def requests(self) -> Sequence[TracedRequest]:
        """All requests, in order."""
        ...

    @property
    def failure(self) -> Failure | None:
        """A failure outside the app that the last request ended with."""
        ...

    @property
    def refused(self) -> BudgetError | None:
        """Why a call was not made: a cap on the case or the run."""
        ...

    async def settled(self, timeout_s: float) -> bool:
        """Wait until no request is under way any more."""
        ...


class Slot(Protocol):
    """A place at the gateway's door for one process at a time; `gateway.door.Slot` is one."""

    @property
    def outside(self) -> Trace:
        """What was asked outside of any case."""
        ...

    def environment(self) -> Mapping[str, str]:
        """Addresses and the throw-away token, under the names that client libraries read."""
        ...

    def case(self, case_id: str, repeat: int, scope: str | None) -> AbstractContextManager[Trace]:
        """All that is asked with this slot's token meanwhile belongs to the case."""
        ...


@dataclass(frozen=True, slots=True)
class Metering:
    """How the calls of a target's processes are metered."""

    slot: Callable[[str], Slot]
    """Gives a new slot of a name."""
    scope: str | None = ""
    """Cases of one scope share cached answers; None shares none, so that all latencies are the provider's of now."""
    check: Callable[[Sequence[TracedRequest], Failure | None], None] | None = None
    """Told the requests of every case, and how it failed if it did; may raise an EvalGateError to stop the run: the
    budget, a model without a price, a key that is not there."""
    told: Callable[[], Sequence[str]] | None = None
    """Gives what people should be told of the way to the models, such as which requests were refused."""
    slots: list[Slot] = field(default_factory=list)
    """All slots that were given."""
    unpriced: list[str] = field(default_factory=list)
    """Of all calls whose cost is not known, the models, or what was asked where that names none. Untrusted."""
    capped: set[str] = field(default_factory=set)
    """The cases that a cap of theirs refused a call: an app can swallow that, and answer all the same."""


@dataclass(slots=True)
class _Nothing:
    """The trace of a process that is not metered."""

    calls: tuple[Call, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    requests: tuple[TracedRequest, ...] = ()
    failure: Failure | None = None
    refused: BudgetError | None = None
    began: float = 0.0
    in_flight: int = 0
    begun: Callable[[], bool] | None = None

    async def settled(self, timeout_s: float) -> bool:
        """Nothing is ever under way."""
        return True


class Meter:
    """The meter of one process.

    Args:
        metering: Where its slot comes from; None measures nothing.
        name: How the slot is called in messages.
    """

    def __init__(self, metering: Metering | None, name: str) -> None:
        """Take a slot; see the class."""
        self._metering = metering
        self._slot: Slot | None = None
        if metering is not None:
            self._slot = metering.slot(name)
            metering.slots.append(self._slot)

    def environment(self) -> Mapping[str, str]:
        """What the process must have in its environment."""
        return self._slot.environment() if self._slot is not None else {}

    @asynccontextmanager
    async def case(
        self,
        case: Case,
        repeat: int,
        *,
        begun: Callable[[], bool] | None = None,
        discard: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[Trace]:
        """Open the trace of one case; it ends when the last request that the case has begun has ended.

        Args:
            case: The case.
            repeat: Which sample of it.
            begun: Tells whether the process has started up; what it asks before is outside of the case.
            discard: Kills the process. It is called where requests do not end in time: cut off, they count as calls
                of this case whose cost is unknown, and cannot go on during the next.
        """
        if self._slot is None or self._metering is None:
            yield _Nothing()
            return
        with self._slot.case(case.id, repeat, self._metering.scope) as trace:
            trace.begun = begun
            yield trace
            if not await trace.settled(SETTLE_S) and discard is not None:
                await discard()
                await trace.settled(KILLED_S)
            if trace.refused is not None:
                self._metering.capped.add(case.id)

    def add(self, output: Output, trace: Trace, *, asked_at: float | None = None) -> Output:
        """Give the output with what was metered: it wins over what the app itself tells.

        Args:
            output: As the app gave it.
            trace: Its case's, ended.
            asked_at: When its latency began, as `time.perf_counter` tells; None for when the case was opened.

        Raises:
            EvalGateError: The run cannot go on.
        """
        if self._metering is None or self._slot is None:
            return output
        unpriced = self._metering.unpriced
        unpriced.extend(asked_of(request) for request in trace.requests if costs_unknown(request))
        unpriced.extend(["still under way when the case ended"] * trace.in_flight)
        if self._metering.check is not None:
            self._metering.check(trace.requests, output.failure)
        if output.failure is not None:
            output = replace(output, failure=reason(output.failure, trace, self._slot.outside))
        return metered(output, trace, asked_s=0.0 if asked_at is None else asked_at - trace.began)


def costs_unknown(request: TracedRequest) -> bool:
    """Whether a request may have been charged with what nobody can tell."""
    return request.call is not None and request.call.counted_usd is None


def asked_of(request: TracedRequest) -> str:
    """What a request was for: its model; where it named none, its method and path."""
    return (request.call.model if request.call is not None else "") or f"{request.method} {request.path}"


def metered(output: Output, trace: Trace, *, asked_s: float = 0.0) -> Output:
    """An output with its calls, their tokens and their cost.

    The latency stays the app's own time, without what its calls waited for us meanwhile; the wait of a request that
    costs nothing is not taken out, since an app could have many of them wait while it works. It is unknown where an
    answer came from the cache, which made the app faster than it is. A call whose tokens nobody told counts with the
    most that its request allowed. The cost is unknown as soon as one call's is not known even so, or if one has not
    ended. An app that asked nothing cost nothing, unless it tells otherwise. One that tells no tool calls has those
    that its models asked for.
    """
    if not trace.calls and not trace.in_flight:
        told = output.cost_usd is not None or output.usage is not None
        kept = replace(output, requests=tuple(trace.requests[:MOST_TRACED]))
        return kept if told else replace(kept, cost_usd=0.0, usage=Usage())
    latency_s, waited_s = output.latency_s, 0.0
    if latency_s is not None:
        cached = any(call.cached for call in trace.calls)
        waiting = (request for request in trace.requests if request.call is not None)
        waited_s = queued_s(waiting, asked_s, asked_s + latency_s)
        latency_s = None if cached else max(0.0, latency_s - waited_s)
    costs = [call.counted_usd for call in trace.calls]
    known = [cost for cost in costs if cost is not None]
    usages = [call.counted_usage for call in trace.calls]
    counted = [usage for usage in usages if usage is not None]
    ended = not trace.in_flight
    return replace(
        output,
        calls=trace.calls,
        tool_calls=output.tool_calls or (trace.tool_calls if output.failure is None else ()),
        usage=sum(counted, Usage()) if ended and len(counted) == len(usages) else None,
        cost_usd=sum(known) if ended and len(known) == len(costs) else None,
        latency_s=latency_s,
        requests=tuple(trace.requests[:MOST_TRACED]),
        waited_s=waited_s if latency_s is not None else 0.0,
    )


def queued_s(requests: Iterable[TracedRequest], since_s: float, until_s: float) -> float:
    """Seconds of a span during which at least one request waited for us; several that wait together count once."""
    total, until = 0.0, since_s
    for begin, end in sorted(wait for request in requests for wait in request.waits):
        last = min(end, until_s)
        total += max(0.0, last - max(until, begin))
        until = max(until, last)
    return total


def reason(failure: Failure, trace: Trace, outside: Trace) -> Failure:
    """Why the app failed: the provider, where its last answer was a failure outside the app; a cap is told too."""
    if trace.refused is not None:  # of a case: where it is the run's, the run has ended before
        return Failure(failure.kind, f"{trace.refused.message}; then the app: {failure.message}")
    why = trace.failure
    if not trace.requests and outside.requests:  # it may have failed while it was started again for this case
        began = outside.began + outside.requests[-1].started_s
        why = outside.failure if began >= trace.began else None
    if why is not None and why.kind in _EXCUSES:
        return Failure(why.kind, f"{why.message}; then the app: {failure.message}")
    return failure
