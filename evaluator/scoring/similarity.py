"""similarity: cosine of the embeddings of the answer and the expected answer."""

import math
from collections.abc import Sequence

from evaluator.config.scorers import SimilarityOptions
from evaluator.errors import BudgetError, ProviderError
from evaluator.gateway.interface import ModelCaller
from evaluator.records import Case, Failure, FailureKind, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, answer_text, expected_texts
from evaluator.scoring.failures import failure_of
from evaluator.scoring.interface import Scorer


class SimilarityScorer(Scorer):
    """Asks the gateway for embeddings and keeps the best cosine with any acceptable answer, -1 to 1."""

    def __init__(self, options: SimilarityOptions, models: ModelCaller) -> None:
        """Keep the options and the way to the models."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.MEAN, low=-1.0, high=1.0),)
        self._options = options
        self._models = models

    async def score(  # one for each thing that may be missing
        self, case: Case, output: Output, *, repeat: int = 0
    ) -> Score:
        """Score one output; an empty answer is 0 without a call, since providers refuse empty texts."""
        options = self._options
        expected = tuple(text for text in expected_texts(case, options.field) if text.strip())
        if not expected:
            return Score(self.name, reason="the case has no expected answer")
        try:
            answer = answer_text(output, options.field)
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        if not answer.strip():
            return Score(self.name, {self.name: 0.0}, reason="the answer is empty")
        try:
            embedded = await self._models.embed((answer, *expected), provider=options.provider, model=options.model)
        except (ProviderError, BudgetError) as error:
            return Score(self.name, failure=failure_of(error))
        calls = (embedded.call,)
        try:
            if len(embedded.vectors) != len(expected) + 1:
                raise ValueError(f"asked for {len(expected) + 1} embeddings, got {len(embedded.vectors)}")
            values = [cosine(embedded.vectors[0], vector) for vector in embedded.vectors[1:]]
        except ValueError as error:
            return Score(self.name, calls=calls, failure=Failure(FailureKind.INVALID_ANSWER, str(error)))
        return Score(self.name, {self.name: max(values)}, calls=calls)


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """Give the cosine of the angle between two vectors of the same length, -1 to 1.

    Raises:
        ValueError: They differ in length, or one has no direction (all zeros, or a value that is not finite).
    """
    if len(first) != len(second):
        raise ValueError(f"embeddings of different lengths: {len(first)} and {len(second)}")
    norms = math.hypot(*first) * math.hypot(*second)
    if not math.isfinite(norms) or norms == 0:
        raise ValueError("an embedding without a direction: all zeros, or not finite")
    return max(-1.0, min(1.0, math.fsum(a * b for a, b in zip(first, second, strict=True)) / norms))
