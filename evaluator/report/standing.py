"""How a verdict and each objective stand: icon, word and reason, with the weak passes told apart. Plain text."""

from evaluator.report import presentation, wording
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import ObjectivePart
from evaluator.report.escape import one_line

WEAK_ICON = "🟡"
_WEAK = "a weak pass"
"""What the gate's reason of a weak pass says."""
WORST_FIRST = ("❌", "🛑", "⚠️", WEAK_ICON, "✅")
"""Icons in the order in which to say why."""


def is_weak(row: ObjectivePart) -> bool:
    """True for a pass that the evidence hardly carries; not of the bound on errors that nobody wrote."""
    return not row.implied and row.state == "pass" and any(_WEAK in bound.reason for bound in row.bounds)


def weak_rows(document: ResultDocument) -> list[ObjectivePart]:
    """Give the objectives that make a pass weak; none where the verdict is no pass."""
    return [row for row in document.verdict.objectives if is_weak(row)] if document.verdict.state == "pass" else []


def headline(document: ResultDocument) -> tuple[str, str, str]:
    """Give the verdict's icon, its word, and its reason; a weak pass says what could have been missed."""
    verdict, weak = document.verdict, weak_rows(document)
    if not weak:
        return presentation.ICONS[verdict.state], presentation.WORDS[verdict.state], verdict.reason
    missed = [_missed(row, row.detectable) for row in weak if row.detectable is not None]
    return WEAK_ICON, "Weak pass", " ".join([verdict.reason, *missed]).strip()


def _missed(row: ObjectivePart, smallest: float) -> str:
    change = "A drop" if row.higher_is_better else "An increase"
    name = one_line(row.name, presentation.NAME)
    return f"{change} of {name} by less than {wording.share(smallest)} could be missed."


def state_icon(row: ObjectivePart) -> str:
    """Give an objective's icon."""
    return WEAK_ICON if is_weak(row) else presentation.ICONS[row.state]


def state_word(row: ObjectivePart) -> str:
    """Give an objective's state as the table shows it; a pass that the evidence hardly carries says so."""
    return "weak pass" if is_weak(row) else row.state


def row_reason(row: ObjectivePart) -> str:
    """Say why an objective is what it is, where that must be said: it is no pass, or a weak one; else empty."""
    if is_weak(row):
        return "; ".join(dict.fromkeys(bound.reason for bound in row.bounds if _WEAK in bound.reason))
    return "" if row.state == "pass" else row.reason
