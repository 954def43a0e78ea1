"""How many calls may be under way at once: no bound until the provider says that it is too many, then found by AIMD.

Additive increase, multiplicative decrease (D.-M. Chiu and R. Jain, "Analysis of the increase and decrease algorithms
for congestion avoidance in computer networks", 1989): it converges to what is there, and to equal shares among several
who ask. A window is as many calls as were under way when the first of them was turned away, and at least eight. At its
end the bound shrinks, once, by half of the share that was turned away, as in DCTCP (M. Alizadeh et al., "Data center
TCP", 2010): a provider that turns away all is asked half as much, one that fails now and then hardly less. Below one
call at a time, it is the pause between two calls that grows (G. Kumar et al., "Swift", 2020).

Pure: the time is handed in.
"""

import math
from dataclasses import dataclass

SMALLEST = 1 / 32
"""Of a call at once: pauses of 32 times a call's duration."""
_FEWEST = 8
"""Calls from which a share is taken: of one call alone it would be all or nothing."""
_LARGEST_STEP = 1.0
_STEP = 1 / 8
"""For each window of answered calls it grows by an eighth of itself or by one call, whichever is less."""
_SMOOTHING = 0.2


@dataclass(slots=True)
class Window:
    """The bound on calls at once of one who asks."""

    most: float = math.inf
    """It never grows beyond; from the config."""
    size: float = math.inf
    in_flight: int = 0
    number: int = 0
    """Counts windows: a call belongs to the one in which it was sent."""
    _ended: int = 0
    _turned_away: int = 0
    _closes_at: int = 0
    """How many calls end before the window does; 0 while none was turned away."""
    _peak: int = 0
    """Most calls at once since the last decrease."""
    _duration_s: float = 0.0
    _last_ended_at: float = -math.inf

    def __post_init__(self) -> None:
        """Begin at the top."""
        self.size = self.most

    def wait_s(self, now: float) -> float:
        """Seconds until another call may be sent; infinity if one has to end first."""
        if self.size >= 1:
            # The place of a call that was turned away stays empty until the window ends.
            places = max(1.0, self.size - self._turned_away)
            return 0.0 if self.in_flight + 1 <= places else math.inf
        if self.in_flight:
            return math.inf
        return max(0.0, self._last_ended_at + self._duration_s * (1 / self.size - 1) - now)

    def sent(self) -> None:
        """A call is under way."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def ended(self, now: float, number: int, *, answered: bool, turned_away: bool, took_s: float) -> None:
        """A call has ended.

        Args:
            now: The time.
            number: Of the window in which it was sent.
            answered: Whether the provider answered it.
            turned_away: Whether the provider said that it is too much.
            took_s: From sending to its end.
        """
        at_once = self.in_flight
        self.in_flight -= 1
        self._last_ended_at = now
        if number != self.number:  # sent before the last decrease: says nothing of what came after it
            return
        if answered or not self._duration_s:
            self._duration_s += (took_s - self._duration_s) * (_SMOOTHING if self._duration_s else 1.0)
        if turned_away:
            self._turned_away += 1
            self._closes_at = self._closes_at or max(_FEWEST, at_once)
        elif answered and not self._closes_at and at_once + 1 > self.size:  # what is not reached needs no raise
            step = min(_LARGEST_STEP, self.size * _STEP) / max(1.0, self.size)
            self.size = min(self.most, self.size + step)
        if self._closes_at:
            self._ended += 1
            if self._ended >= self._closes_at:
                self._shrink()

    def _shrink(self) -> None:
        share = self._turned_away / self._closes_at
        self.size = max(SMALLEST, min(self.size, float(self._peak)) * (1 - share / 2))
        self.number += 1
        self._peak = self.in_flight
        self._ended = self._turned_away = self._closes_at = 0
