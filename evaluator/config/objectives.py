"""Binds the objectives of a config to the metrics that its scorers give, and checks their units."""

from collections.abc import Callable, Mapping, Sequence

from evaluator.config.loading import nearest
from evaluator.config.model import ObjectiveSection
from evaluator.config.units import Amount
from evaluator.errors import ConfigError
from evaluator.records import Bound, BoundKind, Metric, Objective

DEFAULT_MAX_ERROR_RATE = 0.05
"""Bound on the share of failed cases where the config has none: a metric over what is left would mislead."""

_EXPECTED = {
    "usd": "money such as $0.01",
    "seconds": "a time such as 800ms or 2s",
    "share": "a share such as 90% (or 0.9)",
    "score": "a number in the metric's own points, such as 4.0",
    "tokens": "a number of tokens",
    "count": "a number",
}


def bind_objectives(
    sections: Mapping[str, ObjectiveSection], where: Callable[..., str], metrics: Sequence[Metric]
) -> list[Objective]:
    """Pair every objective with its metric.

    Args:
        sections: The objectives as they are written, by metric name.
        where: Gives `file:line` of a path of keys, for messages.
        metrics: All metrics that there are.

    Returns:
        The objectives in the order of the file; a default bound on `error_rate` is added where there is none.

    Raises:
        ConfigError: A metric that nothing measures, a unit that does not fit, or a bound that looks the wrong way.
    """
    by_name = {metric.name: metric for metric in metrics}
    problems: list[str] = []
    objectives: list[Objective] = []
    for name, section in sections.items():
        metric = by_name.get(name)
        if metric is None:
            known = ", ".join(by_name)
            problems.append(
                f"{where('objectives', name)}: nothing measures '{name[:60]}'{nearest(name, by_name)}"
                f" (measured here: {known}); add its scorer under `scorers:`"
            )
            continue
        bounds = []
        for kind, amount in section.amounts().items():
            try:
                bounds.append(_bound(BoundKind(kind), amount, metric))
            except ValueError as problem:
                problems.append(f"{where('objectives', name, kind)}: '{name}.{kind}': {problem}")
        objectives.append(Objective(metric, tuple(bounds)))
    if problems:
        raise ConfigError("\n".join(problems))
    if "error_rate" in by_name and "error_rate" not in sections:
        bound = Bound(BoundKind.MAX, DEFAULT_MAX_ERROR_RATE)
        objectives.append(Objective(by_name["error_rate"], (bound,), implied=True))
    return objectives


def _bound(kind: BoundKind, amount: Amount, metric: Metric) -> Bound:
    if not kind.relative_to_base:
        return Bound(kind, _in_unit(amount, metric))
    good = BoundKind.MAX_DROP if metric.higher_is_better else BoundKind.MAX_INCREASE
    if kind is not good:
        better = "higher" if metric.higher_is_better else "lower"
        raise ValueError(f"{better} is better for this metric, so only {good.value} makes sense")
    if amount.value < 0:
        raise ValueError(f"expected how much it may change, as a positive amount; found {amount}")
    if amount.unit == "%":
        return Bound(kind, amount.value, relative=True)
    if amount.unit == "":
        raise ValueError(
            f"expected a unit: {amount.value * 100 if amount.value < 1 else amount.value:g}% of base,"
            f" or {_absolute_example(metric)}; found {amount}"
        )
    return Bound(kind, _in_unit(amount, metric), relative=False)


def _absolute_example(metric: Metric) -> str:
    examples = {"usd": "$0.001", "seconds": "200ms", "share": "2pp", "tokens": "20pt", "count": "2pt"}
    return f"an absolute amount such as {examples.get(metric.unit, '0.2pt')}"


def _in_unit(amount: Amount, metric: Metric) -> float:
    fits = {
        "usd": ("$", ""),
        "seconds": ("s",),
        "share": ("%", "pp", ""),
        "score": ("", "pt"),
        "tokens": ("", "pt"),
        "count": ("", "pt"),
    }[metric.unit]
    if metric.unit == "score" and metric.low == 0 and metric.high == 1:
        fits = ("", "pt", "%", "pp")
    if amount.unit not in fits:
        raise ValueError(f"expected {_EXPECTED[metric.unit]}, found {amount}")
    too_low = metric.low is not None and amount.value < metric.low
    too_high = metric.high is not None and amount.value > metric.high
    if too_low or too_high:
        meant = f"; did you mean {amount.value:g}%?" if metric.high == 1 and amount.unit == "" else ""
        ends = [f"{end:g}" for end in (metric.low, metric.high) if end is not None]
        expected = " to ".join(ends) if len(ends) > 1 else f"{'at least' if too_low else 'at most'} {ends[0]}"
        raise ValueError(f"expected {expected}, found {amount}{meant}")
    return amount.value
