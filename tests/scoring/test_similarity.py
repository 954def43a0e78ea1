"""similarity takes the best cosine; what is no embedding is no score."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import BudgetError, ProviderError
from evaluator.records import FailureKind
from evaluator.scoring.similarity import cosine
from tests.scoring.conftest import score_of
from tests.scoring.scripted_models import ScriptedModels

SIMILARITY = {"similarity": {"model": "embedder"}}


def test_the_best_cosine_counts_and_the_call_is_kept() -> None:
    models = ScriptedModels(vectors=[(1, 0), (0, 1), (3, 4)])
    score = score_of(SIMILARITY, "서울", ["Busan", "Seoul"], models=models)
    assert score.values == {"similarity": pytest.approx(0.6)}
    assert models.embedded == [("서울", "Busan", "Seoul")]
    assert len(score.calls) == 1


def test_an_empty_answer_and_a_missing_expected_cost_no_call() -> None:
    models = ScriptedModels()
    assert score_of(SIMILARITY, " ", "Seoul", models=models).values == {"similarity": 0.0}
    assert score_of(SIMILARITY, "Seoul", models=models).values == {}
    assert models.embedded == []


@pytest.mark.parametrize("vectors", [[(1, 0)], [(1, 0), (1, 0, 0)], [(0, 0), (1, 0)], [(float("nan"), 0), (1, 0)]])
def test_what_is_no_embedding_is_a_failure(vectors: list[tuple[float, ...]]) -> None:
    score = score_of(SIMILARITY, "a", "b", models=ScriptedModels(vectors=vectors))
    assert score.failure is not None
    assert score.failure.kind is FailureKind.INVALID_ANSWER
    assert len(score.calls) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderError("slow down", kind="rate_limit"), FailureKind.RATE_LIMIT),
        (BudgetError("$5 spent"), FailureKind.BUDGET),
    ],
)
def test_a_call_that_fails_is_a_failure_of_its_kind(error: Exception, kind: FailureKind) -> None:
    models = ScriptedModels()
    models.error = error
    score = score_of(SIMILARITY, "a", "b", models=models)
    assert score.failure is not None
    assert (score.failure.kind, score.values) == (kind, {})


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20).filter(lambda v: max(map(abs, v)) > 1e-3))
def test_a_vector_is_like_itself_and_unlike_its_opposite(vector: list[float]) -> None:
    assert cosine(vector, vector) == pytest.approx(1)
    assert cosine(vector, [-value for value in vector]) == pytest.approx(-1)
