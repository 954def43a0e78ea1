"""How long a server is waited for, and how often it is asked again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluator.source.refusals import Transient, timed_out
from evaluator.source.remote import Remote

if TYPE_CHECKING:
    from tenacity import Retrying


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for."""

    timeout_s: float = 600.0
    """For one job, all its attempts together."""
    stall_s: int = 60
    """A transfer that stands still for so long is broken off, and tried again."""
    attempts: int = 4
    longest_wait_s: float = 20.0
    """Between two attempts."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


PATIENCE = Patience()


class Deadline:
    """The time that is left for one job with one server; it begins to run at once.

    Args:
        remote: The server.
        patience: How long it is waited for.
    """

    def __init__(self, remote: Remote, patience: Patience) -> None:
        """Start the clock."""
        self.remote = remote
        self.patience = patience
        self._end = patience.clock() + patience.timeout_s

    def left(self) -> float:
        """Give the seconds that are left.

        Raises:
            SourceError: There are none.
        """
        left = self._end - self.patience.clock()
        if left <= 0:
            raise timed_out(self.remote, self.patience.timeout_s)
        return left

    def retrying(self) -> "Retrying":
        """Give what calls a function again after a `Transient`, later each time, as long as there is time."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

        return Retrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(self.patience.attempts),
            wait=wait_exponential_jitter(initial=1, max=self.patience.longest_wait_s),
            sleep=lambda seconds: self.patience.sleep(min(seconds, self.left())),
            reraise=True,
        )
