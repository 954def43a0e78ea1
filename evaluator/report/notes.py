"""What is worth knowing beside the figures, in two heaps: warnings that a reader must see, and housekeeping.

A text is a warning unless it is known to be housekeeping, so that nothing new is hidden by mistake. Plain text.
"""

import re

from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import ObjectivePart
from evaluator.report.escape import one_line
from evaluator.report.presentation import NAME
from evaluator.report.standing import is_weak

_NOTHING = re.compile(r"few (?:cases|clusters): 0 ")
"""How wide an interval of no case would be is no news."""
_ONE_SIDE = re.compile(r"\d+ of \d+ cases? counts? on one side only")
_HOUSEKEEPING = re.compile(
    r"few (?:cases|clusters): .*; below \d+ this interval errs on the wide side"
    r"|base was not asked again: "
    r"|rows that end in _vs_anchor compare with "
    r"|\d+ of \d+ cases were enough to decide every objective"
    r"|\d+ pairs of latencies were measured in different runs and are not compared"
    r"|what was run is its merge into "
)
_OWN_HASH = re.compile(
    r"rows that end in _vs_anchor compare with .* \(([0-9a-f]{12})\), not with base; .*"
    r"|what was run is its merge into .* \(([0-9a-f]{12})\)"
)
_HASH = re.compile(r"[0-9a-f]{12,64}")


def warnings(document: ResultDocument) -> list[str]:
    """Give what must be seen, each once; what several objectives share is told once with their names."""
    return [*_told(document, housekeeping=False)]


def housekeeping(document: ResultDocument) -> list[str]:
    """Give what explains the figures and changes nothing about them, each once."""
    return [*_told(document, housekeeping=True)]


def own_hashes(document: ResultDocument) -> tuple[str, ...]:
    """Give the commits that were compared, and those that our own notes name at a place of their own."""
    refs = [ref.sha for ref in (document.base, document.head) if ref is not None]
    named = [found for note in document.notes if (match := _OWN_HASH.fullmatch(note)) for found in match.groups()]
    return tuple(sha for sha in (*refs, *named) if sha and _HASH.fullmatch(sha))


def _told(document: ResultDocument, *, housekeeping: bool) -> dict[str, None]:
    shared: dict[str, list[str]] = {}
    for row in document.verdict.objectives:
        for warning in dict.fromkeys(row.warnings):
            if not _said_already(row, warning) and _is_housekeeping(row, warning) == housekeeping:
                shared.setdefault(warning, []).append(one_line(row.name, NAME))
    everyone = len(document.verdict.objectives)
    told = [] if housekeeping else [*document.verdict.warnings]
    for warning, names in shared.items():
        told.append(warning if len(names) == everyone > 1 else f"{', '.join(names)}: {warning}")
    told += [note for note in document.notes if bool(_HOUSEKEEPING.match(note)) == housekeeping]
    return dict.fromkeys(told)


def _said_already(row: ObjectivePart, warning: str) -> bool:
    """True for the reason of a weak pass, which stands beside the objective, and for what is about no case."""
    return bool(_NOTHING.match(warning)) or (is_weak(row) and any(warning == bound.reason for bound in row.bounds))


def _is_housekeeping(row: ObjectivePart, warning: str) -> bool:
    if _HOUSEKEEPING.match(warning):
        return True
    # Where nothing is compared with base, pairs that are lost are no loss.
    absolute = bool(row.bounds) and all(bound.kind in ("min", "max") for bound in row.bounds)
    return absolute and bool(_ONE_SIDE.fullmatch(warning))
