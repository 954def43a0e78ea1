"""The parts of the result document: verdict, comparison rows, label tables, spend and cases.

Models only: they say what a part holds and keep it valid JSON. `build.py` fills them, the renderings read them.
Units as in `records.py`: seconds, US dollars, tokens; shares are 0 to 1. A number that does not exist is null, and so
is one that JSON cannot write (NaN, infinity).
"""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

MAX_DEPTH = 40
"""JSON nested deeper than this is replaced by a note, so that a hostile answer cannot exhaust the stack."""
MAX_INTEGER_BITS = 1024
"""Integers beyond this (about 300 digits) are written as text: most readers of JSON refuse them."""

State = Literal["pass", "fail", "inconclusive", "error"]
Unit = Literal["score", "share", "usd", "seconds", "tokens", "count"]
BoundName = Literal["min", "max", "max_drop", "max_increase"]
CaseChange = Literal["regressed", "improved", "changed", "same", "failed", "added", "removed"]


def valid_text(value: object) -> object:
    """Replace lone surrogates, which no encoding can write; anything that is not a string is handed back as it is."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return value


def finite(value: object) -> object:
    """Turn NaN and infinity into None; anything else is handed back as it is."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_safe(value: object, depth: int = 0) -> object:
    """Make any Python value writable as JSON: no NaN, no lone surrogates, no bottomless nesting, no foreign types."""
    if depth > MAX_DEPTH:
        return "(nested too deeply to show)"
    if isinstance(value, str):
        return valid_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MAX_INTEGER_BITS else f"(integer of {value.bit_length()} bits)"
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, dict):
        return {str(valid_text(str(key))): json_safe(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item, depth + 1) for item in value]
    return valid_text(str(value))


Text = Annotated[str, BeforeValidator(valid_text)]
"""Any text that UTF-8 can write. Untrusted unless said otherwise: every rendering escapes it."""
Number = Annotated[float | None, BeforeValidator(finite)]
"""A finite number, or null."""
Json = Annotated[JsonValue, BeforeValidator(json_safe)]
"""Any JSON value."""


class Part(BaseModel):
    """Base of all parts: unknown keys are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RefInfo(Part):
    """One of the two refs."""

    label: Text = ""
    """What to call it in tables, e.g. "main" or "pull request"."""
    ref: Text = ""
    sha: Text = ""
    subject: Text = ""
    """First line of the commit's message."""
    dirty: bool = False
    """True if uncommitted work was evaluated."""


class ConfigInfo(Part):
    """Which config file ruled, and where it came from."""

    path: Text
    source: Annotated[Literal["base", "head"], Field(alias="from")] = "base"
    digest: Text = ""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


class DatasetInfo(Part):
    """Which golden set was run."""

    path: Text
    digest: Text = ""
    cases: int = 0
    tags: dict[Text, int] = {}
    """Cases per tag."""


class IntervalPart(Part):
    """An interval estimate. A null end is unbounded."""

    low: Number = None
    high: Number = None
    confidence: float = 0.95
    method: Text = ""


class BoundPart(Part):
    """One bound of an objective and what the data say of it."""

    kind: BoundName
    limit: float
    relative: bool = True
    """For max_drop and max_increase: the limit is a share of base rather than in the metric's unit."""
    state: State
    value: Number = None
    """The figure held against the limit: head's value, or the signed change."""
    interval: IntervalPart | None = None
    reason: Text = ""


class MetricRow(Part):
    """One metric on both sides."""

    name: Text
    unit: Unit = "score"
    higher_is_better: bool = True
    base: Number = None
    head: Number = None
    change: Number = None
    """(head - base) / |base|; null if base is zero or missing."""
    interval: IntervalPart | None = None
    """Of `change`, where that exists; else of the first bound's figure."""
    pairs: int = 0
    """How many cases count on both sides."""


class ObjectivePart(MetricRow):
    """A metric with its bounds and its state."""

    state: State
    implied: bool = False
    """True if nobody wrote it: the default bound on errors."""
    reason: Text = ""
    warnings: list[Text] = []
    bounds: list[BoundPart] = []
    detectable: Number = None
    """Smallest relative change for the worse that this run would have seen 80 % of the time; null if unknown."""


class VerdictPart(Part):
    """Whether the change may ship."""

    state: State
    reason: Text = ""
    warnings: list[Text] = []
    objectives: list[ObjectivePart] = []


