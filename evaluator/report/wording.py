"""How numbers are shown: values by unit, changes, intervals, bounds, times. Our own text, safe in every rendering."""

import math
from collections.abc import Callable
from typing import Protocol

from evaluator.report.document_parts import BoundPart, IntervalPart, Unit

DASH = "–"
MINUS = "−"


NO_INTERVAL = "no interval: too little is known"
"""Where nothing bounds a figure; the gate's reasons say it in the same words."""
_LARGEST = 1000.0
"""A change beyond so many times base says no more than that base is next to nothing."""


class _Row(Protocol):
    @property
    def unit(self) -> Unit: ...
    @property
    def higher_is_better(self) -> bool: ...
    @property
    def base(self) -> float | None: ...
    @property
    def head(self) -> float | None: ...
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
    """Write a signed relative change: `+2.1%`, `-3.4%`, `0.0%`; beyond 1,000 times base, `over +100,000%`."""
    if share is None:
        return DASH
    if abs(share) >= _LARGEST:
        return f"over {'+' if share > 0 else MINUS}{_LARGEST * 100:,.0f}%"
    size = f"{abs(share) * 100:,.1f}" if abs(share) < 10 else f"{abs(share) * 100:,.0f}"
    if float(size.replace(",", "")) == 0:
        return "0.0%"
    return f"{'+' if share > 0 else MINUS}{size}%"


def change(row: _Row) -> str:
    """Write a row's relative change with its interval, where both exist: `-3.4% (-5.1 to -1.6)`; else say why not."""
    if row.change is None:
        return _no_change(row)
    told = percent(row.change)
    return told if row.interval is None else f"{told} ({_relative_interval(row.interval)})"


def _no_change(row: _Row) -> str:
    """There is no share of a base of zero; a side that has no value shows that itself."""
    if row.base != 0 or row.head is None:
        return DASH
    return f"{DASH} (base is 0)" if row.head else "unchanged"


def _relative_interval(interval: IntervalPart) -> str:
    if interval.low is None or interval.high is None:
        return open_interval(interval, percent)
    return f"{percent(interval.low).rstrip('%')} to {percent(interval.high).rstrip('%')}"


def open_interval(interval: IntervalPart, written: Callable[[float], str]) -> str:
    """Write an interval of which one end or both are open: `at least +2.0%`, `at most +5.0%`, or that there is none."""
    if interval.low is not None:
        return f"at least {written(interval.low)}"
    return NO_INTERVAL if interval.high is None else f"at most {written(interval.high)}"


def worsening(row: _Row) -> float | None:
    """Give the change counted towards the worse, as a share of base; infinite from a base of zero, None if unknown."""
    if row.change is not None:
        size = row.change
    elif row.base == 0 and row.head is not None:
        size = math.copysign(math.inf, row.head) if row.head else 0.0
    else:
        return None
    return -size if row.higher_is_better else size


def better(row: _Row) -> int:
    """Say whether the point change is for the better (1), for the worse (-1) or neither (0)."""
    worse = worsening(row)
    if worse is None or abs(worse) < 0.0005:
        return 0
    return -1 if worse > 0 else 1


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
