"""The records of what was asked of models: calls, tokens, tools, and why something failed. Imported from `records.py`.

Units: seconds, US dollars, tokens.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MOST_TRACED = 200
"""Requests of a case whose times are kept; all of its calls are."""


class FailureKind(StrEnum):
    """Why an output or a score is missing. `INFRASTRUCTURE_KINDS` are nobody's answer; the rest are the app's own."""

    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    TIMEOUT = "timeout"
    NETWORK = "network"
    BUDGET = "budget"
    AUTHENTICATION = "authentication"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_TOO_LONG = "context_too_long"
    REFUSED = "refused"
    INVALID_ANSWER = "invalid_answer"
    CRASH = "crash"
    HANG = "hang"
    RENDER = "render"
    SCORER = "scorer"


INFRASTRUCTURE_KINDS = frozenset(
    {
        FailureKind.RATE_LIMIT,
        FailureKind.SERVER,
        FailureKind.TIMEOUT,
        FailureKind.NETWORK,
        FailureKind.BUDGET,
        FailureKind.AUTHENTICATION,
    }
)
"""Failures of a provider or of the budget: they say nothing about the change under test."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an output or a score is missing. It is counted under `error_rate` and never becomes a score."""

    kind: FailureKind
    message: str
    """Untrusted text: may hold provider or app output."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more provider calls. `input_tokens` includes the cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Add token by token."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call to a provider, as metered by the gateway."""

    provider: str
    model: str
    usage: Usage | None
    """Tokens of the answer; None if the provider did not tell them."""
    cost_usd: float | None
    """Price of the answer by the price list; None if the tokens are not known or the model has no known price."""
    latency_s: float | None
    """Seconds from sending the request to the last byte of the answer, without our own queue or retries; None for an
    answer out of a batch, which tells none."""
    cached: bool = False
    """True if the answer came from the response cache: tokens, cost and latency are the original call's."""
    measured_in: str = ""
    """Id of the run in which the latency was measured."""
    attempts: int = 1
    """How often the call was sent until it was answered."""
    most_usage: Usage | None = None
    """Where `usage` is None: the most that the request allowed, which then counts; None if nothing limited it."""
    most_usd: float | None = None
    """The price of `most_usage`, if there is one."""

    @property
    def counted_usage(self) -> Usage | None:
        """Tokens that count to the case: those of the answer, else the most there can have been; None if unknown."""
        return self.most_usage if self.usage is None else self.usage

    @property
    def counted_usd(self) -> float | None:
        """Dollars that count to the case, likewise."""
        return self.most_usd if self.usage is None else self.cost_usd


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model asked to call."""

    name: str
    arguments: JsonValue = None
    """Parsed JSON arguments; the raw string if it is not JSON."""


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """One request of an app to a provider, as it came through the gateway's door. Times are in seconds."""

    method: str
    path: str
    """At the provider, without the query. Untrusted."""
    status: int | None
    """What the app was answered; None if it went away before."""
    started_s: float
    """When it came, since the case began."""
    ended_s: float
    """When its answer had been passed on, likewise."""
    waits: tuple[tuple[float, float], ...]
    """Times of our own, since the case began, in order: until the run's budget had room, while the same answer was
    being asked for, in a queue of ours. What it waited for a cap of its own case is the app's time."""
    first_byte_s: float | None
    """From sending to the answer's first byte; the original's where it was cached."""
    streamed: bool
    call: Call | None
    """As metered, if it may be charged; its cost is None where the path is not metered, usage was not told, or the
    app went away before the answer."""
    charged_usd: float
    """What was counted against the budget: the worst case where the provider did not tell."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tools that the model asked for in this answer."""
    failure: Failure | None = None

    @property
    def waited_s(self) -> float:
        """How long it waited for us."""
        return sum(until - since for since, until in self.waits)
