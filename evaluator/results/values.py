"""What one answer contributes to the metrics, scored or not."""

import math
from collections.abc import Sequence

from evaluator.gate.missing import COST_OF_FAILURE
from evaluator.records import INFRASTRUCTURE_KINDS, Case, Output, Score, Side
from evaluator.scoring.builtin import builtin_values
from evaluator.scoring.interface import Scorer

_METERED = ("cost", "tokens", "input_tokens", "output_tokens")


def answer_values(case: Case, output: Output, scorers: Sequence[Scorer], side: Side = "head") -> dict[str, float]:
    """What an answer contributes to the metrics before it is scored: values by column, a failure as `error_rate` 1.

    What the app itself failed to answer (a crash, a refusal, a prompt that cannot be rendered) has the worst value of
    every score; what failed for reasons outside the app has none.
    """
    if output.failure is None:
        return {**measured_values(output, side), "error_rate": 0.0}
    values = {"error_rate": 1.0, COST_OF_FAILURE: cost_of_failure(output, side)}
    if output.failure.kind not in INFRASTRUCTURE_KINDS:
        for scorer in scorers:
            values |= scorer.without_answer(case)
    return values


def measured_values(output: Output, side: Side) -> dict[str, float]:
    """Time, cost and tokens of an answer, as far as they are known.

    On head, a call whose tokens nobody told counts with the most that there can have been. On base that would make head
    look cheap, so its answer has no cost.
    """
    values = builtin_values(output)
    if side == "base" and any(call.usage is None for call in output.calls):
        return {name: value for name, value in values.items() if name not in _METERED}
    return values


def cost_of_failure(output: Output, side: Side) -> float:
    """What a failed answer cost, in US dollars; NaN where head's own failure has a call of unknown cost.

    Head could else do its work in cases that it gives up. Of what a provider failed, and of base, what is known counts.
    """
    if output.cost_usd is not None:
        return output.cost_usd
    own = output.failure is not None and output.failure.kind not in INFRASTRUCTURE_KINDS
    if side == "head" and own and output.calls:
        return math.nan
    return sum(call.counted_usd or 0.0 for call in output.calls)


def values_of(
    case: Case, output: Output, scores: Sequence[Score], scorers: Sequence[Scorer], side: Side = "head"
) -> dict[str, float]:
    """All that one answer contributes: of a failed score only the others' values are there, and `error_rate` is 1."""
    values = answer_values(case, output, scorers, side)
    for score in scores:
        values |= score.values if score.failure is None else {"error_rate": 1.0}
    return values
