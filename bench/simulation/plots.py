"""Small line charts as SVG text: no library, the same bytes for the same numbers, readable on light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 84
_COLOURS = ("#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#868e96", "#e8a200")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]
    """(x, y)."""
    dashed: bool = False


def line_chart(title: str, x_name: str, y_name: str, lines: Sequence[Line], *, y_top: float | None = None) -> str:
    """A line chart with a legend below; y starts at 0.

    Args:
        title: Above the chart.
        x_name: Of the x axis.
        y_name: Of the y axis.
        lines: At least one, with at least one point.
        y_top: Top of the y axis; the largest value if None.
    """
    xs = sorted({x for line in lines for x, _ in line.points})
    top = y_top or max(y for line in lines for _, y in line.points) or 1.0
    low, high = xs[0], xs[-1] if xs[-1] > xs[0] else xs[0] + 1.0

    def place(x: float, y: float) -> str:
        across = _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - min(y / top, 1.0) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for step in range(5):
        value = top * step / 4
        x, y = place(low, value).split(",")
        parts.append(f'<line x1="{x}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end" fill="#444">{value:.3g}</text>')
    for value in xs:
        x, y = place(value, 0).split(",")
        parts.append(f'<text x="{x}" y="{float(y) + 16:.1f}" text-anchor="middle" fill="#444">{value:g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - _BOTTOM + 34}" text-anchor="middle" fill="#222">{escape(x_name)}</text>'
    )
    parts.append(f'<text x="{_LEFT}" y="{_TOP - 4}" fill="#444">{escape(y_name)}</text>')
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        path = " ".join(place(x, y) for x, y in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        across, down = _LEFT + (number % 3) * 190, _HEIGHT - 30 + (number // 3) * 18
        parts.append(
            f'<line x1="{across}" y1="{down - 4}" x2="{across + 22}" y2="{down - 4}" '
            f'stroke="{colour}" stroke-width="2"{dash}/>'
        )
        parts.append(f'<text x="{across + 28}" y="{down}" fill="#222">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
