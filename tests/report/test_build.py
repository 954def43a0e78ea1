"""Records become document parts: what changed in a case, what it cost, how labels and values are spread."""

import math

import pytest
from sklearn.metrics import precision_recall_fscore_support

from evaluator.records import Call, Case, Failure, FailureKind, Metric, MetricKind, Output, Score, Usage
from evaluator.report.build import spend_part, verdict_part
from evaluator.report.build_cases import TEXT_LIMIT, Observed, answer_part, case_part, distribution, select_cases
from evaluator.report.build_labels import label_table
from tests.report.sample import failing_verdict, sample_document

F1 = Metric("f1", MetricKind.MEAN, low=0, high=1)
COST = Metric("cost", MetricKind.MEAN, False, "usd")
CASE = Case("a", "in", "out")


def seen(text: str = "x", f1: float | None = 0.5, failure: Failure | None = None, **more: float) -> Observed:
    """Give an answer with an F1 score."""
    if failure:
        return Observed(Output(failure=failure), (Score("f1", failure=failure),))
    return Observed(Output(text=text), (Score("f1", {} if f1 is None else {"f1": f1, **more}, reason="because"),))


CRASH = Failure(FailureKind.CRASH, "exit 1")


@pytest.mark.parametrize(
    ("base", "head", "change"),
    [
        ([seen(f1=0.9)], [seen(f1=0.4)], "regressed"),
        ([seen(f1=0.4)], [seen(f1=0.9)], "improved"),
        ([seen("x")], [seen("y")], "changed"),
        ([seen()], [seen()], "same"),
        ([seen()], [seen(failure=CRASH)], "failed"),
        ([seen(), seen()], [seen(), seen(failure=CRASH)], "failed"),
        ([seen(failure=CRASH)], [seen()], "improved"),
        ([seen(failure=CRASH)], [seen(failure=CRASH)], "failed"),
        ([], [seen()], "added"),
        ([seen()], [], "removed"),
        ([seen(cost=1.0)], [seen(cost=9.0)], "same"),
    ],
)
def test_what_happened_to_a_case(base: list[Observed], head: list[Observed], change: str) -> None:
    assert case_part(CASE, base, head, (F1, COST)).change == change


def test_the_worst_cases_come_first_and_the_rest_is_counted() -> None:
    cases = [Case(name, name) for name in "abcde"]
    base = {case.id: [seen(f1=0.8)] for case in cases}
    head = {
        "a": [seen(f1=0.8)],
        "b": [seen(f1=0.7)],
        "c": [seen(f1=0.1)],
        "d": [seen(failure=CRASH)],
        "e": [seen(f1=1)],
    }
    selection = select_cases(cases, base, head, (F1,), limit=3)
    assert ([part.id for part in selection.cases], selection.total) == (["d", "c", "b"], 5)


def test_a_run_of_one_ref_has_no_base_and_shows_low_scores_first() -> None:
    cases = [Case("good", 1), Case("bad", 2)]
    selection = select_cases(cases, None, {"good": [seen(f1=1.0)], "bad": [seen(f1=0.1)]}, (F1,))
    assert [(part.id, part.change, part.base) for part in selection.cases] == [
        ("bad", "same", None),
        ("good", "same", None),
    ]


def test_repeats_give_means_and_the_first_answer_that_is_one() -> None:
    answer = answer_part([seen(failure=CRASH), seen("second", 0.2), seen("third", 0.6)])
    assert (answer.text, answer.repeats, answer.failed_repeats) == ("second", 3, 1)
    assert answer.scores["f1"] == pytest.approx(0.4)
    assert answer.reasons == {"f1": "because"}


def test_a_failed_scorer_is_told_and_is_no_score() -> None:
    answer = answer_part([Observed(Output(text="x"), (Score("judge", failure=Failure(FailureKind.SERVER, "503")),))])
    assert (answer.scores, answer.reasons) == ({}, {"judge": "failed: server: 503"})


