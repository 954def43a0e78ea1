"""The sentences that say why a bound, an objective and a verdict are what they are; `wording` writes the figures."""

import math
from collections.abc import Sequence

from evaluator.gate import wording
from evaluator.gate.columns import Sample
from evaluator.records import Bound, BoundKind, Interval, Metric, ObjectiveResult, State

_MOST_NAMED = 3
WEAK = "a weak pass"
"""What the reason of a weak pass says."""
_KINDS = {BoundKind.MAX_DROP: "a drop", BoundKind.MAX_INCREASE: "an increase"}


def unknown_answers(metric: Metric, unknown: int, said: str) -> str:
    """Why a bound is not judged: "not known for 3 of head's answers, which may be anything (of the rest: ...)"."""
    limit = "" if metric.unit == "seconds" else "; a limit of tokens in each request bounds what it can have been"
    return f"not known for {unknown} of head's answers, which may be anything (of the rest: {said}){limit}"


def blamed_answers(blamed: int) -> str:
    """What counts against head: "3 answers failed on head alone and not on base: they count as the worst value"."""
    more = f"{blamed} answer" if blamed == 1 else f"{blamed} answers"
    counts = "counts" if blamed == 1 else "count"
    return f"{more} more failed on head alone than on base alone, and {counts} as the worst value"


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


def weak_change(metric: Metric, bound: Bound, far: float, shown: Interval, level: Interval | None) -> str:
    """Why a pass is weak: the far edge of the zone is not excluded.

    Args:
        metric: What is compared.
        bound: The bound it is held against.
        far: The far edge.
        shown: The interval beside it in every report, counted towards the worse.
        level: The wider interval that decided, likewise; None where none did.
    """
    edge = wording.change(metric, far, relative=bound.relative)
    said = f"{_KINDS[bound.kind]} of {edge} or more cannot be ruled out"
    if level is None or shown.high > far:
        return said
    reach = _reach(metric, bound, level, "to", level.high)
    return f"{said} at the stricter level that repeated looks need ({reach})"


def weak_value(metric: Metric, bound: Bound, shown: Interval, level: Interval | None) -> str:
    """Why a pass of an absolute bound is weak; `level` is the wider interval that decided, where one did."""
    beyond = shown.low < bound.limit if bound.kind is BoundKind.MIN else shown.high > bound.limit
    if beyond:
        return "the interval reaches beyond it"
    if level is None:
        return "too few cases to be sure"
    end = level.low if bound.kind is BoundKind.MIN else level.high
    reach = wording.value(metric, end)
    return f"at the stricter level that repeated looks need, the {_interval(level)} reaches to {reach}"


def weak_quantile(metric: Metric, bound: Bound, sample: Sample, share: Interval, alpha: float) -> str:
    """Why a pass of an absolute bound on a quantile is weak: it is held by how many values lie beyond the limit.

    Args:
        metric: A quantile.
        bound: An absolute one.
        sample: The values.
        share: The interval of the share of values beyond the limit that decided.
        alpha: Its one-sided error.
    """
    name, allowed = _quantile(metric, bound)
    few = f"{_units(sample)} {'is' if sample.units == 1 else 'are'} too few to be sure of a {name}"
    values = sample.values if bound.kind is BoundKind.MAX else -sample.values
    limit = bound.limit if bound.kind is BoundKind.MAX else -bound.limit
    beyond = int((values > limit).any(axis=1).sum())
    if beyond == 0:
        # Clopper and Pearson's upper limit of no success in n trials is 1 - alpha^(1/n).
        needed = math.ceil(math.log(alpha) / math.log(1.0 - allowed))
        return f"{few}: at least {needed}, all within the limit, are needed"
    return (
        f"{few}: {beyond} of them {'is' if beyond == 1 else 'are'} beyond the limit, which may be true of"
        f" {wording.percent(allowed)} of all, and could be of up to {wording.percent(share.high)}"
    )


def open_change(
    metric: Metric, bound: Bound, near: float, objectives: int, shown: Interval, level: Interval | None
) -> str:
    """Why a change beyond the bound is no fail yet: the near edge of the zone is not excluded; arguments as above."""
    kind = _KINDS[bound.kind].split()[-1]
    edge = wording.change(metric, near, relative=bound.relative)
    may = f"the true {kind} may be {edge} or less" if near > 0 else f"there may be no true {kind} at all"
    among = f", with {objectives} objectives tested at once" if objectives > 1 else ""
    if level is None or shown.low <= near:
        return f"but it may be chance: {may}{among}"
    reach = _reach(metric, bound, level, "from", level.low)
    return f"but it may be chance at the stricter level needed{among}: {may} ({reach})"


def open_value(bound: Bound, shown: Interval, level: Interval | None) -> str:
    """Why a value beyond an absolute bound is no fail yet."""
    reaches = shown.high >= bound.limit if bound.kind is BoundKind.MIN else shown.low <= bound.limit
    if reaches or level is None:
        return "but the interval reaches to the good side"
    return f"but at the stricter level needed, the {_interval(level)} reaches to the good side"


def open_quantile(metric: Metric, bound: Bound, sample: Sample) -> str:
    """Why a quantile beyond an absolute bound is no fail yet."""
    return f"but {_units(sample)} {'is' if sample.units == 1 else 'are'} too few to tell it from chance"


def _quantile(metric: Metric, bound: Bound) -> tuple[str, float]:
    """(name, share of values that may lie beyond the limit): "95th percentile", 0.05."""
    quantile = metric.quantile or 0.5
    place = f"{quantile * 100:g}"
    ending = {"1": "st", "2": "nd", "3": "rd"}.get(place[-1], "th") if place[-2:] not in ("11", "12", "13") else "th"
    return f"{place}{ending} percentile", 1.0 - quantile if bound.kind is BoundKind.MAX else quantile


def _reach(metric: Metric, bound: Bound, level: Interval, way: str, end: float) -> str:
    """How far the interval that decided reaches: "99.5% interval to 9.1% worse"; where that end is open, says so."""
    if math.isinf(end):
        return f"no {_interval(level)}: too little is known"
    return f"{_interval(level)} {way} {wording.worsening(metric, end, relative=bound.relative)}"


def _interval(interval: Interval) -> str:
    """Name an interval by a confidence that 95 % would hide: "99.5% interval"."""
    return f"{interval.confidence * 100:.4g}% interval"


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


def _units(sample: Sample) -> str:
    return _cases(sample.cases) if sample.clusters is None else _clusters(sample.units)


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
        # Nobody asked for the implied bound on errors to be shown beyond doubt.
        weak = [
            result.name
            for result in results
            if not result.objective.implied and any(WEAK in bound.reason for bound in result.bounds)
        ]
        said = "The objective holds" if len(results) == 1 else f"All {len(results)} objectives hold"
        return f"{said}; {WEAK} for {', '.join(weak)}." if weak else f"{said}."
    one, many = _VERBS[state]
    if len(decisive) == 1:
        return f"{decisive[0].name} {one}: {decisive[0].reason}."
    # Their reasons stand beside each in every report.
    named = ", ".join(result.name for result in decisive[:_MOST_NAMED])
    more = f" and {len(decisive) - _MOST_NAMED} more" if len(decisive) > _MOST_NAMED else ""
    return f"{len(decisive)} of {len(results)} objectives {many}: {named}{more}."
