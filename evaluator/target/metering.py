"""What an app's model calls add to its output: who made them is known by the token that its process was given."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from evaluator.errors import BudgetError
from evaluator.records import Call, Case, Failure, Output, ToolCall, Usage

SETTLE_S = 10.0
"""How long requests that are still under way when a case has its answer are waited for: they are the case's too."""


class Request(Protocol):
    """One request of an app; `gateway.door.TracedRequest` is one."""

    @property
    def started_s(self) -> float:
        """When it came, in seconds since the case began."""
        ...

    @property
    def waited_s(self) -> float:
        """Seconds that it then waited for us, not for the provider."""
        ...


class Trace(Protocol):
    """What one case asked of models; `gateway.door.Trace` is one."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """The answered calls."""
        ...

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that models asked for."""
        ...

    @property
    def requests(self) -> Sequence[Request]:
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

    @property
    def charged_usd(self) -> float:
        """What was counted against the budget."""
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
    check: Callable[[Sequence[Call]], None] | None = None
    """Told the calls of every case; may raise an EvalGateError to stop the run: the budget, a model without a price."""
    slots: list[Slot] = field(default_factory=list)
    """All slots that were given."""
    unpriced: list[str] = field(default_factory=list)
    """The models of all calls whose cost is not known."""

    def outside_usd(self) -> float:
        """What was spent outside of any case, such as while the app started; no case's cost has it."""
        return sum(slot.outside.charged_usd for slot in self.slots)


@dataclass(slots=True)
class _Nothing:
    """The trace of a process that is not metered."""

    calls: tuple[Call, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    requests: tuple[Request, ...] = ()
    failure: Failure | None = None
    refused: BudgetError | None = None
    charged_usd: float = 0.0

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
    async def case(self, case: Case, repeat: int) -> AsyncIterator[Trace]:
        """Open the trace of one case; it ends when the last request that the case has begun has ended."""
        if self._slot is None or self._metering is None:
            yield _Nothing()
            return
        with self._slot.case(case.id, repeat, self._metering.scope) as trace:
            yield trace
            await trace.settled(SETTLE_S)

    def add(self, output: Output, trace: Trace) -> Output:
        """Give the output with what was metered: it wins over what the app itself tells.

        Raises:
            EvalGateError: The run cannot go on.
        """
        if self._metering is not None:
            self._metering.unpriced.extend(call.model for call in trace.calls if call.cost_usd is None)
            if self._metering.check is not None:
                self._metering.check(trace.calls)
        return metered(output, trace)


def metered(output: Output, trace: Trace) -> Output:
    """An output with its calls, their tokens and their cost, and with the reason of a failure that is not the app's.

    The latency stays the app's own time, without what its requests waited for us. It is unknown where an answer came
    from the cache, which made the app faster than it is. The cost is unknown as soon as one call's is. An app that
    tells no tool calls has those that its models asked for.
    """
    if output.failure is not None:
        output = replace(output, failure=_reason(output.failure, trace))
    if not trace.calls:
        return output
    costs = [call.cost_usd for call in trace.calls]
    known = [cost for cost in costs if cost is not None]
    latency_s = output.latency_s
    if latency_s is not None:
        cached = any(call.cached for call in trace.calls)
        latency_s = None if cached else max(0.0, latency_s - queued_s(trace.requests))
    return replace(
        output,
        calls=trace.calls,
        tool_calls=output.tool_calls or (trace.tool_calls if output.failure is None else ()),
        usage=sum((call.usage for call in trace.calls), Usage()),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        latency_s=latency_s,
    )


def queued_s(requests: Iterable[Request]) -> float:
    """Seconds during which at least one request waited for us; several that wait together count once."""
    total, until = 0.0, 0.0
    for request in sorted(requests, key=lambda request: request.started_s):
        end = request.started_s + request.waited_s
        total += max(0.0, end - max(until, request.started_s))
        until = max(until, end)
    return total


def _reason(failure: Failure, trace: Trace) -> Failure:
    """Why the app failed: the provider, where its last answer was a failure outside the app; a cap is told too."""
    if trace.refused is not None:  # of a case: where it is the run's, the run has ended before
        return Failure(failure.kind, f"{trace.refused.message}; then the app: {failure.message}")
    if trace.failure is not None:
        return Failure(trace.failure.kind, f"{trace.failure.message}; then the app: {failure.message}")
    return failure
