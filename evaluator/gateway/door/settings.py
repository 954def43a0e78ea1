"""What may be set about a door."""

from collections.abc import Callable
from dataclasses import dataclass

from evaluator.errors import BudgetError, EvalGateError
from evaluator.gateway.meter import DEFAULT_MAX_OUTPUT


def _ignore(_: EvalGateError) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Limits of a door, and whom it tells that the run should stop."""

    max_usd_per_case: float | None = None
    """Most that the calls of one case may cost; cached answers count with what they cost when they were asked."""
    max_calls_per_case: int | None = None
    default_max_output: int = DEFAULT_MAX_OUTPUT
    """Tokens reserved for an answer whose request sets no limit. A longer answer is charged in full, and can so pass a
    cap by the difference: an app that must not should set its limit."""
    max_body_bytes: int = 64_000_000
    """Largest request and largest answer; also a quarter of what all requests being read may hold together."""
    unmetered_posts: bool | None = None
    """Whether POST, PUT and PATCH to paths that are not metered (images, batches ...) are forwarded. None: yes, unless
    dollars are capped, since what they cost is unknown."""
    on_budget: Callable[[BudgetError], None] = _ignore
    """Told once, when the run's budget refuses a call."""
    on_broken: Callable[[EvalGateError], None] = _ignore
    """Told once, when no call can succeed any more: the key is refused, the provider is down, a price is missing."""
