"""What head's app waits for us beyond what base's does is its own doing, and no reason to take it out of a latency.

An app's latency is without the time in which a request of its waited in a queue of ours. But whoever makes the app
chooses what it asks, and can have a request wait all the time, free of charge: for a model whose limit is used up, or
by a body that takes long to read. Base and head share the limits fairly, so what is nobody's doing holds up both alike.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evaluator.gate.broken_base import combined
from evaluator.records import ObjectiveResult, Verdict
from evaluator.stats import FloatArray

LATENCY_COLUMN = "latency"
_ALLOWED = 0.1
"""Share of head's whole time that it may wait longer than base before its latencies say nothing."""


def with_own_waits(
    verdict: Verdict, base_waited: Sequence[float], head_waited: Sequence[float], head_latencies: FloatArray
) -> Verdict:
    """Turn objectives on latency into `error` where head waited for us for much longer than base did; a fail stays one.

    What base's waits differ by chance is allowed for; how head's do is head's choice.

    Args:
        verdict: What the numbers say.
        base_waited: Seconds that each answer's app waited for us on base; empty where base was not asked.
        head_waited: Likewise on head.
        head_latencies: Head's latencies, in seconds, without these waits; any shape, NaN for missing.
    """
    if not len(head_waited) or np.isnan(head_latencies).all():
        return verdict
    waited, usual = float(np.mean(head_waited)), float(np.mean(base_waited)) if len(base_waited) else 0.0
    by_chance = 2 * math.sqrt(2 * float(np.var(base_waited)) / len(base_waited)) if len(base_waited) else 0.0
    whole = float(np.nanmean(head_latencies)) + waited
    if waited - usual <= max(_ALLOWED * whole, by_chance):
        return verdict
    reason = (
        f"head's app waited for the gateway for {waited:.2g} s of {whole:.2g} s an answer, base's for {usual:.2g} s:"
        " what head asks beside its work makes its time unknown"
    )
    return combined(verdict, [_unknown(result, reason) for result in verdict.objectives.values()])


def _unknown(result: ObjectiveResult, reason: str) -> ObjectiveResult:
    if result.objective.metric.source != LATENCY_COLUMN or result.state == "fail":
        return result
    bounds = tuple(replace(found, state="error", reason=reason) for found in result.bounds)
    return replace(result, state="error", reason=reason, bounds=bounds)
