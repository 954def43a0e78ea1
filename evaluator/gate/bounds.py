"""One bound against the data: pass, weak pass, fail, inconclusive or error, with its figure, interval and reason.

The rule. A change is held against a zone around its limit b, from 0.4 b to 1.6 b (-2 % and -8 % around -5 %), because
at exactly the limit no rule can do better than a coin:

- pass: the change seen keeps the limit, and the far edge is excluded;
- fail: the change seen breaks the limit, and the near edge is excluded;
- else more evidence, as long as there is any to be had (`sequential`); in the last look:
- limit kept: a weak pass (inconclusive where the rule is strict);
- limit broken: fail if the worsening on these very cases is beyond run-to-run noise; else inconclusive.

An edge is excluded by the interval of complete data, or by a test that was valid at every look on the way there. An
absolute bound has no zone: both edges are the limit. Exactly at the limit counts as kept. Error rates: `rule`.
"""

import math
from dataclasses import dataclass, replace

from evaluator.gate import reasons
from evaluator.gate.columns import Columns, Sample
from evaluator.gate.estimates import Estimate, estimate_change, estimate_value, run_value
from evaluator.gate.rule import FEWEST_UNITS, MOST_LOST, QUANTILE_ALPHA, Rule
from evaluator.records import Bound, BoundKind, BoundResult, Interval, Metric, MetricKind, State
from evaluator.stats import exceedance_interval, is_plain, normal_quantile, run_to_run_error

_SHOWN = 0.95
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Excluded:
    """Which edges tests have excluded that were valid at every look."""

    far: bool
    near: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the data say of one figure against its limit, before it is put into words."""

    good: bool
    """The figure seen keeps the limit."""
    surely_good: bool
    """Its interval excludes the far edge."""
    surely_bad: bool
    """Its interval excludes the near edge."""
    decides: bool = True
    """False where there are too few units for the method."""
    for_pass: Interval | None = None
    """The interval that had to exclude the far edge, counted towards the worse; of an absolute bound, as it is; of a
    quantile, of the share of values beyond the limit. For the reason alone; None where a test at every look decided."""
    for_fail: Interval | None = None
    """Likewise for the near edge."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A bound's result, and how sure it is."""

    result: BoundResult
    good: bool = False
    """The figure seen keeps the limit."""
    decided: bool = True
    """No further repeat could change more than the figures: not a weak pass, nor left open, nor of the last resort."""

    @property
    def weak(self) -> bool:
        """True for a pass that rests on the figure seen alone."""
        return self.result.state == "pass" and not self.decided


def check_bound(
    metric: Metric, bound: Bound, columns: Columns, rule: Rule, excluded: Excluded | None = None
) -> Finding:
    """Hold one bound against the data.

    Args:
        metric: What is measured.
        bound: Its limit.
        columns: The values.
        rule: How strictly.
        excluded: What sequential tests have excluded by now; None lets the intervals of complete data say it.
    """
    if columns.unknown and not columns.head.cases:
        return _error(bound, "the cost, time or tokens of head's answers are not known")
    check = _check_change if bound.kind.relative_to_base else _check_value
    finding = check(metric, bound, columns, rule, excluded)
    if columns.unknown and finding.result.state in ("pass", "inconclusive"):
        # It may be anything: what is known must not be taken for the whole.
        reason = reasons.unknown_answers(metric, columns.unknown, finding.result.reason)
        return Finding(replace(finding.result, state="error", reason=reason), finding.good, finding.decided)
    return finding


def _error(bound: Bound, reason: str) -> Finding:
    return Finding(BoundResult(bound, "error", None, None, reason))


def _check_value(metric: Metric, bound: Bound, columns: Columns, rule: Rule, excluded: Excluded | None) -> Finding:
    sample = columns.head
    if sample.cases == 0:
        return _error(bound, "nothing was measured on head")
    if columns.pair is not None and columns.lost_by_head > MOST_LOST * columns.seen:
        return _error(bound, f"head has no value for {columns.lost_by_head} of {columns.seen} cases")
    estimate = estimate_value(metric, sample, rule.seed)
    shown = estimate.at(_SHOWN)
    sign = 1.0 if bound.kind is BoundKind.MAX else -1.0
    good = sign * (estimate.value - bound.limit) <= _ROUNDING * max(1.0, abs(bound.limit))
    if excluded is not None:
        evidence = Evidence(good, excluded.far, excluded.near)
    else:
        evidence = _value_evidence(metric, bound, sample, estimate, rule, good=good)
    said = reasons.value_reason(metric, bound, estimate.value, shown, good=good)
    weak, undecided = _value_doubts(metric, bound, sample, shown, rule, evidence)
    state, words = _conclude(evidence, sample, rule, said, weak=weak, undecided=undecided)
    return _finding(BoundResult(bound, state, estimate.value, shown, words), evidence)


