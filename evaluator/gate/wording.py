"""How figures are written for people: per cent, money, times, points. Shared by the gate's reasons and the reports.

Plain text only: no markup, no escaping.
"""

import math

from evaluator.records import Interval, Metric

_WHOLE = 100.0
_SMALL = 0.1
_THOUSAND = 1000.0
_POINT_UNITS = {"share": "points"}


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, at most three decimals lost to zeros: 4.31, 0.0123, 1,234.

    Args:
        value: May be infinite or NaN.
        digits: Significant digits below a thousand; above, all whole digits are kept.
    """
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "-∞" if value < 0 else "∞"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def percent(share: float) -> str:
    """A share as per cent: 0.123 -> "12.3%", 0.05 -> "5%", 0.0004 -> "0.04%", 1.5 -> "150%"."""
    hundred = share * 100.0
    if math.isfinite(hundred) and abs(hundred) >= _SMALL:
        text = f"{hundred:,.0f}" if abs(hundred) >= _WHOLE else f"{hundred:.1f}".removesuffix(".0")
        return f"{text}%"
    return f"{number(hundred, 2 if abs(hundred) >= _SMALL / 100 else 1)}%"


def points(share: float) -> str:
    """A difference of shares: 0.032 -> "3.2 points", 0.01 -> "1 point"."""
    text = percent(share).removesuffix("%")
    return f"{text} point" if text in ("1", "-1") else f"{text} points"


def money(usd: float) -> str:
    """US dollars: "$12.30", "$0.0123", "-$0.50"."""
    if not math.isfinite(usd):
        return f"${number(usd)}"
    size = abs(usd)
    text = f"{size:,.2f}" if size >= 1 or size == 0 else f"{size:.{2 - math.floor(math.log10(size))}f}"
    if "." in text:
        whole, _, cents = text.partition(".")
        cents = cents.rstrip("0").ljust(2, "0")
        text = f"{whole}.{cents}"
    return f"-${text}" if usd < 0 else f"${text}"


def duration(seconds: float) -> str:
    """Seconds: "850 ms" below one second, "2.31 s" from there on."""
    if math.isfinite(seconds) and 0 < abs(seconds) < 1:
        return f"{number(seconds * _THOUSAND)} ms"
    return f"{number(seconds)} s"


def value(metric: Metric, figure: float) -> str:
    """A value of a metric in its unit."""
    if metric.unit == "share":
        return percent(figure)
    if metric.unit == "usd":
        return money(figure)
    if metric.unit == "seconds":
        return duration(figure)
    if metric.unit == "tokens":
        return f"{number(figure)} tokens"
    return number(figure)


def difference(metric: Metric, figure: float) -> str:
    """A difference of two values of a metric in its unit; of shares in points."""
    return points(figure) if metric.unit in _POINT_UNITS else value(metric, figure)


def change(metric: Metric, figure: float, *, relative: bool) -> str:
    """A change as a share of base (per cent) or in the metric's unit, with its sign as it is."""
    return percent(figure) if relative else difference(metric, figure)


def value_interval(metric: Metric, interval: Interval) -> str:
    """An interval of a value: "95% interval 4.21 to 4.4"; "... at least 4.21" where one end is open."""
    name = f"{percent(interval.confidence)} interval"
    low_open, high_open = math.isinf(interval.low), math.isinf(interval.high)
    if low_open and high_open:
        return "no interval: too little is known"
    if high_open:
        return f"{name} at least {value(metric, interval.low)}"
    if low_open:
        return f"{name} at most {value(metric, interval.high)}"
    return f"{name} {value(metric, interval.low)} to {value(metric, interval.high)}"


def worsening(metric: Metric, worse: float, *, relative: bool) -> str:
    """A change counted towards the worse: "12.3% worse", "1.2% better", "unchanged"."""
    if worse == 0:
        return "unchanged"
    return f"{change(metric, abs(worse), relative=relative)} {'worse' if worse > 0 else 'better'}"


def worsening_interval(metric: Metric, interval: Interval, worse: float, *, relative: bool) -> str:
    """An interval counted towards the worse, as it follows the words of `worsening`.

    "95% interval 8.1% to 16.2%" where all of it is on the same side as `worse`, else "95% interval 3% better to
    5.4% worse".
    """
    name = f"{percent(interval.confidence)} interval"
    low, high = interval.low, interval.high
    if math.isinf(low) and math.isinf(high):
        return "no interval: too little is known"
    if low == high == 0:
        return "nothing differs"
    if worse != 0 and not math.isinf(low) and not math.isinf(high) and low * high > 0 and low * worse > 0:
        near, far = sorted((abs(low), abs(high)))
        return f"{name} {change(metric, near, relative=relative)} to {change(metric, far, relative=relative)}"
    if math.isinf(high):
        return f"{name} {worsening(metric, low, relative=relative)} or more"
    if math.isinf(low):
        return f"{name} {worsening(metric, high, relative=relative)} or less"
    return f"{name} {worsening(metric, low, relative=relative)} to {worsening(metric, high, relative=relative)}"
