"""When a provider, not the change, made so many answers fail that no verdict would be honest."""

from collections.abc import Mapping
from dataclasses import replace

from evaluator.records import Side, Verdict


def with_outages(
    verdict: Verdict, outages: Mapping[Side, int], answers: Mapping[Side, int], limit: float, *, said: str
) -> Verdict:
    """Turn a verdict into `error` where outages passed what the bound on errors allows.

    Args:
        verdict: What the numbers say.
        outages: By side, how many answers or scores are missing for reasons outside the app.
        answers: By side, how many were asked for.
        limit: Largest share of failed answers that is accepted, e.g. 0.05.
        said: What the first outage said; untrusted.

    Returns:
        The verdict itself, or one in state `error`: missing answers are no quality, in neither direction.
    """
    broken = [side for side, lost in outages.items() if lost > limit * answers.get(side, 0)]
    if not broken:
        return verdict
    side = max(broken, key=lambda side: outages[side])
    reason = (
        f"no verdict: {outages[side]} of {answers.get(side, 0)} answers of {side} failed for reasons outside the app"
    )
    reason += f" (the first: {said[:200]})" if said else ""
    return replace(verdict, state="error", reason=reason)
