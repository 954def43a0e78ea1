"""What the gate can see: the smallest true change for the worse that it fails most of the time.

Told before a run, from a baseline's noise or from assumptions that are named as such, and after it, from the noise
seen. A formula, not a simulation; the operating characteristics hold it against one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evaluator.gate.columns import Columns, read_columns
from evaluator.gate.noise import Basis, Noise, expected_noise, measured_noise
from evaluator.gate.plan import EVERY, FIRST_LOOK
from evaluator.gate.rule import ALPHA, EARLY_ALPHA, Rule
from evaluator.records import Bound, Interval, Objective
from evaluator.stats import normal_quantile, t_quantile, unit_count

CHANCE = 0.8
"""How often the smallest visible change is failed."""
_EARLY_PASS = 0.38
"""A true change this far from the limit to the far edge is let through early in one run of five (simulated)."""
_MOST_CASES = 10_000_000
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Sight:
    """What the gate can see of one objective's change."""

    smallest: float | None
    """The true change for the worse that fails in `CHANCE` of all runs, as the bound is counted; None if unknown."""
    error: float | None
    """Standard error of the change with all repeats."""
    cases_needed: int | None
    """Cases of this kind at which a change at the zone's far edge is seen; None if unknown or beyond reach."""
    basis: Basis
    cases: int
    repeats: int


def smallest_visible(noise: Noise, bound: Bound, cases: float, repeats: int, rule: Rule | None = None) -> float:
    """The true change for the worse that the gate fails in 80 % of all runs.

    With SE the standard error of all data, s its part from run-to-run noise, and z = 0.84: the last look blocks what is
    seen beyond c = max(limit, min(near + t SE, 2.33 s)), so c + z SE is blocked often enough; but an early look lets
    through what is closer to the limit than 0.38 of the way to the far edge. The larger of the two.

    Args:
        noise: Of one case's change.
        bound: On a change.
        cases: How many.
        repeats: At most.
        rule: How strictly; by default for one objective with early looks.
    """
    rule = rule or _rule(1, cases, repeats)
    found = bound.limit
    for _ in range(_ROUNDS if noise.added else 1):
        found = _visible(noise.under(found), bound, cases, repeats, rule)
    return found


def _visible(noise: Noise, bound: Bound, cases: float, repeats: int, rule: Rule) -> float:
    near, far = rule.edges(bound)
    error, run_error = noise.error(cases, repeats), noise.run_error(cases, repeats)
    freedom = max(1, round(cases * noise.units) - 1)
    seen = near + t_quantile(1.0 - rule.fail_alpha, freedom) * error
    if repeats > 1 and run_error > 0:
        seen = min(seen, normal_quantile(1.0 - rule.noise_alpha) * run_error)
    at_last = max(bound.limit, seen) + normal_quantile(CHANCE) * error
    early = cases >= FIRST_LOOK + EVERY
    return max(at_last, bound.limit + _EARLY_PASS * (far - bound.limit)) if early else at_last


def cases_for(
    noise: Noise, bound: Bound, repeats: int, rule: Rule | None = None, wished: float | None = None
) -> int | None:
    """How many cases bring a true change of `wished` into sight; None if no number does.

    Args:
        noise: Of one case's change.
        bound: On a change; a wished bound may be asked for, whatever the config says.
        repeats: At most.
        rule: As for `smallest_visible`.
        wished: By default the far edge of the bound's zone.
    """
    aim = (rule or Rule()).edges(bound)[1] if wished is None else wished
    if not smallest_visible(noise, bound, _MOST_CASES, repeats, rule) <= aim:
        return None
    low, high = 1, _MOST_CASES
    while low < high:
        middle = (low + high) // 2
        if smallest_visible(noise, bound, middle, repeats, rule) <= aim:
            high = middle
        else:
            low = middle + 1
    return low


def expected_sight(
    objectives: Sequence[Objective],
    cases: int,
    *,
    max_repeats: int = 3,
    baseline: Mapping[str, npt.ArrayLike] | None = None,
    clusters: npt.ArrayLike | None = None,
) -> dict[str, Sight]:
    """What the gate will see, told before a run, by objective; objectives without a bound on a change are left out.

    Args:
        objectives: All that gate together.
        cases: How many there are.
        max_repeats: At most.
        baseline: Base's values by column, where there are some from earlier runs; two repeats at least tell its noise.
        clusters: As for `decide`; cases that share a cluster are taken to differ alike.
    """
    found = {}
    rule = _rule(len(objectives), cases, max_repeats)
    units = cases if clusters is None else unit_count(cases, np.unique(np.asarray(clusters), return_inverse=True)[1])
    for objective in objectives:
        bound = next((bound for bound in objective.bounds if bound.kind.relative_to_base), None)
        if bound is None:
            continue
        known = (baseline or {}).get(objective.metric.source)
        noise = expected_noise(objective.metric, bound, known)
        found[objective.name] = (
            Sight(None, None, None, "assumed", cases, max_repeats)
            if noise is None
            else _sight(replace(noise[0], units=units / cases), noise[1], bound, cases, max_repeats, rule)
        )
    return found


def measured_sight(
    objectives: Sequence[Objective],
    base: Mapping[str, npt.ArrayLike] | None,
    head: Mapping[str, npt.ArrayLike],
    *,
    cases: int | None = None,
    max_repeats: int | None = None,
    clusters: npt.ArrayLike | None = None,
    seed: int = 0,
    known: Mapping[str, Interval] | None = None,
) -> dict[str, Sight]:
    """What the gate could have seen, from the noise of the values at hand; arguments as `decide` and `expected_sight`.

    `cases` and `max_repeats` are those that the run might have used, where it stopped early; `known` are 95 % intervals
    of the first bound on a change, by objective, where they are known already.
    """
    found = {}
    for objective in objectives:
        bound = next((bound for bound in objective.bounds if bound.kind.relative_to_base), None)
        if bound is None:
            continue
        columns = read_columns(objective.metric, base, head, clusters)
        repeats = _used(columns)
        noise = (
            None
            if columns is None
            else measured_noise(
                bound,
                columns,
                metric=objective.metric,
                seed=seed,
                repeats=repeats,
                known=(known or {}).get(objective.name),
            )
        )
        most, number = max_repeats or repeats, cases or (columns.pair[0].cases if columns and columns.pair else 0)
        found[objective.name] = (
            Sight(None, None, None, "measured", number, most)
            if noise is None
            else _sight(noise, "measured", bound, number, most, _rule(len(objectives), number, most))
        )
    return found


def _used(columns: Columns | None) -> int:
    """Repeats of head that hold a value at all."""
    if columns is None or columns.head.cases == 0:
        return 1
    return max(1, int((~np.isnan(columns.head.values)).any(axis=0).sum()))


def _rule(objectives: int, cases: float, repeats: int) -> Rule:
    early = cases >= FIRST_LOOK + EVERY
    return Rule(objectives, looks=repeats, alpha=ALPHA - EARLY_ALPHA if early else ALPHA)


def _sight(noise: Noise, basis: Basis, bound: Bound, cases: int, repeats: int, rule: Rule) -> Sight:
    smallest = smallest_visible(noise, bound, cases, repeats, rule)
    return Sight(
        smallest=smallest if math.isfinite(smallest) else None,
        error=noise.error(cases, repeats),
        cases_needed=cases_for(noise, bound, repeats, rule),
        basis=basis,
        cases=cases,
        repeats=repeats,
    )
