"""Slices in a report: what a reviewer must see stands first, and in the same order everywhere."""

import re

from hypothesis import given
from hypothesis import strategies as st

from evaluator.report import slices
from evaluator.report.document import ResultDocument, dump, load
from evaluator.report.document_parts import IntervalPart, MetricRow, SlicePart
from evaluator.report.html import html_report
from evaluator.report.markdown import comment
from evaluator.report.terminal import terminal_report
from tests.report.sample import sample_document


def row(change: float | None, low: float | None = -1.0, high: float | None = 1.0, **more: object) -> MetricRow:
    """One metric of a slice."""
    values: dict[str, object] = {"name": "accuracy", "unit": "share", "base": 0.8, "head": 0.5, "change": change}
    return MetricRow.model_validate(values | {"interval": IntervalPart(low=low, high=high)} | more)


def gated(tag: str, change: float, **more: object) -> SlicePart:
    """A slice that gates."""
    return SlicePart.model_validate({"tag": tag, "cases": 20, "rows": [row(change)], "gated": True} | more)


def exploratory(tag: str, *rows: MetricRow) -> SlicePart:
    """A slice that does not gate."""
    return SlicePart(tag=tag, cases=20, rows=list(rows))


def with_slices(parts: list[SlicePart]) -> ResultDocument:
    """The sample with these slices."""
    return sample_document().model_copy(update={"slices": parts})


WORST_FIRST = [
    gated("failed most", -0.3, state="fail", failed=["accuracy fell"]),
    gated("failed", -0.2, state="fail", failed=["accuracy fell"]),
    gated("open", -0.6, state="inconclusive", undecided=["6 cases are too few: accuracy fell"]),
    exploratory("surely worse", row(-0.1, -0.18, -0.02)),
    exploratory("wide", row(-0.4, -0.9, 0.1)),
    exploratory("same drop a", row(-0.05)),
    exploratory("same drop b", row(-0.05)),
    exploratory("better", row(0.2, 0.1, 0.3)),
    exploratory("without a value"),
]


@given(st.permutations(WORST_FIRST))
def test_the_slices_that_regressed_stand_first_whatever_order_they_come_in(parts: list[SlicePart]) -> None:
    assert slices.worst_first(with_slices(parts)) == WORST_FIRST


def test_every_rendering_has_the_same_order_and_the_document_keeps_its_own() -> None:
    document = with_slices(WORST_FIRST[::-1])
    tags = [part.tag for part in WORST_FIRST if part.rows]
    source = comment(document).split("By tag (worst first; ")[1].split("</details>")[0]
    assert re.findall(r"(?m)^\| ([a-z ]+?) [❌⚠️\d|]", source) == tags
    page = html_report(document).split("<caption>By tag")[1].split("</table>")[0]
    assert re.findall(r'<th scope="rowgroup" rowspan="1">([a-z ]+?)(?: <small>|</th>)', page) == tags
    told = ["failed most", "failed", "open"]
    for rendered in (comment(document).split("<details>")[0], html_report(document), terminal_report(document)):
        assert re.findall(r"slice ([a-z ]+) \(20 cases\)", rendered) == told
    assert [part.tag for part in load(dump(document)).slices] == [part.tag for part in WORST_FIRST[::-1]]


def test_a_rise_is_for_the_worse_where_lower_is_better_and_a_base_of_zero_hides_none() -> None:
    toxic = {"name": "toxicity", "higher_is_better": False, "base": 0.0, "head": 0.3}
    parts = [
        exploratory("less toxic", row(-0.9, -1.0, -0.8, **toxic | {"base": 0.3})),
        exploratory("more toxic", row(0.5, 0.2, 0.9, **toxic | {"base": 0.2})),
        exploratory("toxic from nothing", row(None, None, None, **toxic)),
        exploratory("perhaps toxic", row(0.7, None, None, **toxic | {"base": 0.2})),
        exploratory("lost its base", row(None, None, None, base=None)),
    ]
    assert [part.tag for part in slices.worst_first(with_slices(parts))] == [
        "more toxic", "toxic from nothing", "perhaps toxic", "less toxic", "lost its base",
    ]  # fmt: skip


def test_a_slice_of_many_metrics_shows_those_that_fell_furthest() -> None:
    names = {"accuracy": 0.1, "clarity": -0.2, "judge": -0.5, "recall": None, "tone": -0.01}
    part = exploratory("ko", *(row(change, name=name) for name, change in names.items()))
    assert [one.name for one in slices.worst_rows(part, 3)] == ["clarity", "judge", "tone"]
    assert slices.worst_rows(part, 9) == part.rows
    shown = comment(with_slices([part])).split("By tag (")[1].split("</details>")[0]
    assert "judge" in shown
    assert "recall" not in shown


def test_the_worst_of_more_slices_than_fit_is_among_those_shown() -> None:
    many = [exploratory(f"tag {number:02d}", row(0.1)) for number in range(30)]
    source = comment(with_slices([*many, exploratory("worst", row(-0.3))]))
    assert "| worst | 20 |" in source
    assert "| tag 29 |" not in source
