"""The sentences that say why a bound, an objective and a verdict are what they are; `wording` writes the figures."""

from collections.abc import Sequence

from evaluator.gate import wording
from evaluator.records import Bound, BoundKind, Interval, Metric, ObjectiveResult, State

_MOST_NAMED = 3
WEAK = "a weak pass"
"""What the reason of a weak pass says."""
_KINDS = {BoundKind.MAX_DROP: "a drop", BoundKind.MAX_INCREASE: "an increase"}


def limit_words(metric: Metric, bound: Bound) -> str:
    """The bound as words: "the 5 % allowed", "the $0.01 allowed", "the 4 asked for"."""
    if bound.kind is BoundKind.MIN:
        return f"the {wording.value(metric, bound.limit)} asked for"
    if bound.kind is BoundKind.MAX:
        return f"the {wording.value(metric, bound.limit)} allowed"
    return f"the {wording.change(metric, bound.limit, relative=bound.relative)} allowed"


def change_reason(metric: Metric, bound: Bound, worse: float, interval: Interval, *, good: bool) -> str:
    """What was seen of a change: "12.3 % worse (95 % interval 8.1 % to 16.2 %), more than the 5 % allowed".

    Args:
        metric: What is compared.
        bound: The bound it is held against.
        worse: The change counted towards the worse, relative or absolute as the bound is.
        interval: Counted likewise.
        good: Whether the change keeps the bound.
    """
    seen = wording.worsening(metric, worse, relative=bound.relative)
    known = wording.worsening_interval(metric, interval, worse, relative=bound.relative)
    return f"{seen} ({known}), {'within' if good else 'more than'} {limit_words(metric, bound)}"


def value_reason(metric: Metric, bound: Bound, figure: float, interval: Interval, *, good: bool) -> str:
    """What was seen of a value: "4.31 (95 % interval 4.2 to 4.4), at least the 4 asked for"."""
    if bound.kind is BoundKind.MIN:
        relation = "at least" if good else "less than"
    else:
        relation = "within" if good else "more than"
    seen, known = wording.value(metric, figure), wording.value_interval(metric, interval)
    return f"{seen} ({known}), {relation} {limit_words(metric, bound)}"


def weak_change(metric: Metric, bound: Bound, far: float) -> str:
    """Why a pass is weak: the far edge of the zone is not excluded."""
    edge = wording.change(metric, far, relative=bound.relative)
    return f"{_KINDS[bound.kind]} of {edge} or more cannot be ruled out"


def weak_value() -> str:
    """Why a pass of an absolute bound is weak."""
    return "the interval reaches beyond it"


def open_change(metric: Metric, bound: Bound, near: float, objectives: int) -> str:
    """Why a change beyond the bound is no fail yet: the near edge of the zone is not excluded."""
    edge = wording.change(metric, near, relative=bound.relative)
    among = f" with {objectives} objectives tested at once" if objectives > 1 else ""
    return f"but {_KINDS[bound.kind]} of no more than {edge} cannot be ruled out{among}"


def lost_cases(lost: int, seen: int) -> str:
    """How many cases count on one side only."""
    return f"{lost} of {_cases(seen)} {'counts' if lost == 1 else 'count'} on one side only"


def too_few(units: int, least: int, *, clustered: bool) -> str:
    """Why so few cases decide nothing."""
    thing = _clusters(units) if clustered else _cases(units)
    return f"only {thing}, and at least {least} are needed to decide"


def few_warning(units: int, advised: int, *, clustered: bool) -> str:
    """The warning of a small golden set."""
    thing = _clusters(units) if clustered else _cases(units)
    what = "too few clusters" if clustered else "too few cases"
    return f"{what}: {thing}; below {advised} intervals can be too narrow"


def wide_warning(units: int, advised: int, *, clustered: bool) -> str:
    """The warning of an interval that is wider than it would be with more cases."""
    thing = _clusters(units) if clustered else _cases(units)
    return f"few {'clusters' if clustered else 'cases'}: {thing}; below {advised} this interval errs on the wide side"


def _cases(count: int) -> str:
    return f"{count} case" if count == 1 else f"{count} cases"


def _clusters(count: int) -> str:
    return f"{count} cluster" if count == 1 else f"{count} clusters"


_VERBS: dict[State, tuple[str, str]] = {
    "fail": ("fails", "fail"),
    "error": ("could not be judged", "could not be judged"),
    "inconclusive": ("is inconclusive", "are inconclusive"),
    "pass": ("passes", "pass"),
}


def verdict_reason(state: State, results: Sequence[ObjectiveResult]) -> str:
    """One sentence that names the objectives that decide."""
    decisive = [result for result in results if result.state == state]
    if state == "pass":
        weak = [result.name for result in results if any(WEAK in bound.reason for bound in result.bounds)]
        said = "The objective holds" if len(results) == 1 else f"All {len(results)} objectives hold"
        return f"{said}; a weak pass for {', '.join(weak)}." if weak else f"{said}."
    one, many = _VERBS[state]
    if len(decisive) == 1:
        return f"{decisive[0].name} {one}: {decisive[0].reason}."
    # Their reasons stand beside each in every report.
    named = ", ".join(result.name for result in decisive[:_MOST_NAMED])
    more = f" and {len(decisive) - _MOST_NAMED} more" if len(decisive) > _MOST_NAMED else ""
    return f"{len(decisive)} of {len(results)} objectives {many}: {named}{more}."
