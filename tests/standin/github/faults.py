"""Faults on demand: by a seeded schedule, or the next matching request."""

import random
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.standin.github.access import Refused
from tests.standin.github.api import Answer, error

KINDS = {
    "500": "an error in JSON",
    "502": "an error in HTML, as what stands before GitHub writes it",
    "503": "an error in JSON",
    "502-after": "the write is done, the answer is a 502",
    "secondary": "403, secondary rate limit, with Retry-After",
    "secondary-bare": "403, secondary rate limit, without Retry-After",
    "primary": "403, the hour's rate limit is used up; X-RateLimit-Reset tells when it ends",
    "429": "429 with Retry-After",
    "429-bare": "429 without Retry-After",
    "slow": "an answer after `delay` seconds",
    "drop": "the connection is closed, nothing was done",
    "drop-after": "the write is done, the connection is closed without an answer",
    "read-only": "403, Resource not accessible by integration",
}
PASSING = tuple(kind for kind in KINDS if kind not in {"read-only", "primary"})
"""The kinds that a patient client survives."""

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


def gateway() -> Answer:
    """What a proxy before GitHub answers."""
    return Answer(502, "<html><body><h1>502 Bad Gateway</h1></body></html>", kind="text/html")


@dataclass
class _Planned:
    kind: str
    left: int
    path: re.Pattern[str]
    method: str


@dataclass
class Faults:
    """A seeded schedule: the n-th request suffers the same fault whenever the seed is the same.

    A client that tries again must get through in the end: no more than `in_a_row` faults hit the same method and path
    one after the other.
    """

    seed: int = 0
    rate: float = 0.0
    kinds: Iterable[str] = PASSING
    in_a_row: int = 3
    delay: float = 0.05
    """Seconds, of `slow`."""
    retry_after: int = 1
    """Seconds, in the header of that name."""
    met: Counter[str] = field(default_factory=Counter)
    """How often each kind happened."""
    _planned: list[_Planned] = field(default_factory=list)
    _row: Counter[tuple[str, str]] = field(default_factory=Counter)
    _asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.kinds = tuple(self.kinds)
        if unknown := set(self.kinds) - KINDS.keys():
            raise ValueError(f"no fault is called {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")

    def fail_next(self, kind: str, times: int = 1, *, match: str = "", method: str = "") -> None:
        """Let the next `times` requests fail whose path `match` (a regular expression) is found in."""
        if kind not in KINDS:
            raise ValueError(f"no fault is called {kind!r}; there are {', '.join(KINDS)}")
        with self._lock:
            self._planned.append(_Planned(kind, times, re.compile(match), method))

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._planned.clear()
            self.rate = 0.0

    def choose(self, method: str, path: str) -> str | None:
        """The fault that this request suffers."""
        with self._lock:
            kind = self._plan(method, path) or self._draw(method, path)
            if kind is not None:
                self.met[kind] += 1
            return kind

    def answer(self, kind: str | None, now: float) -> Answer | None:
        """What a fault answers instead of GitHub; None where GitHub handles the request."""
        if kind in {None, "slow", "drop-after", "502-after"}:
            return None
        if kind in {"502", "drop"}:
            return gateway()
        if kind in {"500", "503"}:
            return error(Refused(int(kind), HTTPStatus(int(kind)).phrase))
        if kind == "read-only":
            return error(Refused(403, "Resource not accessible by integration"))
        if kind == "primary":
            answer = error(Refused(403, "API rate limit exceeded for installation."))
            answer.headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(now) + self.retry_after)}
            return answer
        answer = error(Refused(429 if kind in {"429", "429-bare"} else 403, SECONDARY))
        if kind in {"429", "secondary"}:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer

    def _plan(self, method: str, path: str) -> str | None:
        for planned in self._planned:
            if planned.left > 0 and planned.method in {"", method} and planned.path.search(path):
                planned.left -= 1
                return planned.kind
        return None

    def _draw(self, method: str, path: str) -> str | None:
        self._asked += 1
        if not self.rate:
            return None
        draw = random.Random(f"{self.seed}:{self._asked}")
        if draw.random() >= self.rate or self._row[method, path] >= self.in_a_row:
            self._row[method, path] = 0
            return None
        self._row[method, path] += 1
        return draw.choice(tuple(self.kinds))
