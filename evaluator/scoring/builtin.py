"""The metrics that every run has without a scorer: errors, latency, cost and tokens."""

from evaluator.records import Metric, MetricKind, Output

BUILTIN_METRICS: tuple[Metric, ...] = (
    Metric("error_rate", MetricKind.PROPORTION, higher_is_better=False, unit="share", low=0.0, high=1.0),
    Metric("latency_mean", MetricKind.MEAN, higher_is_better=False, unit="seconds", column="latency", low=0.0),
    *(
        Metric(
            f"latency_p{percent}",
            MetricKind.QUANTILE,
            higher_is_better=False,
            unit="seconds",
            column="latency",
            low=0.0,
            quantile=percent / 100,
        )
        for percent in (50, 90, 95, 99)
    ),
    Metric("cost_per_request", MetricKind.MEAN, higher_is_better=False, unit="usd", column="cost", low=0.0),
    Metric("tokens_per_request", MetricKind.MEAN, higher_is_better=False, unit="tokens", column="tokens", low=0.0),
    Metric("input_tokens", MetricKind.MEAN, higher_is_better=False, unit="tokens", low=0.0),
    Metric("output_tokens", MetricKind.MEAN, higher_is_better=False, unit="tokens", low=0.0),
)
"""error_rate has no column of an output: whoever counts the failures fills it with 0 and 1."""


def builtin_values(output: Output) -> dict[str, float]:
    """Give an output's latency (s), cost (US dollars) and tokens by column; what is unknown is left out.

    A failed output has none: its time says how fast it failed, not how fast the app answers.
    """
    if output.failure is not None:
        return {}
    values: dict[str, float] = {}
    if output.latency_s is not None:
        values["latency"] = output.latency_s
    if output.cost_usd is not None:
        values["cost"] = output.cost_usd
    if output.usage is not None:
        values["input_tokens"] = float(output.usage.input_tokens)
        values["output_tokens"] = float(output.usage.output_tokens)
        values["tokens"] = values["input_tokens"] + values["output_tokens"]
    return values
