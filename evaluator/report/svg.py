"""Small drawings of the HTML report as inline SVG: an interval against its bound, and how values are spread.

Colours and strokes come from classes of the style sheet, so that they follow light and dark, and no `style` attribute
is needed under the page's content security policy. Each drawing carries its own description for screen readers.
"""

from typing import TYPE_CHECKING

from evaluator.report import wording
from evaluator.report.document_parts import BoundPart, Distribution, IntervalPart, Unit

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDE, _HIGH = 240.0, 26.0
_PLOT, _BARS, _STRIP = 240.0, 76.0, 38.0
_DOT = 2.6
_ROWS = 7
_DEEPEST = 70
"""Most dots that are drawn at one place; with more cases than that, a dot stands for several."""


def bound_plot(part: BoundPart, unit: Unit) -> "Markup | None":
    """Draw a bound's figure and interval on a line whose forbidden side is shaded; None if there is no figure."""
    if part.value is None:
        return None
    limit = -part.limit if part.kind == "max_drop" else part.limit
    forbidden_left = part.kind in ("min", "max_drop")
    low, high = (part.interval.low, part.interval.high) if part.interval else (part.value, part.value)
    ends = [part.value, limit, *(end for end in (low, high) if end is not None)]
    if part.kind in ("max_drop", "max_increase"):
        ends.append(0.0)
    left, right = min(ends), max(ends)
    pad = (right - left) * 0.14 or abs(limit) * 0.5 or 1.0
    left, right = left - pad, right + pad

    def x(value: float) -> float:
        return round((value - left) / (right - left) * _WIDE, 1)

    edge, middle = x(limit), _HIGH / 2
    start, stop = x(left if low is None else low), x(right if high is None else high)
    told = f"{wording.bound(part, unit)}: {wording.figure(part.value, part, unit)}"
    if part.interval is not None:
        told += f", {_interval(part.interval, part, unit)}"
    shapes = [
        _rect("zone", 0 if forbidden_left else edge, 3, edge if forbidden_left else _WIDE - edge, _HIGH - 6),
        _line("axis", 0, middle, _WIDE, middle),
        _line("limit", edge, 1, edge, _HIGH - 1),
    ]
    if left < 0 < right and part.kind in ("max_drop", "max_increase"):
        shapes.append(_line("zero", x(0.0), 7, x(0.0), _HIGH - 7))
    if part.interval is not None:
        shapes.append(_line("range", start, middle, stop, middle))
        # An open end has no cap: it does not end at the drawing's edge.
        closed = [x(end) for end in (low, high) if end is not None]
        shapes += [_line("cap", end, middle - 4, end, middle + 4) for end in closed]
    shapes.append(f'<circle class="dot" cx="{x(part.value)}" cy="{middle}" r="4"/>')
    return _svg(f"plot {part.state}", _WIDE, _HIGH, f"{told}: {part.state}", shapes)


def distribution_plot(spread: Distribution) -> "Markup":
    """Draw base's and head's values as bars side by side, and below them each case's difference as a dot."""
    bins = len(spread.base)
    top = max([*spread.base, *spread.head, 1])
    slot = _PLOT / max(bins, 1)
    width = min(slot * 0.4, 26.0)
    floor = _BARS + 12
    shapes = [_line("axis", 0, floor, _PLOT, floor)]
    for index, (before, after) in enumerate(zip(spread.base, spread.head, strict=True)):
        centre = slot * (index + 0.5)
        for name, count, left in (("bar base", before, centre - width), ("bar head", after, centre)):
            if count:
                tall = max(count / top * _BARS, 1.5)
                shapes.append(_rect(name, left, floor - tall, width - 0.6, tall))
        if spread.discrete:
            shapes.append(_text(centre, floor + 14, _score(spread.edges[index], spread.unit), "middle"))
    if not spread.discrete:
        shapes.append(_text(0, floor + 14, wording.value(spread.edges[0], spread.unit), "start"))
        shapes.append(_text(_PLOT, floor + 14, wording.value(spread.edges[-1], spread.unit), "end"))
    high = floor + 24
    if spread.differences:
        shapes += _strip(spread, high)
        high += _STRIP + 20
    return _svg("spread", _PLOT, high, _told(spread), shapes)


