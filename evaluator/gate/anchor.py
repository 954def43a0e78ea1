"""Objectives against a pinned anchor (the last release), which catch slow rot that no single change shows."""

from collections.abc import Sequence
from dataclasses import replace

from evaluator.records import Objective

ANCHOR_SHARE = 0.6
"""Of a change's limit: merges of -1 % each, all harmless, must be noticed by the sixth."""


SUFFIX = "_vs_anchor"
"""Of the names of metrics that are compared with the anchor, so that one verdict can hold both comparisons."""


def anchored(objectives: Sequence[Objective], share: float = ANCHOR_SHARE) -> list[Objective]:
    """The objectives to hold against the anchor: every bound on a change with `share` of its limit and zone.

    Judge them like any others, with the anchor's values as `baseline`: there is no ratchet ("best so far") in this,
    which would block one harmless change in five.

    Latencies are left out: the anchor's were not measured side by side with head's.

    Args:
        objectives: Those held against base.
        share: Of the limit, above 0.

    Returns:
        Objectives named with `SUFFIX`, over the same columns.
    """
    found = []
    for objective in objectives:
        bounds = tuple(
            replace(
                bound,
                limit=bound.limit * share,
                near=None if bound.near is None else bound.near * share,
                far=None if bound.far is None else bound.far * share,
            )
            for bound in objective.bounds
            if bound.kind.relative_to_base and objective.metric.unit != "seconds"
        )
        if bounds:
            metric = replace(objective.metric, name=objective.name + SUFFIX, column=objective.metric.source)
            found.append(replace(objective, metric=metric, bounds=bounds))
    return found
