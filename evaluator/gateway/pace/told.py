"""What a provider tells of its limits in the headers of an answer: how long to wait, and what is left of each limit.

OpenAI's `x-ratelimit-*` (Groq, GitHub Models and others send the same) with durations such as `6m0s`, Azure's with
plain seconds, Anthropic's `anthropic-ratelimit-*` with RFC 3339 times. In all of them `reset` is the time until the
limit is whole again, so that (limit - remaining) / reset is how fast it fills. What cannot be read is not believed.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DEFAULT_RESET_S = 60.0
"""Where a limit is told without a time: limits are per minute."""
_LONGEST_S = 30 * 24 * 3600.0
_EPOCH_FROM = 1_000_000_000
"""A plain number from here on is seconds since 1970, not a duration."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_KINDS = {"requests": "requests", "tokens": "tokens", "input-tokens": "input", "output-tokens": "output"}
"""Anthropic's names of limits, and ours."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one limit."""

    kind: str
    """`requests`, `tokens`, or of the tokens `input` or `output` alone."""
    limit: float
    remaining: float
    """Never more than the limit."""
    reset_s: float
    """Seconds until it is whole again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer told."""

    retry_after_s: float | None = None
    """How long nothing more may be asked."""
    left: tuple[Left, ...] = ()


NOTHING = Told()


def read_told(headers: Mapping[str, str], now: float) -> Told:
    """Read the limits in an answer's headers.

    Args:
        headers: Names in any case, as aiohttp has them.
        now: Seconds since the epoch, for times that are given as dates.
    """
    left: list[Left] = []
    if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
        for kind in ("requests", "tokens"):
            found = (headers.get(f"x-ratelimit-{part}-{kind}") for part in ("limit", "remaining", "reset"))
            left += _left(kind, *found, now=now)
    if "anthropic-ratelimit-requests-remaining" in headers or "anthropic-ratelimit-tokens-remaining" in headers:
        for name, kind in _KINDS.items():
            found = (headers.get(f"anthropic-ratelimit-{name}-{part}") for part in ("limit", "remaining", "reset"))
            left += _left(kind, *found, now=now)
    asked = retry_after_s(headers, now)
    return Told(asked, tuple(left)) if left or asked is not None else NOTHING


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds, or a date); None if neither can be read."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    value = headers.get("Retry-After")
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return _bounded(seconds)
    try:
        return _bounded(parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def duration_s(text: str | None, now: float) -> float | None:
    """Seconds until a reset: `6m0s`, `120ms`, `7`, seconds since 1970 or an RFC 3339 time; None if none of them."""
    text = (text or "").strip()
    number = _number(text)
    if number is not None:
        return _bounded(number - now if number >= _EPOCH_FROM else number)
    parts = _PART.findall(text)
    if parts and "".join(value + unit for value, unit in parts) == text:
        return _bounded(sum(float(value) * _UNITS[unit] for value, unit in parts))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return _bounded(moment.timestamp() - now)


def _left(kind: str, limit: str | None, remaining: str | None, reset: str | None, *, now: float) -> list[Left]:
    """One limit, or none where its numbers make no sense (Azure has been seen to tell -1)."""
    most, there = _number(limit), _number(remaining)
    if most is None or there is None or most <= 0 or there < 0:
        return []
    reset_s = duration_s(reset, now)
    return [Left(kind, most, min(there, most), DEFAULT_RESET_S if reset_s is None else reset_s)]


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), _LONGEST_S)