def test_codes_of_labels_are_not_shown_as_scores() -> None:
    labels = Metric("macro_f1", MetricKind.LABELS, column="labels")
    observed = [Observed(Output(text="x"), (Score("classification", {"labels": 7.0, "f1": 1.0}),))]
    part = case_part(CASE, observed, observed, (F1, labels))
    assert part.head is not None and part.head.scores == {"f1": 1.0}


def test_very_long_answers_are_cut_with_a_note() -> None:
    answer = answer_part([Observed(Output(text="x" * 100_000, data={"rows": ["y" * 100_000]}))])
    assert answer.text is not None and len(answer.text) < TEXT_LIMIT + 100
    assert answer.text.endswith("(100,000 characters in all)")
    assert isinstance(answer.data, str) and len(answer.data) < TEXT_LIMIT + 100


def test_spend_tells_cached_from_real_and_app_from_judge() -> None:
    usage = Usage(100, 10)
    fresh = Call("openai", "m", usage, 0.5, 1.0)
    cached = Call("openai", "m", usage, 0.25, 1.0, cached=True)
    unknown = Call("local", "m", usage, None, 1.0)
    spend = spend_part(
        [
            Observed(Output(text="a", calls=(fresh,)), (Score("judge", calls=(cached,)),)),
            Observed(Output(text="b", calls=(unknown,))),
            Observed(Output(text="c", cost_usd=0.125, usage=Usage(7, 3))),
        ]
    )
    assert (spend.target_usd, spend.evaluation_usd, spend.total_usd, spend.real_usd) == (0.625, 0.25, 0.875, 0.625)
    assert (spend.calls, spend.cached_calls, spend.unpriced_calls) == (3, 1, 1)
    assert (spend.input_tokens, spend.output_tokens) == (307, 33)


def test_label_scores_equal_scikit_learns() -> None:
    table = sample_document().label_tables[0]
    pairs = [
        (str(case.expected), (case.head.text or "").split("\n")[0])
        for case in sample_document().cases
        if case.head and case.head.text
    ]
    names = [row.label for row in table.rows]
    expected = precision_recall_fscore_support(*zip(*pairs, strict=True), labels=names, zero_division=0.0)
    for row, precision, recall, f1 in zip(table.rows, *expected[:3], strict=True):
        assert row.head is not None
        assert (row.head.precision or 0, row.head.recall or 0, row.head.f1 or 0) == pytest.approx(
            (precision, recall, f1)
        )


def test_a_label_that_nobody_expects_or_predicts_has_no_score() -> None:
    rows = {row.label: row for row in label_table("c", [("a", "b")], [("a", "a")]).rows}
    assert rows["b"].base is not None and rows["b"].base.recall is None
    assert rows["b"].head is not None and rows["b"].head.f1 is None


def test_confusions_are_sorted_by_change() -> None:
    table = label_table("c", [("a", "b")] * 5 + [("b", "c")], [("a", "b")] * 5 + [("c", "a")] * 2)
    assert [(c.expected, c.predicted, c.base, c.head) for c in table.confusions] == [
        ("c", "a", 0, 2), ("b", "c", 1, 0), ("a", "b", 5, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("count", [2, 8, 9, 1000])
def test_every_value_lands_in_one_bin(count: int) -> None:
    base = {str(i): i / count for i in range(count)}
    spread = distribution(F1, base, {**base, "new": 5.0, "odd": math.nan})
    assert spread is not None
    assert (sum(spread.base), sum(spread.head)) == (count, count + 1)
    assert len(spread.edges) == len(spread.base) + (0 if spread.discrete else 1)
    assert set(spread.differences) == {0.0}
    assert len(spread.differences) <= 400


def test_nothing_to_spread_is_none() -> None:
    assert distribution(F1, {}, {"a": math.nan}) is None
    assert distribution(Metric("m", MetricKind.LABELS), {"a": 1}, {"a": 1}) is None


def test_a_verdict_keeps_its_order_and_infinite_ends_become_null() -> None:
    part = verdict_part(failing_verdict(), {"judge": 0.04})
    assert [row.name for row in part.objectives][:3] == ["accuracy", "judge", "macro_f1"]
    assert [row.detectable for row in part.objectives][:3] == [None, 0.04, None]
    assert part.objectives[0].bounds[1].kind == "max_drop"