def _value_doubts(
    metric: Metric, bound: Bound, sample: Sample, shown: Interval, rule: Rule, evidence: Evidence
) -> tuple[str, str]:
    """In words, why a pass of an absolute bound would be weak, and why a value beyond it would be no fail."""
    if metric.kind is MetricKind.QUANTILE:
        share = evidence.for_pass or _beyond(metric, bound, sample, rule.pass_alpha)
        weak = reasons.weak_quantile(metric, bound, sample, share, rule.pass_alpha)
        return weak, reasons.open_quantile(metric, bound, sample)
    weak = reasons.weak_value(metric, bound, shown, evidence.for_pass)
    return weak, reasons.open_value(bound, shown, evidence.for_fail)


def _beyond(metric: Metric, bound: Bound, sample: Sample, alpha: float) -> Interval:
    """Exact interval of the share of values beyond an absolute bound on a quantile."""
    sign = 1.0 if bound.kind is BoundKind.MAX else -1.0
    return exceedance_interval(
        sign * sample.values, sign * bound.limit, confidence=1.0 - 2.0 * alpha, clusters=sample.clusters
    )


def _value_evidence(
    metric: Metric, bound: Bound, sample: Sample, estimate: Estimate, rule: Rule, *, good: bool
) -> Evidence:
    """An absolute bound: quantiles by the exact share of values beyond the limit, the rest by their interval."""
    sign = 1.0 if bound.kind is BoundKind.MAX else -1.0
    if metric.kind is MetricKind.QUANTILE and metric.quantile is not None:
        allowed = 1.0 - metric.quantile if bound.kind is BoundKind.MAX else metric.quantile
        for_pass, for_fail = (
            _beyond(metric, bound, sample, alpha)
            for alpha in (rule.pass_alpha, min(QUANTILE_ALPHA / rule.looks, rule.fail_alpha))
        )
        exact = sample.clusters is None and sample.observations == sample.cases
        decides = exact or sample.units >= FEWEST_UNITS
        return Evidence(good, for_pass.high <= allowed, for_fail.low > allowed, decides, for_pass, for_fail)
    at_pass, at_fail = (estimate.at(1.0 - 2.0 * alpha) for alpha in (rule.pass_alpha, rule.fail_alpha))
    for_pass, for_fail = _towards(sign, at_pass), _towards(sign, at_fail)
    limit = sign * bound.limit
    exact = metric.kind is MetricKind.PROPORTION and is_plain(sample.means, sample.clusters)
    decides = exact or sample.units >= FEWEST_UNITS
    return Evidence(good, for_pass.high <= limit, for_fail.low > limit, decides, at_pass, at_fail)


def _check_change(metric: Metric, bound: Bound, columns: Columns, rule: Rule, excluded: Excluded | None) -> Finding:
    if columns.pair is None:
        return _error(bound, "there is no base to compare with")
    base, head = columns.pair
    lost = columns.lost_by_base + columns.lost_by_head
    if columns.seen == 0 or base.cases == 0:
        if columns.head.cases and columns.lost_by_head:
            return _error(bound, "no case has a value on both sides")
        return _error(bound, f"nothing was measured on {'base' if columns.head.cases else 'head'}")
    if lost > MOST_LOST * columns.seen:
        return _error(bound, f"{reasons.lost_cases(lost, columns.seen)}, too many to compare")
    before, after = run_value(metric, base), run_value(metric, head)
    sign = 1.0 if bound.kind is BoundKind.MAX_INCREASE else -1.0
    if bound.relative and before == 0:
        return _check_from_zero(metric, bound, (base, head), rule)
    estimate = estimate_change(metric, base, head, rule.seed, relative=bound.relative)
    worse, shown = sign * estimate.value, estimate.at(_SHOWN)
    near, far = rule.edges(bound)
    good = worse <= bound.limit + _ROUNDING * max(1.0, bound.limit)
    if excluded is not None:
        evidence = Evidence(good, excluded.far, excluded.near)
    else:
        evidence = _edges_excluded(estimate, sign, near, far, rule, good=good, units=base.units)
    seen = _towards(sign, shown)
    said = reasons.change_reason(metric, bound, worse, seen, good=good)
    weak = reasons.weak_change(metric, bound, far, seen, evidence.for_pass)
    undecided = reasons.open_change(metric, bound, near, rule.objectives, seen, evidence.for_fail)
    state, words = _conclude(evidence, base, rule, said, weak=weak, undecided=undecided)
    unsure = state == "inconclusive" and evidence.decides and not good
    if rule.last and unsure and _beyond_noise(metric, sign * (after - before), base, head, rule.noise_alpha):
        state, words = "fail", f"{said}, and more than run-to-run noise explains on these cases"
    return _finding(BoundResult(bound, state, estimate.value, shown, words), evidence)


