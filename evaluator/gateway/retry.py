"""When and how long to wait before a call is sent again."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluator.gateway.transport import AttemptFailed, Exchange
from evaluator.records import FailureKind

if TYPE_CHECKING:
    from tenacity import RetryCallState

RETRIED = frozenset(
    {
        FailureKind.RATE_LIMIT,
        FailureKind.SERVER,
        FailureKind.TIMEOUT,
        FailureKind.NETWORK,
        FailureKind.INVALID_ANSWER,
    }
)


_TOLD_WAITS = 2
"""Attempts after which what the provider tells is believed as it is."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is sent again."""

    attempts: int = 6
    """Most times that a call is sent, those not counted that the provider turned away by a rate limit."""
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    """Longest wait of our own choice; what the provider asks for is kept in `pace/`, for all calls alike."""


async def with_retries(
    attempt: Callable[[], Awaitable[Exchange]],
    policy: RetryPolicy,
    *,
    patience_s: float,
    now: Callable[[], float] = time.monotonic,
) -> tuple[Exchange, int]:
    """Make an attempt until it succeeds, fails for good, or the policy is used up.

    Full jitter (M. Brooker, "Exponential backoff and jitter", 2015). A rate limit is not a failure of the call but a
    wait: it is bounded by time, not by attempts. Where the provider tells how long, pace keeps the call until then, and
    there is nothing to add, unless it turns out to be wrong again and again.

    Args:
        attempt: Sends the call once.
        policy: How often and how patiently.
        patience_s: How long one call may be turned away by a rate limit.
        now: Seconds of a clock that only goes forward.

    Returns:
        The exchange, and how many attempts it took, all of them counted.

    Raises:
        AttemptFailed: The last attempt's failure.
    """
    try:
        return await attempt(), 1
    except AttemptFailed as error:
        if error.kind not in RETRIED or (policy.attempts == 1 and error.kind is not FailureKind.RATE_LIMIT):
            raise
        first: AttemptFailed | None = error
    # Imported where it is needed: most runs begin without a retry, and many end without one.
    from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

    jitter = wait_random_exponential(multiplier=policy.first_wait_s, max=policy.longest_wait_s)
    counted, limited_since = 0, now()

    def failure(state: "RetryCallState") -> AttemptFailed:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, AttemptFailed):
            raise AssertionError("asked after a failed attempt alone")
        return error

    def wait(state: "RetryCallState") -> float:
        """Seconds until the next attempt."""
        failed = failure(state)
        # Most answers tell what is left, those of a broken server too: that says nothing of when it is mended.
        limited = failed.kind is FailureKind.RATE_LIMIT and bool(failed.told.left)
        known = failed.turned_away and (failed.told.retry_after_s is not None or limited)
        return 0.0 if known and state.attempt_number <= _TOLD_WAITS else jitter(state)

    def stop(state: "RetryCallState") -> bool:
        """Whether the last attempt was the last one."""
        nonlocal counted
        if failure(state).kind is FailureKind.RATE_LIMIT:
            return now() - limited_since >= patience_s
        counted += 1
        return counted >= policy.attempts

    async def again() -> Exchange:
        """An attempt; the first time, the failure that is known already: most calls need no machinery for retries."""
        nonlocal first
        if first is not None:
            known, first = first, None
            raise known
        return await attempt()

    retrying = AsyncRetrying(
        stop=stop,
        wait=wait,
        retry=retry_if_exception(lambda error: isinstance(error, AttemptFailed) and error.kind in RETRIED),
        reraise=True,
    )
    exchange: Exchange = await retrying(again)
    return exchange, int(retrying.statistics.get("attempt_number", 1))
