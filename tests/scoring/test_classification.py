"""Classification: labels are matched with sense, and the codes give scikit-learn's figures."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from evaluator.errors import ScorerError
from evaluator.records import Case, JsonValue, LabelStatistic, Metric, MetricKind, Output
from evaluator.stats.labels import label_statistic
from tests.scoring.conftest import make_scorer, score_of

LABELS = ("Refund", "card_lost", "기타")


@pytest.mark.parametrize(
    ("answer", "expected", "right", "code", "labels"),
    [
        ("Refund", "Refund", 1, 0, ("Refund", "Refund")),
        ("  refund\n", "REFUND", 1, 0, ("Refund", "Refund")),
        ("card_lost", "Refund", 0, 1, ("Refund", "card_lost")),
        ("기타", "기타", 1, 10, ("기타", "기타")),
        ("I think: refund", "Refund", 0, 3, ("Refund", "")),
        ("", "card_lost", 0, 7, ("card_lost", "")),
        ("card_lost", ["Refund", "card_lost"], 1, 5, ("card_lost", "card_lost")),
        ("기타", ["Refund", "card_lost"], 0, 2, ("Refund", "기타")),
    ],
)
def test_a_label_and_its_code(
    answer: str, expected: JsonValue, right: float, code: float, labels: tuple[str, str]
) -> None:
    score = score_of("classification", answer, expected, labels=LABELS)
    assert score.values == {"accuracy": right, "classification_label": code}
    assert score.labels == labels


def test_a_missing_field_is_wrong_and_no_label() -> None:
    score = score_of({"classification": {"field": "label"}}, '{"x": 1}', "Refund", labels=LABELS)
    assert score.values == {"accuracy": 0.0, "classification_label": 3.0}
    assert score.labels == ("Refund", "")
    assert "no 'label'" in score.reason


def test_case_matters_when_it_is_told_to() -> None:
    score = score_of({"classification": {"ignore_case": False, "labels": ["a", "A"]}}, "A", "a")
    assert score.labels == ("a", "A")


def test_without_expected_the_metrics_do_not_apply() -> None:
    assert not score_of("classification", "Refund", labels=LABELS).values


def test_an_expected_label_that_is_none_is_a_failure() -> None:
    score = score_of("classification", "Refund", "refunds", labels=LABELS)
    assert score.failure is not None
    assert "'refunds'" in score.failure.message


def test_metrics_and_their_names() -> None:
    plain = make_scorer("classification", labels=LABELS)
    assert [metric.name for metric in plain.metrics] == ["accuracy", "macro_f1", "macro_precision", "macro_recall"]
    named = make_scorer({"classification": {"name": "intent"}}, labels=LABELS)
    assert [metric.name for metric in named.metrics][:2] == ["intent_accuracy", "intent_macro_f1"]
    assert named.metrics[1] == Metric(
        "intent_macro_f1",
        MetricKind.LABELS,
        column="intent_label",
        low=0.0,
        high=1.0,
        statistic=LabelStatistic.MACRO_F1,
        label_count=3,
        labels=tuple(LABELS),
    )


@pytest.mark.parametrize(
    ("labels", "message"), [((), "no labels"), (("a", "A "), "same as"), (("a", " "), "white space")]
)
def test_labels_that_cannot_work_are_refused(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ScorerError, match=message):
        make_scorer("classification", labels=labels)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["a", "b", "c", "d", "other"])), min_size=1, max_size=40
    )
)
def test_the_codes_give_scikit_learns_figures(pairs: list[tuple[str, str]]) -> None:
    scorer = make_scorer("classification", labels=tuple("abcd"))
    scores = [asyncio.run(scorer.score(Case("c", "q", expected), Output(text=answer))) for expected, answer in pairs]
    truth, predicted = zip(*pairs, strict=True)
    accuracy = sum(score.values["accuracy"] for score in scores) / len(scores)
    assert accuracy == pytest.approx(accuracy_score(truth, predicted))
    seen = sorted({label for label in truth + predicted if label != "other"})  # macro: over the classes that occur
    reference = precision_recall_fscore_support(truth, predicted, labels=seen, average="macro", zero_division=0)
    codes = [score.values["classification_label"] for score in scores]
    statistics = (LabelStatistic.MACRO_PRECISION, LabelStatistic.MACRO_RECALL, LabelStatistic.MACRO_F1)
    ours = [label_statistic(codes, 4, statistic) for statistic in statistics]
    assert ours == pytest.approx(list(reference[:3]))