def _edges_excluded(
    estimate: Estimate, sign: float, near: float, far: float, rule: Rule, *, good: bool, units: int
) -> Evidence:
    """Which edges the intervals of complete data exclude."""
    for_pass, for_fail = (
        _towards(sign, estimate.at(1.0 - 2.0 * alpha)) for alpha in (rule.pass_alpha, rule.fail_alpha)
    )
    return Evidence(
        good=good,
        surely_good=for_pass.high <= far + _ROUNDING * far,
        surely_bad=for_fail.low > near,
        decides=units >= FEWEST_UNITS,
        for_pass=for_pass,
        for_fail=for_fail,
    )


def _check_from_zero(metric: Metric, bound: Bound, pair: tuple[Sample, Sample], rule: Rule) -> Finding:
    """Any share of a base of zero is zero: the change must not be for the worse, by its absolute interval."""
    base, head = pair
    sign = 1.0 if bound.kind is BoundKind.MAX_INCREASE else -1.0
    if bool((base.means == head.means).all()):
        return Finding(BoundResult(bound, "pass", 0.0, None, "0 on both sides, in every case"), good=True)
    absolute = Bound(bound.kind, 0.0, relative=False)
    estimate = estimate_change(metric, base, head, rule.seed, relative=False)
    worse, shown = sign * estimate.value, _towards(sign, estimate.at(_SHOWN))
    evidence = _edges_excluded(estimate, sign, 0.0, 0.0, rule, good=worse <= _ROUNDING, units=base.units)
    said = reasons.change_reason(metric, absolute, worse, shown, good=evidence.good)
    said = f"base is 0, so no share of it is allowed: {said}"
    weak = reasons.weak_change(metric, absolute, 0.0, shown, evidence.for_pass)
    state, words = _conclude(evidence, base, rule, said, weak=weak, undecided="but it may be chance")
    return _finding(BoundResult(bound, state, None, None, words), evidence)


def _finding(result: BoundResult, evidence: Evidence) -> Finding:
    sure = evidence.surely_good if evidence.good else evidence.surely_bad
    # Where there are too few units no repeat will help.
    return Finding(result, evidence.good, sure or not evidence.decides)


def _conclude(
    evidence: Evidence, sample: Sample, rule: Rule, said: str, *, weak: str, undecided: str
) -> tuple[State, str]:
    """The rule at the top of this file but for run-to-run noise: (state, reason)."""
    if not evidence.decides:
        few = reasons.too_few(sample.units, FEWEST_UNITS, clustered=sample.clusters is not None)
        return "inconclusive", f"{said}, but {few}"
    if evidence.good and evidence.surely_good:
        return "pass", said
    if not evidence.good and evidence.surely_bad:
        return "fail", said
    if not evidence.good:
        return "inconclusive", f"{said}, {undecided}"
    if rule.strict:
        return "inconclusive", f"{said}, but {weak}"
    return "pass", f"{said}; {reasons.WEAK}: {weak}"


def _beyond_noise(metric: Metric, worse: float, base: Sample, head: Sample, alpha: float) -> bool:
    """True if the worsening on these cases is more than asking everything again would bring about.

    False where noise was not measured: fewer than two repeats, or repeats that never differ, which say nothing about
    how far such a change would carry beyond these cases.
    """
    if metric.kind not in (MetricKind.MEAN, MetricKind.PROPORTION):
        return False
    errors = (run_to_run_error(base.values), run_to_run_error(head.values))
    if errors[0] is None or errors[1] is None:
        return False
    noise = math.hypot(errors[0], errors[1])
    return noise > 0 and worse > normal_quantile(1.0 - alpha) * noise


def _towards(sign: float, interval: Interval) -> Interval:
    """The interval counted towards the worse."""
    if sign > 0:
        return interval
    return Interval(-interval.high, -interval.low, interval.confidence, interval.method)
