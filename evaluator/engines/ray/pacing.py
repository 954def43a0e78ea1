"""A worker's pace: when a provider asks one worker to wait, all of them wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from evaluator.gateway.pace import Call, Ending, Limits, Line, Pace, Told
from evaluator.gateway.pace.lane import Lane
from evaluator.gateway.pace.told import NOTHING

Key = tuple[str, str]
"""Provider and model."""
_MOST_KEPT = 1_000
"""Lines that are shared: an app under test may name any model."""


@dataclass(slots=True)
class SharedLine(Line):
    """A line that tells when its provider asks to wait."""

    on_hold: Callable[[float], None] = lambda _seconds: None
    """Told for how many seconds nothing may be asked."""

    def leave(
        self, call: Call, ending: Ending, told: Told = NOTHING, used: tuple[int, int] | None = None
    ) -> str | None:
        """Take in how a call ended; see `Line.leave`."""
        before = self.lane.held_until
        # Not `super()`: a class with slots is made twice.
        why = Line.leave(self, call, ending, told, used)
        if self.lane.held_until > before:
            self.on_hold(self.lane.held_until - self.now())
        return why


class SharedPace(Pace):
    """The lines of one worker."""

    def __init__(self, on_hold: Callable[[Key, float], None], *, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without knowing anything.

        Args:
            on_hold: Told which provider and model ask us to wait, and for how many seconds.
            now: Seconds of a clock that only goes forward.
        """
        super().__init__(now=now)
        self._on_hold, self._clock = on_hold, now
        self._shared: dict[Key, SharedLine] = {}
        self._held: dict[Key, float] = {}

    def line(self, provider: str, model: str, limits: Limits) -> Line:
        """The line before a provider's model."""
        key = (provider, model)
        found = self._shared.get(key)
        if found is None:
            if len(self._shared) >= _MOST_KEPT:
                return super().line(provider, model, limits)
            found = SharedLine(Lane(limits), self._clock, on_hold=lambda seconds: self._on_hold(key, seconds))
            found.lane.held_until = self._held.pop(key, found.lane.held_until)
            self._shared[key] = found
        return found

    def hold(self, key: Key, seconds: float) -> None:
        """Another worker was asked to wait."""
        until = self._clock() + seconds
        line = self._shared.get(key)
        if line is not None:
            line.lane.held_until = max(line.lane.held_until, until)
        elif len(self._held) < _MOST_KEPT:
            self._held[key] = max(self._held.get(key, until), until)
