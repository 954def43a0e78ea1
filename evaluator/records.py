"""The records that pass between rooms: what a case, an output, a score, a comparison and a verdict are.

Plain frozen dataclasses without behaviour beyond small derived properties; nothing here does I/O or statistics. Calls
to models are in `calls.py`, and handed on here.
Units everywhere: seconds, US dollars, tokens; shares are 0 to 1 (0.05 is 5 %).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from evaluator.calls import INFRASTRUCTURE_KINDS as INFRASTRUCTURE_KINDS
from evaluator.calls import MOST_TRACED as MOST_TRACED
from evaluator.calls import Call as Call
from evaluator.calls import Failure as Failure
from evaluator.calls import FailureKind as FailureKind
from evaluator.calls import JsonValue as JsonValue
from evaluator.calls import ToolCall as ToolCall
from evaluator.calls import TracedRequest as TracedRequest
from evaluator.calls import Usage as Usage

Side = Literal["base", "head"]
SIDES: tuple[Side, Side] = ("base", "head")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the golden set."""

    id: str
    """Stable identity: the row's own id, or a hash of its input."""
    input: JsonValue
    """What the target is given: a string or any JSON value."""
    expected: JsonValue = None
    """What a right answer is; a list of strings means "any of these" to text scorers."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    cluster: str | None = None
    """Cases that share a document or conversation share a cluster; None stands alone."""
    line: int = 0
    """Line of the row in its file, from 1; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a target returned for a case: an answer, or a failure; never both."""

    text: str | None = None
    data: JsonValue = None
    """The answer as JSON, where the target gave JSON."""
    tool_calls: tuple[ToolCall, ...] = ()
    contexts: tuple[str, ...] = ()
    """Passages that the app retrieved, for the RAG scorers."""
    latency_s: float | None = None
    """The provider's time for a prompt; the app's own time for a process target."""
    calls: tuple[Call, ...] = ()
    usage: Usage | None = None
    """Tokens as metered, or as the app itself told; None if unknown."""
    cost_usd: float | None = None
    """Dollars, likewise; a call whose tokens nobody told counts with the most that its request allowed."""
    failure: Failure | None = None
    requests: tuple[TracedRequest, ...] = ()
    """What an app asked through the gateway's door, the first `MOST_TRACED` of it, in the order in which it ended."""
    waited_s: float = 0.0
    """Of an app's time: seconds in which a request of its waited for us, which `latency_s` is without."""

    @property
    def cached(self) -> bool:
        """True if any of the answer came from the response cache."""
        return any(call.cached for call in self.calls)

    @property
    def measured_in(self) -> str:
        """Id of the one run in which all of the latency was measured; empty if mixed or unknown."""
        runs = {call.measured_in for call in self.calls}
        return runs.pop() if len(runs) == 1 else ""


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one output: values by metric column, or a failure; never both."""

    scorer: str
    values: Mapping[str, float] = field(default_factory=dict)
    """Column name -> value; NaN is not allowed, a missing column means "does not apply to this case"."""
    labels: tuple[str, str] | None = None
    """(expected, predicted) for classification."""
    reason: str = ""
    """Why, in a sentence; a judge's reasoning. Untrusted."""
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    """The judge's own calls; their cost is the evaluation's, not the app's."""
    failure: Failure | None = None


class MetricKind(StrEnum):
    """How the values of a metric are summarised, which decides its interval."""

    MEAN = "mean"
    """Mean of per-case values (judge score, F1, cost, mean latency, tokens)."""
    PROPORTION = "proportion"
    """Share of cases that are 1 rather than 0 (exact match, accuracy, error rate)."""
    QUANTILE = "quantile"
    """A quantile of per-case values (p50, p95 latency)."""
    LABELS = "labels"
    """A statistic of the whole confusion table (macro-F1); each value codes (expected, predicted)."""


class LabelStatistic(StrEnum):
    """Which figure of a confusion table a LABELS metric is."""

    MACRO_F1 = "macro_f1"
    MACRO_PRECISION = "macro_precision"
    MACRO_RECALL = "macro_recall"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a run, and how it is computed from per-case values."""

    name: str
    kind: MetricKind
    higher_is_better: bool = True
    unit: Literal["score", "share", "usd", "seconds", "tokens", "count"] = "score"
    column: str = ""
    """The column of per-case values it is made from; the metric's own name if empty."""
    low: float | None = None
    """Smallest possible value, where there is one."""
    high: float | None = None
    """Largest possible value, where there is one."""
    quantile: float | None = None
    statistic: LabelStatistic | None = None
    label_count: int = 0
    """For LABELS: the number of classes K. A value codes expected * (K + 1) + predicted; K is "no valid label"."""

    labels: tuple[str, ...] = ()
    """For LABELS: the classes in the order of their codes, where they are known."""

    @property
    def source(self) -> str:
        """Name of the column of per-case values."""
        return self.column or self.name


class BoundKind(StrEnum):
    """The four bounds that an objective may have."""

    MIN = "min"
    MAX = "max"
    MAX_DROP = "max_drop"
    MAX_INCREASE = "max_increase"

    @property
    def relative_to_base(self) -> bool:
        """True if the bound compares head with base."""
        return self in (BoundKind.MAX_DROP, BoundKind.MAX_INCREASE)


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound of an objective."""

    kind: BoundKind
    limit: float
    """For min and max: in the metric's unit. For max_drop and max_increase: how much, positive."""
    relative: bool = True
    """For max_drop and max_increase: True if `limit` is a share of base (0.05 is 5 %), else in the metric's unit."""
    near: float | None = None
    """For max_drop and max_increase: near edge of the indifference zone, in the unit of `limit`; None for 0.4 of it."""
    far: float | None = None
    """Likewise the far edge; None for 1.6 of `limit`."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric with the bounds it must keep."""

    metric: Metric
    bounds: tuple[Bound, ...]
    implied: bool = False
    """True if nobody wrote it: the default bound on errors."""

    @property
    def name(self) -> str:
        """The metric's name, which is the objective's too."""
        return self.metric.name


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval estimate. `low` and `high` may be infinite."""

    low: float
    high: float
    confidence: float
    """Two-sided confidence, e.g. 0.95."""
    method: str = ""
    """Name of the method, e.g. "Fieller"."""


State = Literal["pass", "fail", "inconclusive", "error"]
"""A verdict's state, and each objective's and bound's."""


@dataclass(frozen=True, slots=True)
class BoundResult:
    """What the data say of one bound."""

    bound: Bound
    state: State
    value: float | None
    """The figure held against the limit: head's value, or the change (relative or absolute, as the bound is)."""
    interval: Interval | None
    reason: str


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """What the data say of one objective; its state is the worst of its bounds' states."""

    objective: Objective
    state: State
    base: float | None
    head: float | None
    change: float | None
    """(head - base) / |base|; None if base is zero or missing."""
    interval: Interval | None
    """Of `change` where that exists; else of the first bound's figure."""
    pairs: int
    """How many cases count on both sides."""
    reason: str
    bounds: tuple[BoundResult, ...]
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The objective's name."""
        return self.objective.name


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the change may ship, with the reason of every objective."""

    state: State
    objectives: Mapping[str, ObjectiveResult]
    reason: str
    warnings: tuple[str, ...] = ()
