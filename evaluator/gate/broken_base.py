"""When base itself fails in most cases: then a comparison with it says little, and only absolute bounds can pass."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evaluator.gate.anchor import SUFFIX
from evaluator.gate.decide import combine, worst
from evaluator.records import ObjectiveResult, Verdict
from evaluator.stats import share_interval

MOST = 0.5
"""Share of base's answers that fail from which on it is no measure of anything."""


def is_beyond(failed: int, answers: int, limit: float) -> bool:
    """Whether so many failures are more than a bound allows, by a clear margin: its 95 % interval lies above.

    Args:
        failed: Answers that failed.
        answers: All of them.
        limit: The share that is allowed.
    """
    if answers == 0:
        return False
    shares = np.zeros(answers)
    shares[:failed] = 1.0
    return share_interval(shares, confidence=0.95).low > limit


def without_base(verdict: Verdict, failed: int, answers: int) -> Verdict:
    """Take the comparisons with base out of a verdict where base failed in most cases.

    A bound on a change that failed stays: head is worse even than such a base. Any other is not compared: where the
    objective has `min` or `max` too, these decide; where it has not, there is nothing to hold it against, an error. A
    change that mends a broken base passes by its absolute bounds.

    Args:
        verdict: What the numbers say.
        failed: Answers of base that the app itself failed to give.
        answers: All answers of base.
    """
    if failed < MOST * answers or answers == 0:
        return verdict
    said = f"base itself failed in {failed} of {answers} answers"
    return combined(verdict, [_alone(result, said) for result in verdict.objectives.values()])


def not_compared(verdict: Verdict, reason: str) -> Verdict:
    """The verdict with state `error` and a reason, where it was to pass; a fail stays one."""
    return verdict if verdict.state == "fail" else replace(verdict, state="error", reason=f"no verdict: {reason}")


def _alone(result: ObjectiveResult, said: str) -> ObjectiveResult:
    compared = [found for found in result.bounds if found.bound.kind.relative_to_base]
    if not compared or result.name.endswith(SUFFIX):
        return result
    kept = [found for found in result.bounds if not found.bound.kind.relative_to_base or found.state == "fail"]
    if not kept:
        reason = f"{said}, so there is nothing to compare with: `min` or `max` would hold without a base"
        bounds = tuple(replace(found, state="error", reason=reason) for found in result.bounds)
        return replace(result, state="error", reason=reason, bounds=bounds)
    state = worst([found.state for found in kept])
    told = "; ".join(dict.fromkeys(found.reason for found in kept if found.state == state))
    names = ", ".join(found.bound.kind.value for found in compared if found not in kept)
    objective = replace(result.objective, bounds=tuple(found.bound for found in kept))
    warnings = (*result.warnings, *([f"{said}: {names} was not compared"] if names else []))
    return replace(result, objective=objective, state=state, reason=told, bounds=tuple(kept), warnings=warnings)


def combined(verdict: Verdict, results: Sequence[ObjectiveResult]) -> Verdict:
    """The verdict of objectives that were judged anew; its words on when it was decided stay."""
    together = combine(results)
    decided = verdict.reason.partition(" Decided after ")
    reason = f"{together.reason}{decided[1]}{decided[2]}"
    return replace(together, reason=reason, warnings=verdict.warnings)
