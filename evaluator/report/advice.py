"""What to do about a verdict, in one line, from what the document holds. Plain text, not yet escaped."""

import math

from evaluator.report import presentation, standing, wording
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import ObjectivePart
from evaluator.report.escape import one_line

_NEAR, _FAR = 0.4, 1.6
"""Edges of the zone around a bound, as shares of it: the gate's own, where a bound names no others."""
_TOO_MANY = 20.0
"""So many times the cases that there are is no advice."""
_PATH = 80


def what_to_do(document: ResultDocument, *, below: bool = True) -> str:
    """Say what to do next; empty for a plain pass.

    Args:
        document: The result.
        below: Whether the cases that got worse stand below.
    """
    state = document.verdict.state
    if state == "fail":
        return _fail(document, below=below)
    if state == "inconclusive":
        return _inconclusive(document, below=below)
    if state == "error":
        return "Fix what stopped it, then run it again: it goes on where it stopped."
    return _weak(document) if standing.weak_rows(document) else ""


def cases_needed(document: ResultDocument, rows: list[ObjectivePart]) -> int | None:
    """About how many cases would show a change at the far edge of the zone; None where unknown or out of reach.

    The smallest visible change is the near edge plus a multiple of the standard error, which falls with the root of the
    number of cases.
    """
    there = presentation.cases_in_all(document)
    factors = []
    for row in rows:
        limits = [bound.limit for bound in row.bounds if bound.kind not in ("min", "max") and bound.relative]
        if row.detectable is None or not limits or limits[0] <= 0:
            continue
        near, far = _NEAR * limits[0], _FAR * limits[0]
        more = (row.detectable - near) / (far - near) if row.detectable > far else 1.0
        factors.append(more * more)  # ** raises where a limit next to nothing makes it too large
    factor = max(factors, default=1.0)
    if factor <= 1.0 or factor > _TOO_MANY or not there:
        return None
    exact = factor * there
    step = 10.0 ** max(0, math.floor(math.log10(exact)) - 1)
    return int(math.ceil(exact / step) * step)


def _fail(document: ResultDocument, *, below: bool) -> str:
    where = _config(document)
    cases = presentation.got_worse(document)
    worse, failed = len(cases), sum(case.change == "failed" for case in cases or document.cases)
    told = f"Fix it, or, if the change is intended, change the bound in {where}."
    if 2 * failed > worse:  # no bound would make that right
        told = f"Find out why {wording.count(failed, 'case')} failed at head: what was said stands with each."
    if worse:
        place = "the worst are below" if below else "they are in the full report"
        told += f" {wording.count(worse, 'case')} got worse; {place}."
    return told


def _inconclusive(document: ResultDocument, *, below: bool) -> str:
    rows = [row for row in document.verdict.objectives if row.state == "inconclusive"]
    needed, there = cases_needed(document, rows), presentation.cases_in_all(document)
    more = f"About {needed:,} cases (there are {there:,})" if needed else "More cases"
    told = f"{more}, or more repeats (max_repeats), decide it."
    worse = len(presentation.got_worse(document))
    if worse:
        them = f"the {worse:,} cases" if worse > 1 else "the case"
        told += f" Until then, read {them} that got worse{' below' if below else ''}, and judge for yourself."
    return told


def _weak(document: ResultDocument) -> str:
    needed, there = cases_needed(document, standing.weak_rows(document)), presentation.cases_in_all(document)
    more = f"about {needed - there:,} more cases" if needed else "more cases"
    return f"Nothing, if this is sure enough. To be surer: {more}, or strict: true, with which nothing passes weakly."


def _config(document: ResultDocument) -> str:
    path = one_line(document.config.path, _PATH) if document.config else "the config"
    if document.base is None or (document.config and document.config.source == "head"):
        return path
    return f"{path} on {one_line(document.base.label or document.base.ref or 'base', _PATH)}"
