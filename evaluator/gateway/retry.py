"""When and how long to wait before a call is sent again."""

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


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a call is sent again."""

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    """Longest wait, also where the provider asks for a longer one; the attempt after it is then the judge."""


async def with_retries(attempt: Callable[[], Awaitable[Exchange]], policy: RetryPolicy) -> tuple[Exchange, int]:
    """Make an attempt until it succeeds, fails for good, or the policy is used up.

    Full jitter (M. Brooker, "Exponential backoff and jitter", 2015), never shorter than the provider's Retry-After.

    Returns:
        The exchange, and how many attempts it took.

    Raises:
        AttemptFailed: The last attempt's failure.
    """
    try:
        return await attempt(), 1
    except AttemptFailed as error:
        if error.kind not in RETRIED or policy.attempts == 1:
            raise
        first: AttemptFailed | None = error
    # Imported where it is needed: most runs begin without a retry, and many end without one.
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    jitter = wait_random_exponential(multiplier=policy.first_wait_s, max=policy.longest_wait_s)

    def wait(state: "RetryCallState") -> float:
        """Seconds until the next attempt."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, AttemptFailed) else None
        return max(jitter(state), min(asked or 0.0, policy.longest_wait_s))

    async def again() -> Exchange:
        """An attempt; the first time, the failure that is known already: most calls need no machinery for retries."""
        nonlocal first
        if first is not None:
            known, first = first, None
            raise known
        return await attempt()

    retrying = AsyncRetrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait,
        retry=retry_if_exception(lambda error: isinstance(error, AttemptFailed) and error.kind in RETRIED),
        reraise=True,
    )
    exchange: Exchange = await retrying(again)
    return exchange, int(retrying.statistics.get("attempt_number", 1))
