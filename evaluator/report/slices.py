"""What every rendering says of slices, in the same order: the worst first. Plain text, not yet escaped."""

import math

from evaluator.report import wording
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import MetricRow, SlicePart
from evaluator.report.escape import one_line
from evaluator.report.presentation import ICONS, NAME


def worst_first(document: ResultDocument) -> list[SlicePart]:
    """Give the slices in the order in which a reviewer should see them.

    First those that failed the gate, then those that gate and are undecided, then those with a metric whose whole
    interval is for the worse, then the rest. Among equals the widest drop comes first, as a share of base; then by tag.
    """
    return sorted(document.slices, key=lambda part: (_rank(part), -_widest(part), part.tag))


def worst_rows(part: SlicePart, most: int) -> list[MetricRow]:
    """Give a slice's metrics in their own order; where there are more than `most`, those that fell furthest."""
    furthest = sorted(range(len(part.rows)), key=lambda place: -_worsening(part.rows[place]))[:most]
    return [part.rows[place] for place in sorted(furthest)]


def _rank(part: SlicePart) -> int:
    if _failed(part):
        return 0
    if part.gated and part.state == "inconclusive":
        return 1
    return 2 if any(_surely_worse(row) for row in part.rows) else 3


def _failed(part: SlicePart) -> bool:
    return part.gated and (part.state == "fail" or bool(part.failed))


def _surely_worse(row: MetricRow) -> bool:
    if row.change is None or row.interval is None:
        return False
    # An open end is on no side.
    end = row.interval.high if row.higher_is_better else row.interval.low
    return end is not None and (end < 0 if row.higher_is_better else end > 0)


def _widest(part: SlicePart) -> float:
    return max((_worsening(row) for row in part.rows), default=-math.inf)


def _worsening(row: MetricRow) -> float:
    worse = wording.worsening(row)
    return -math.inf if worse is None else worse


def note(document: ResultDocument) -> str:
    """Say how slices are sorted and what they are worth."""
    if any(part.gated for part in document.slices):
        return "worst first; gated slices are corrected for their number, the others are exploratory"
    return "worst first; exploratory, not gated: among many slices, one looks bad by chance"


def gate_mark(part: SlicePart) -> str:
    """Say whether a slice gates, and how that went; empty where it does not."""
    if not part.gated:
        return ""
    if _failed(part):
        return f"{ICONS['fail']} failed"
    if part.state == "inconclusive":
        why = one_line(part.undecided[0].partition(": ")[0], NAME) if part.undecided else ""
        return f"{ICONS['inconclusive']} gated, undecided{f': {why}' if why else ''}"
    return f"{ICONS['pass']} gated"


def findings(document: ResultDocument) -> list[tuple[str, str, str]]:
    """Give (icon, slice, finding) of each gated slice that failed, then of each that is undecided, the worst first."""
    parts = worst_first(document)
    failed = [(ICONS["fail"], part, text) for part in parts for text in part.failed]
    open_ = [(ICONS["inconclusive"], part, text) for part in parts for text in part.undecided]
    return [
        (icon, f"slice {one_line(part.tag, NAME)} ({wording.count(part.cases, 'case')})", text)
        for icon, part, text in (*failed, *open_)
    ]