class SlicePart(Part):
    """The cases of one tag. Exploratory unless `gated`: among many slices one looks bad by chance."""

    tag: Text
    cases: int
    rows: list[MetricRow] = []
    gated: bool = False
    """True if the config lets this slice fail the gate."""
    state: Literal["pass", "fail", "inconclusive"] = "pass"
    """Of a gated slice: inconclusive if what was seen breaks a bound but is too little to blame it. Else a pass."""
    failed: list[Text] = []
    """What made it fail, one sentence an objective; corrected for the number of slices tested."""
    undecided: list[Text] = []
    """What is left open, one sentence an objective."""


class LabelScores(Part):
    """Precision, recall and F1 of one class at one ref; null where undefined (nothing predicted, nothing expected)."""

    predicted: int = 0
    precision: Number = None
    recall: Number = None
    f1: Number = None


class LabelRow(Part):
    """One class of a classification, base against head."""

    label: Text
    expected: int
    base: LabelScores | None = None
    head: LabelScores | None = None


class ConfusionChange(Part):
    """How often one label was taken for another, base against head."""

    expected: Text
    predicted: Text
    base: int
    head: int


class LabelTable(Part):
    """The classes of one classification scorer, and the confusions that changed most."""

    scorer: Text
    rows: list[LabelRow] = []
    rows_total: int = 0
    """Number of classes, of which the largest are in `rows`."""
    confusions: list[ConfusionChange] = []


class Distribution(Part):
    """How the per-case values of one metric are spread: counts per bin on both sides, and paired differences."""

    metric: Text
    unit: Unit = "score"
    higher_is_better: bool = True
    edges: list[float]
    """Ends of the bins, one more than there are bins; for `discrete`, the distinct values themselves."""
    discrete: bool = False
    base: list[int]
    head: list[int]
    differences: list[float] = []
    """head - base per case, sorted; evenly thinned if there are very many."""


class Spend(Part):
    """What the run cost, by the price list, in US dollars."""

    target_usd: Number = None
    evaluation_usd: Number = None
    """Judges and other scorers that ask a model."""
    total_usd: Number = None
    real_usd: Number = None
    """Without answers that came from the cache."""
    calls: int = 0
    cached_calls: int = 0
    unpriced_calls: int = 0
    """Calls to models without a known price; the sums lack them."""
    input_tokens: int = 0
    output_tokens: int = 0
    outside_usd: Number = None
    """Of `target_usd`: what the app asked outside of any case, such as while it started."""
    outside_calls: int = 0
    outside_unknown: int = 0
    """Of `outside_calls`: those whose cost is not known."""


class EstimatePart(Part):
    """What was estimated before the run, and what it came to; nothing that was cached is in the latter."""

    calls: int | None = None
    usd: Number = None
    spent_calls: int = 0
    spent_usd: Number = None
    error: Number = None
    """(spent - estimated) / estimated, of dollars; of calls where dollars are not known."""


class FailurePart(Part):
    """Why there is no answer or no score."""

    kind: Text
    message: Text = ""


class ToolCallPart(Part):
    """A tool that the model asked to call."""

    name: Text
    arguments: Json = None


class CallPart(Part):
    """One request of an app to a provider, as metered."""

    model: Text = ""
    """As the app named it; empty where the path is not metered."""
    status: int | None = None
    """What the app was answered; null if it went away before."""
    started_s: Number = None
    """Since the case began."""
    took_s: Number = None
    """Until the answer had been passed on, our own waits included."""
    first_byte_s: Number = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Number = None
    told: bool = True
    """False if the provider told no tokens: they and the cost are then the most that the request allowed."""
    cached: bool = False
    tools: list[Text] = []
    failure: Text = ""
    """Its kind."""


class Answer(Part):
    """What one ref answered to one case. With repeats: the first answer, and the means of scores, latency and cost."""

    text: Text | None = None
    data: Json = None
    tool_calls: list[ToolCallPart] = []
    contexts: list[Text] = []
    latency_s: Number = None
    cost_usd: Number = None
    cached: bool = False
    failure: FailurePart | None = None
    repeats: int = 1
    failed_repeats: int = 0
    scores: dict[Text, Number] = {}
    reasons: dict[Text, Text] = {}
    """Scorer -> why it gave its score, or why it failed."""
    calls: list[CallPart] = []
    """What the app asked for the answer shown, the first few."""
    calls_made: int = 0
    """How many there were."""


class CasePart(Part):
    """One case with both answers."""

    id: Text
    line: int = 0
    tags: list[Text] = []
    input: Json = None
    expected: Json = None
    change: CaseChange
    importance: float = 0.0
    """For sorting: the larger, the earlier a reviewer should see it."""
    gated: bool = True
    """False for cases that only head has: they are run and reported, not gated."""
    base: Answer | None = None
    head: Answer | None = None


class PolicyChange(Part):
    """An edit by head of the config, the golden set or a rubric; it takes effect after the merge."""

    path: Text
    what: Text
    effect: Text = ""
