"""What is known of one provider and model: its limits as told, when it may be asked again, and what is under way.

Pure: the time is handed in, nothing waits here; `turns.py` does.
"""

import math
from dataclasses import dataclass, field
from enum import Enum

from evaluator.gateway.pace.allowance import Allowance, from_told
from evaluator.gateway.pace.told import NOTHING, Told
from evaluator.gateway.pace.window import Window

LONGEST_AHEAD_S = 60.0
"""Longest wait for what we only reckon: then one call is sent, and its answer tells."""
_SMOOTHING = 0.1
_TOKENS_A_BYTE = 0.25
_TOKENS_MADE = 500.0
"""First guesses of a call's tokens, until its first answers have told them."""


class Ending(Enum):
    """How a call ended, as far as pace is concerned."""

    ANSWERED = "answered"
    TURNED_AWAY = "turned away"
    """The provider said that it is too much: 429, 503, 529, or any answer with Retry-After."""
    FAILED = "failed"
    """Anything else: says nothing of pace."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the config says of a provider; None where it says nothing."""

    max_in_flight: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    patience_s: float = 600.0
    """How long a provider may say `wait` to every call, or ask to wait at once, before it counts as down."""


NO_LIMITS = Limits()


@dataclass(slots=True)
class Call:
    """One call under way, as the lane counts it."""

    window: Window
    window_number: int
    sent_at: float
    given: float
    """Input tokens set aside."""
    made: float
    """Output tokens set aside."""
    size: int
    """Bytes of its body."""
    requests_before: int
    given_before: float
    made_before: float
    """What the lane had sent in all when it was sent, itself included."""


@dataclass(slots=True)
class Lane:
    """One provider and model."""

    limits: Limits = NO_LIMITS
    held_until: float = -math.inf
    """Nothing is sent before."""
    turned_away_since: float | None = None
    """Since when no call was answered and some were turned away."""
    allowances: dict[str, Allowance] = field(default_factory=dict)
    """By kind, as told; the config's own under `own requests` and `own tokens`."""
    windows: dict[str, Window] = field(default_factory=dict)
    """By who asks."""
    requests: int = 0
    given: float = 0.0
    made: float = 0.0
    _last_sent_at: float = -math.inf
    _tokens_a_byte: float = _TOKENS_A_BYTE
    _tokens_made: float = _TOKENS_MADE
    _learned: bool = False

    def __post_init__(self) -> None:
        """Begin with what the config says: a tenth of a minute's worth may be sent at once."""
        told = (("own requests", self.limits.requests_per_minute), ("own tokens", self.limits.tokens_per_minute))
        for kind, a_minute in told:
            if a_minute is not None:
                most = max(1.0, a_minute / 10)
                self.allowances[kind] = Allowance(most, a_minute / 60, most, -math.inf)

    def window(self, who: str) -> Window:
        """The window of one who asks."""
        found = self.windows.get(who)
        if found is None:
            found = self.windows[who] = Window(self.limits.max_in_flight or math.inf)
        return found

    def estimate(self, size: int, limit: int | None) -> tuple[float, float]:
        """(input, output) tokens of a call to come.

        Args:
            size: Bytes of its body.
            limit: Most tokens that it lets the model make; None if it does not say.
        """
        return size * self._tokens_a_byte, self._tokens_made if limit is None else min(self._tokens_made, limit)

    def wait_s(self, now: float, given: float, made: float) -> float:
        """Seconds until the provider's limits let a call through; the windows are apart from this."""
        held = self.held_until - now
        wait = held if held > 0 else 0.0
        if self.allowances:
            for kind, known in self.allowances.items():
                ahead = known.wait_s(now, _cost(kind, given, made))
                if ahead and not kind.startswith("own"):
                    ahead = min(ahead, self._last_sent_at + LONGEST_AHEAD_S - now)
                wait = max(wait, ahead)
        return wait

    def share(self, given: float, made: float) -> float:
        """Which part of the limits a call takes: of the one that it takes most of."""
        parts = (min(1.0, _cost(kind, given, made) / known.limit) for kind, known in self.allowances.items())
        return max(parts, default=1.0) or 1e-9

    def send(self, now: float, window: Window, size: int, given: float, made: float) -> Call:
        """Count a call as under way."""
        window.sent()
        self.requests += 1
        self.given += given
        self.made += made
        self._last_sent_at = now
        for kind, known in self.allowances.items():
            known.take(now, _cost(kind, given, made))
        return Call(window, window.number, now, given, made, size, self.requests, self.given, self.made)

    def unsend(self, now: float, call: Call) -> None:
        """Take back a call that was not sent after all."""
        call.window.in_flight -= 1
        self.requests -= 1
        self.given -= call.given
        self.made -= call.made
        for kind, known in self.allowances.items():
            if kind.endswith("requests"):
                known.correct(now, 1.0)
        self._correct(now, call.given, call.made)

    def end(
        self, now: float, call: Call, ending: Ending, told: Told = NOTHING, used: tuple[int, int] | None = None
    ) -> None:
        """Take in how a call ended.

        Args:
            now: The time.
            call: From `send`.
            ending: How.
            told: What the answer's headers told.
            used: (input, output) tokens that it used, if they are known.
        """
        answered, turned_away = ending is Ending.ANSWERED, ending is Ending.TURNED_AWAY
        call.window.ended(
            now, call.window_number, answered=answered, turned_away=turned_away, took_s=now - call.sent_at
        )
        if answered:
            self.turned_away_since = None
        elif turned_away and self.turned_away_since is None:
            self.turned_away_since = now
        if turned_away and told.retry_after_s is not None:
            self.held_until = max(self.held_until, now + told.retry_after_s)
        if used is not None:
            self._learn(call, used)
        if used is not None or turned_away:  # before the headers are read, which have what it took
            given, made = used if used is not None else (0, 0)
            self._correct(now, call.given - given, call.made - made)
        if told.left:
            self._tell(now, call, told)

    def given_up(self, now: float) -> str | None:
        """Why waiting is of no use any more; None as long as it is."""
        patience = self.limits.patience_s
        ahead = self.held_until - now
        if ahead > patience:
            return f"asks to wait {ahead:.0f} s, longer than the patience of {patience:g} s"
        if self.turned_away_since is not None and now - self.turned_away_since >= patience:
            return f"has turned every call away for {patience:g} s"
        return None

    def _learn(self, call: Call, used: tuple[int, int]) -> None:
        part = _SMOOTHING if self._learned else 1.0
        self._learned = True
        if call.size:
            self._tokens_a_byte += (used[0] / call.size - self._tokens_a_byte) * part
        self._tokens_made += (used[1] - self._tokens_made) * part

    def _tell(self, now: float, call: Call, told: Told) -> None:
        for left in told.left:
            since = {
                "requests": float(self.requests - call.requests_before),
                "input": self.given - call.given_before,
                "output": self.made - call.made_before,
            }
            since["tokens"] = since["input"] + since["output"]
            known = self.allowances.get(left.kind)
            if known is None:
                self.allowances[left.kind] = from_told(left, now, sent_since=since[left.kind])
            else:
                known.tell(left, now, sent_since=since[left.kind], age_s=now - call.sent_at)

    def _correct(self, now: float, given: float, made: float) -> None:
        for kind, known in self.allowances.items():
            cost = _cost(kind, given, made)
            if cost and not kind.endswith("requests"):
                known.correct(now, cost)


def _cost(kind: str, given: float, made: float) -> float:
    """What a call takes of an allowance."""
    if kind in ("requests", "own requests"):
        return 1.0
    if kind == "input":
        return given
    return made if kind == "output" else given + made