def _strip(spread: Distribution, top: float) -> list[str]:
    """Draw the paired differences: dots stacked where they fall together, worse and better apart in colour."""
    reach = max(abs(difference) for difference in spread.differences) or 1.0
    centre, half = _PLOT / 2, _PLOT / 2 - _DOT * 2
    columns: dict[int, list[float]] = {}
    for difference in spread.differences:
        columns.setdefault(round((centre + difference / reach * half) / (_DOT * 2)), []).append(difference)
    each = -(-max(len(found) for found in columns.values()) // _DEEPEST)
    floor = top + _STRIP
    shapes = [_line("axis", 0, floor, _PLOT, floor), _line("zero", centre, top, centre, floor)]
    for column, found in sorted(columns.items()):
        for index, difference in enumerate(found[::each]):
            good = (difference > 0) == spread.higher_is_better
            name = "dot same" if difference == 0 else "dot better" if good else "dot worse"
            beside = _beside(index // _ROWS, column * _DOT * 2)
            across = min(max((column + beside) * _DOT * 2, _DOT), _PLOT - _DOT)
            up = floor - _DOT - 0.5 - index % _ROWS * _DOT * 2
            shapes.append(f'<circle class="{name}" cx="{across:.1f}" cy="{up:.1f}" r="{_DOT - 0.3:.1f}"/>')
    shapes.append(_text(0, floor + 14, _signed(-reach, spread.unit), "start"))
    shapes.append(_text(centre, floor + 14, "no change", "middle"))
    shapes.append(_text(_PLOT, floor + 14, _signed(reach, spread.unit), "end"))
    return shapes


def _beside(stack: int, at: float) -> int:
    """Say how many columns from its own the n-th stack of a place goes: right and left by turns, at an edge inwards."""
    if at < _PLOT * 0.25:
        return stack
    if at > _PLOT * 0.75:
        return -stack
    return (stack + 1) // 2 * (1 if stack % 2 else -1)


def difference_counts(spread: Distribution) -> str:
    """Say how many cases got worse, stayed and got better; empty if no differences are known."""
    if not spread.differences:
        return ""
    worse = sum(difference != 0 and (difference > 0) != spread.higher_is_better for difference in spread.differences)
    better = sum(difference != 0 for difference in spread.differences) - worse
    return f"{worse} worse · {len(spread.differences) - worse - better} same · {better} better"


def _told(spread: Distribution) -> str:
    paired = difference_counts(spread).replace(" ·", ",")
    both = f"Values of {sum(spread.base)} cases at base and {sum(spread.head)} at head"
    return f"{both}; by pairs: {paired}" if paired else both


def _score(number: float, unit: Unit) -> str:
    return f"{number:g}" if unit in ("score", "share", "count") else wording.value(number, unit)


def _signed(number: float, unit: Unit) -> str:
    sign = "+" if number > 0 else wording.MINUS
    size = f"{abs(number):.2g}" if unit in ("score", "share", "count") else wording.value(abs(number), unit)
    return f"{sign}{size}"


def _interval(interval: IntervalPart, part: BoundPart, unit: Unit) -> str:
    def written(end: float) -> str:
        return wording.figure(end, part, unit)

    if interval.low is None and interval.high is None:
        return wording.NO_INTERVAL
    if interval.low is None or interval.high is None:
        return f"interval {wording.open_interval(interval, written)}"
    return f"interval {written(interval.low)} to {written(interval.high)}"


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _rect(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    from markupsafe import escape

    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(name: str, width: float, height: float, told: str, shapes: list[str]) -> "Markup":
    from markupsafe import Markup, escape

    # Everything below is numbers and words of ours; the description is escaped because it may hold a metric's name.
    return Markup(  # noqa: S704
        f'<svg class="{name}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(told)}">'
        f"<title>{escape(told)}</title>{''.join(shapes)}</svg>"
    )
