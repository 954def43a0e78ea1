"""Classification figures of a real classifier on real intents equal scikit-learn's."""

import asyncio
from typing import Any

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.naive_bayes import MultinomialNB

from evaluator.dataset.load import load_cases
from evaluator.records import Case, LabelStatistic, Output
from evaluator.stats.labels import label_statistic
from tests.real_data.conftest import DataFile
from tests.scoring.conftest import make_scorer


def predictions(cases: list[Case], truth: list[str]) -> list[str]:
    """Train on every other case and predict all: good, but not perfect. Every 20th answer is no label at all."""
    texts = [str(case.input) for case in cases]
    vectors: Any = TfidfVectorizer().fit_transform(texts)
    model = MultinomialNB(alpha=0.01, fit_prior=False).fit(vectors[::2], truth[::2])
    labels = [str(label) for label in model.predict(vectors)]
    return ["I am not sure" if index % 20 == 0 else label for index, label in enumerate(labels)]


@pytest.mark.parametrize("name", ["banking77_308.jsonl", "clinc150_test_full.jsonl"])
def test_the_figures_equal_scikit_learns(data_file: DataFile, name: str) -> None:
    cases = list(load_cases(data_file(name)))
    truth = [str(case.expected) for case in cases]
    labels = tuple(sorted(set(truth)))
    predicted = predictions(cases, truth)
    scorer = make_scorer("classification", labels=labels)

    async def score_all() -> list[dict[str, float]]:
        # Shouted and padded: matching must see through it.
        return [
            dict((await scorer.score(case, Output(text=f" {answer.upper()}\n"))).values)
            for case, answer in zip(cases, predicted, strict=True)
        ]

    values = asyncio.run(score_all())
    accuracy = sum(each["accuracy"] for each in values) / len(values)
    codes = [each["classification_label"] for each in values]
    assert accuracy == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    assert 0.3 < accuracy < 0.97
    references = {
        LabelStatistic.MACRO_F1: f1_score,
        LabelStatistic.MACRO_PRECISION: precision_score,
        LabelStatistic.MACRO_RECALL: recall_score,
    }
    for statistic, reference in references.items():
        wanted = reference(truth, predicted, labels=labels, average="macro", zero_division=0)
        assert label_statistic(codes, len(labels), statistic) == pytest.approx(wanted, abs=1e-12)
        print(f"{name}: {statistic} {wanted:.4f}, {len(labels)} labels")
