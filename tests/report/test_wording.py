"""Figures that have no bound or no sense are put in words, in every rendering; JSON has null for them."""

import json
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evaluator.gate import decide, describe
from evaluator.records import Bound, BoundKind, LabelStatistic, Metric, MetricKind, Objective
from evaluator.report import wording
from evaluator.report.build import from_verdict, slice_part
from evaluator.report.document import ResultDocument, dump, load
from evaluator.report.document_parts import IntervalPart, MetricRow, RefInfo
from evaluator.report.html import html_report
from evaluator.report.junit import junit
from evaluator.report.markdown import comment, summary
from evaluator.report.terminal import terminal_report
from tests.report.strategies import documents

JUDGE = Metric("judge", MetricKind.MEAN, low=0, high=5)
TOXIC = Metric("toxicity", MetricKind.MEAN, higher_is_better=False, low=0, high=1)
SPEED = Metric("latency_p95", MetricKind.QUANTILE, False, "seconds", column="latency", quantile=0.95)
F1 = Metric(
    "macro_f1", MetricKind.LABELS, unit="share", column="labels", low=0, high=1,
    statistic=LabelStatistic.MACRO_F1, label_count=2,
)  # fmt: skip
NONE = "no interval: too little is known"


def compared(metric: Metric, base: list[float], head: list[float]) -> ResultDocument:
    """The document of a run with this one metric, as objective and in a slice."""
    kind = BoundKind.MAX_DROP if metric.higher_is_better else BoundKind.MAX_INCREASE
    before, after = ({metric.source: np.array(values).reshape(-1, 1)} for values in (base, head))
    return from_verdict(
        decide(before, after, [Objective(metric, (Bound(kind, 0.05),))]),
        version="1",
        kind="gate",
        created_at="",
        duration_s=1.0,
        base=RefInfo(label="main"),
        head=RefInfo(label="change"),
        slices=[slice_part("ko", len(base), describe([metric], before, after))],
    )


def renderings(document: ResultDocument) -> dict[str, str]:
    """Every text that people read."""
    page = re.sub(r"(?s)<(style|script)>.*?</\1>", "", html_report(document))
    return {
        "comment": comment(document),
        "summary": summary(document),
        "terminal": terminal_report(document, width=200),
        "html": re.sub(r"</?(?:small|span)[^>]*>", "", page),
        "junit": junit(document),
    }


@pytest.mark.parametrize(
    ("metric", "base", "head", "told"),
    [
        pytest.param(JUDGE, [4.0], [2.0], f"−50.0% ({NONE})", id="one case"),
        pytest.param(JUDGE, [0.0] * 20 + [5.0], [0.0] * 21, f"−100.0% ({NONE})", id="base hardly told from zero"),
        pytest.param(F1, [0.0] + [1.0] * 9, [1.0] * 10, f"−100.0% ({NONE})", id="labels that were hardly ever right"),
        pytest.param(SPEED, [0.0] * 3 + [0.1], [0.2] * 4, f"+100.0% ({NONE})", id="times of zero"),
        pytest.param(TOXIC, [0.0] * 9, [0.0] * 8 + [0.9], "– (base is 0)", id="a base of zero"),
        pytest.param(TOXIC, [0.0] * 9, [0.0] * 9, "unchanged", id="zero on both sides"),
    ],
)
def test_a_change_without_bound_or_sense_is_told_in_words_everywhere(
    metric: Metric, base: list[float], head: list[float], told: str
) -> None:
    document = compared(metric, base, head)
    for name, text in renderings(document).items():
        assert told in text, name
        assert "∞" not in text, name
        assert not re.search(r"\binf(inity)?\b|\bnan\b", text, re.IGNORECASE), name


def test_json_has_null_where_there_is_no_number() -> None:
    document = compared(JUDGE, [4.0], [2.0])
    [row] = json.loads(dump(document), parse_constant=pytest.fail)["verdict"]["objectives"]
    assert (row["change"], row["interval"]["low"], row["interval"]["high"]) == (-0.5, None, None)
    assert load(dump(document)) == document
    [row] = json.loads(dump(compared(TOXIC, [0.0] * 9, [0.5] * 9)))["verdict"]["objectives"]
    assert row["change"] is None


@settings(max_examples=40, deadline=None)
@given(documents)
def test_no_document_whatever_shows_an_infinity(document: ResultDocument) -> None:
    assume("∞" not in dump(document))
    for name, text in renderings(document).items():
        assert "∞" not in text, name


def row(change: float | None, low: float | None = None, high: float | None = None, **more: object) -> MetricRow:
    """A row with a base and an interval."""
    values: dict[str, object] = {"name": "x", "base": 0.8, "head": 0.6, "change": change}
    return MetricRow.model_validate(values | {"interval": IntervalPart(low=low, high=high)} | more)


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (row(-0.25, -0.4, -0.1), "−25.0% (−40.0 to −10.0)"),
        (row(-0.25, interval=None), "−25.0%"),
        (row(-0.25), f"−25.0% ({NONE})"),
        (row(-0.25, low=-0.4), "−25.0% (at least −40.0%)"),
        (row(-0.25, high=0.1), "−25.0% (at most +10.0%)"),
        (row(2e9, 0.2, 3e9), "over +100,000% (+20.0 to over +100,000)"),
        (row(-1e300), f"over −100,000% ({NONE})"),
        (row(None, interval=None), "–"),
        (row(None, base=None), "–"),
        (row(None, base=0.0, head=None), "–"),
        (row(None, base=0.0, head=0.6), "– (base is 0)"),
        (row(None, base=0.0, head=0.0), "unchanged"),
    ],
)
def test_a_change_is_written_as_people_say_it(one: MetricRow, told: str) -> None:
    assert wording.change(one) == told


@pytest.mark.parametrize(
    ("change", "base", "head", "higher", "found"),
    [
        (0.2, 1.0, 1.2, True, 1), (0.2, 1.0, 1.2, False, -1), (0.0004, 1.0, 1.0004, True, 0),
        (None, 0.0, 0.3, False, -1), (None, 0.0, 0.3, True, 1), (None, 0.0, -0.3, True, -1),
        (None, 0.0, 0.0, True, 0), (None, None, 0.3, True, 0), (None, 0.0, None, True, 0),
    ],
)  # fmt: skip
def test_what_rose_from_zero_is_better_or_worse_too(
    change: float | None, base: float | None, head: float | None, higher: bool, found: int
) -> None:
    one = row(change, base=base, head=head, higher_is_better=higher)
    assert wording.better(one) == found


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_percentage_is_never_longer_than_a_cell(share: float) -> None:
    assert len(wording.percent(share)) <= len("over +100,000%")
