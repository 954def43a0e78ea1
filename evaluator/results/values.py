"""What one answer contributes to the metrics, scored or not."""

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
        values = {**builtin_values(output), "error_rate": 0.0}
        if side == "base" and any(call.usage is None for call in output.calls):
            for name in _METERED:  # of base the most that there can have been would make head look cheap
                values.pop(name, None)
        return values
    values = {"error_rate": 1.0}
    if output.cost_usd:
        values[COST_OF_FAILURE] = output.cost_usd
    if output.failure.kind not in INFRASTRUCTURE_KINDS:
        for scorer in scorers:
            values |= scorer.without_answer(case)
    return values


def values_of(
    case: Case, output: Output, scores: Sequence[Score], scorers: Sequence[Scorer], side: Side = "head"
) -> dict[str, float]:
    """All that one answer contributes: of a failed score only the others' values are there, and `error_rate` is 1."""
    values = answer_values(case, output, scorers, side)
    for score in scores:
        values |= score.values if score.failure is None else {"error_rate": 1.0}
    return values
