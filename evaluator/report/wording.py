"""How numbers are shown: values by unit, changes, intervals, bounds, times. Our own text, safe in every rendering."""

import math
from typing import Protocol

from evaluator.report.document_parts import BoundPart, IntervalPart, Unit

DASH = "–"
MINUS = "−"


class _Row(Protocol):
    @property
    def unit(self) -> Unit: ...
    @property
    def higher_is_better(self) -> bool: ...
    @property
    def change(self) -> float | None: ...
    @property
    def interval(self) -> IntervalPart | None: ...


def value(number: float | None, unit: Unit) -> str:
    """Write a metric's value: `87.5%`, `$0.0012`, `812 ms`, `4.31`; a dash if there is none."""
    if number is None:
        return DASH
    sign, size = (MINUS if number < 0 else ""), abs(number)
    if unit == "share":
        return f"{sign}{_trim(size * 100, 1)}%"
    if unit == "usd":
        return money(number)
    if unit == "seconds":
        return duration(number)
    if unit in ("tokens", "count"):
        return f"{sign}{size:,.0f}" if size >= 100 or size == int(size) else f"{sign}{size:.1f}"
    return f"{sign}{size:,.2f}" if size < 1000 else f"{sign}{size:,.0f}"


def money(dollars: float | None) -> str:
    """Write US dollars with the digits that matter: `$12.40`, `$0.031`, `$0.00042`."""
    if dollars is None:
        return DASH
    if dollars < 0:
        return f"{MINUS}{money(-dollars)}"
    if dollars == 0 or dollars >= 1:
        return f"${dollars:,.2f}"
    digits = min(2 - math.floor(math.log10(dollars)), 9)
    text = f"{dollars:.{digits}f}".rstrip("0")
    return f"${text}{'0' * (4 - len(text))}"


def duration(seconds: float | None) -> str:
    """Write a time: `812 ms`, `1.24 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds is None:
        return DASH
    if seconds < 0:
        return f"{MINUS}{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(share: float | None) -> str:
    """Write a signed relative change: `+2.1%`, `-3.4%`, `0.0%`."""
    if share is None:
        return DASH
    if math.isinf(share):
        return "+∞" if share > 0 else f"{MINUS}∞"
    size = f"{abs(share) * 100:,.1f}" if abs(share) < 10 else f"{abs(share) * 100:,.0f}"
    if float(size.replace(",", "")) == 0:
        return "0.0%"
    return f"{'+' if share > 0 else MINUS}{size}%"


def change(row: _Row) -> str:
    """Write a row's relative change with its interval, where both exist: `-3.4% (-5.1 to -1.6)`."""
    if row.change is None:
        return DASH
    told = percent(row.change)
    if row.interval is None:
        return told
    low = percent(-math.inf if row.interval.low is None else row.interval.low).rstrip("%")
    high = percent(math.inf if row.interval.high is None else row.interval.high).rstrip("%")
    return f"{told} ({low} to {high})"


def better(row: _Row) -> int:
    """Say whether the point change is for the better (1), for the worse (-1) or neither (0)."""
    if row.change is None or abs(row.change) < 0.0005:
        return 0
    return 1 if (row.change > 0) == row.higher_is_better else -1


def bound(part: BoundPart, unit: Unit) -> str:
    """Write a bound: `≥ 4.00`, `≤ 2.00 s`, `drop ≤ 5%`, `increase ≤ 2 pp`."""
    if part.kind in ("min", "max"):
        return f"{'≥' if part.kind == 'min' else '≤'} {value(part.limit, unit)}"
    name = "drop" if part.kind == "max_drop" else "increase"
    if part.relative:
        return f"{name} ≤ {_trim(part.limit * 100, 2)}%"
    limit = f"{_trim(part.limit * 100, 2)} pp" if unit == "share" else value(part.limit, unit)
    return f"{name} ≤ {limit}"


def figure(number: float | None, part: BoundPart, unit: Unit) -> str:
    """Write a figure that is held against a bound: a value for min and max, else a signed change."""
    if number is None or part.kind in ("min", "max"):
        return value(number, unit)
    if part.relative:
        return percent(number)
    if unit == "share":
        return f"{'+' if number > 0 else MINUS if number < 0 else ''}{_trim(abs(number) * 100, 1)} pp"
    return ("+" if number > 0 else "") + value(number, unit)


def share(number: float) -> str:
    """Write a share without a sign: `3.4%`."""
    return f"{_trim(number * 100, 1)}%"


def detectable(smallest: float, *, higher_is_better: bool) -> str:
    """Write the smallest change that is seen 80 % of the time: `a drop of 3.4%`."""
    return f"{'a drop' if higher_is_better else 'an increase'} of {share(smallest)}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: `1 case`, `1,200 cases`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _trim(number: float, digits: int) -> str:
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
