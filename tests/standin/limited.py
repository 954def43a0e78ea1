"""A provider that really has limits: buckets of requests and tokens by model, 429 past them, and headers that tell."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.standin.provider import completion, fault

Headers = Callable[[str, float, float, float], Mapping[str, str]]
"""Given the kind, the limit, what is left and the seconds until it is whole: what is told of it."""


def as_openai(kind: str, limit: float, left: float, reset_s: float) -> dict[str, str]:
    name = f"x-ratelimit-{{}}-{kind}"
    reset = f"{reset_s * 1000:.0f}ms" if reset_s < 1 else f"{int(reset_s // 60)}m{reset_s % 60:.3f}s"
    told = {"limit": f"{limit:.0f}", "remaining": f"{max(0, int(left))}", "reset": reset}
    return {name.format(part): value for part, value in told.items()}


def as_anthropic(kind: str, limit: float, left: float, reset_s: float) -> dict[str, str]:
    """Times are dates to the second, here of the running loop's clock."""
    moment = datetime.fromtimestamp(math.ceil(asyncio.get_running_loop().time() + reset_s), UTC)
    told = {"limit": f"{limit:.0f}", "remaining": f"{max(0, int(left))}", "reset": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    return {f"anthropic-ratelimit-{kind}-{part}": value for part, value in told.items()}


def as_nobody(kind: str, limit: float, left: float, reset_s: float) -> dict[str, str]:
    return {}


@dataclass
class Bucket:
    """Fills with time."""

    limit: float
    a_second: float
    left: float
    at: float

    def fill(self, now: float) -> None:
        self.left, self.at = min(self.limit, self.left + (now - self.at) * self.a_second), now

    @property
    def reset_s(self) -> float:
        return (self.limit - self.left) / self.a_second


@dataclass
class Limited:
    """An answerer for the stand-in; limits are by model."""

    requests: tuple[float, float] | None = None
    """At most so many at once, and so many a second."""
    tokens: tuple[float, float] | None = None
    headers: Headers = as_openai
    retry_after: bool = True
    made: int = 10
    """Tokens of an answer."""
    now: Callable[[], float] = time.monotonic
    text: Callable[[Mapping[str, Any]], str] | None = None
    """What is answered, if it matters."""
    buckets: dict[str, dict[str, Bucket]] = field(default_factory=dict)
    turned_away: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    def __call__(self, body: Mapping[str, Any], number: int) -> web.StreamResponse:
        model = body["model"]
        limits = {"requests": self.requests, "tokens": self.tokens}
        if model not in self.buckets:
            now = self.now()
            self.buckets[model] = {kind: Bucket(*limit, limit[0], now) for kind, limit in limits.items() if limit}
        buckets = self.buckets[model]
        text = self.text(body) if self.text else "word " * self.made
        answer = completion(model, text, sent=body["messages"])
        cost = {"requests": 1.0, "tokens": float(answer["usage"]["total_tokens"])}
        for bucket in buckets.values():
            bucket.fill(self.now())
        fits = all(bucket.left >= cost[kind] for kind, bucket in buckets.items())
        if fits:
            for kind, bucket in buckets.items():
                bucket.left -= cost[kind]
        told: dict[str, str] = {}
        for kind, bucket in buckets.items():
            told |= self.headers(kind, bucket.limit, bucket.left, bucket.reset_s)
        if fits:
            self.answered[model] += 1
            return web.json_response(answer, headers=told)
        self.turned_away[model] += 1
        if self.retry_after:
            wait_s = max((cost[kind] - bucket.left) / bucket.a_second for kind, bucket in buckets.items())
            told["retry-after-ms"] = f"{max(1.0, wait_s * 1000):.0f}"
        return fault(429, "Rate limit reached", headers=told, code="rate_limit_exceeded")
