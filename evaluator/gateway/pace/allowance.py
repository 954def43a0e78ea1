"""One limit on a rate as we keep it: a bucket that fills with time, emptied by what is sent, set right by what is told.

Pure: the time is handed in. What a provider tells is older than our own count: calls that were sent after the one whose
answer tells it may be counted in it or not. So it does not replace our count but bounds it.
"""

from dataclasses import dataclass

from evaluator.gateway.pace.told import DEFAULT_RESET_S, Left


@dataclass(slots=True)
class Allowance:
    """What may be sent of one kind (requests or tokens)."""

    limit: float
    """The most that it can hold."""
    rate: float
    """How much comes back in a second."""
    level: float
    """What there is; below 0 where more was used than was set aside."""
    at: float
    """When `level` was true, in seconds of the clock that is handed in."""

    def level_at(self, now: float) -> float:
        """What there is at a time."""
        return min(self.limit, self.level + self.rate * max(0.0, now - self.at))

    def wait_s(self, now: float, cost: float) -> float:
        """Seconds until so much is there; what is more than it can ever hold waits until it is full."""
        missing = min(cost, self.limit) - self.level_at(now)
        return missing / self.rate if missing > 1e-9 else 0.0

    def take(self, now: float, cost: float) -> None:
        """Use it up."""
        self.level, self.at = self.level_at(now) - cost, now

    def correct(self, now: float, by: float) -> None:
        """Give back what was set aside and not used; or take more, where `by` is negative."""
        self.level, self.at = min(self.limit, self.level_at(now) + by), now

    def tell(self, left: Left, now: float, *, sent_since: float, age_s: float) -> None:
        """Set it right by what an answer told.

        Args:
            left: What was told.
            now: The time.
            sent_since: What was sent after the call that this answers.
            age_s: Seconds since that call was sent: what is told is true for some moment of them.
        """
        self.limit = left.limit
        if left.reset_s > 0 and left.limit > left.remaining:
            self.rate = (left.limit - left.remaining) / left.reset_s
        else:
            self.rate = max(self.rate, left.limit / DEFAULT_RESET_S)
        least = left.remaining - sent_since
        most = min(left.limit, left.remaining + self.rate * age_s - sent_since)
        self.level, self.at = min(max(self.level_at(now), least), max(least, most)), now


def from_told(left: Left, now: float, *, sent_since: float) -> Allowance:
    """An allowance that was not known before; arguments as for `Allowance.tell`."""
    known = Allowance(left.limit, left.limit / DEFAULT_RESET_S, left.remaining, now)
    known.tell(left, now, sent_since=sent_since, age_s=0.0)
    return known
