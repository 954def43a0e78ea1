"""The one scorer behind exact_match, f1 and rouge_l: the best comparison with any acceptable answer."""

from collections.abc import Callable

from evaluator.config.scorers import ScorerOptions
from evaluator.records import Case, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, answer_text, expected_texts, shorten
from evaluator.scoring.interface import Scorer

Compare = Callable[[str, str], float]
"""(answer, expected) -> 0 to 1."""


class TextScorer(Scorer):
    """Compares the answer with each acceptable one and keeps the best value.

    Args:
        options: The scorer's options; name and field are used.
        compare: (answer, expected) -> 0 to 1.
        kind: PROPORTION if `compare` only gives 0 and 1, else MEAN.
    """

    def __init__(self, options: ScorerOptions, compare: Compare, kind: MetricKind) -> None:
        """Keep the options; see the class."""
        self.name = options.metric_name
        is_share = kind is MetricKind.PROPORTION
        self.metrics = (Metric(self.name, kind, unit="share" if is_share else "score", low=0.0, high=1.0),)
        self._field = options.field
        self._compare = compare

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; no value if the case has no expected answer, 0 if the answer lacks the field."""
        expected = expected_texts(case, self._field)
        if not expected:
            return Score(self.name, reason="the case has no expected answer")
        try:
            answer = answer_text(output, self._field)
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        values = [self._compare(answer, text) for text in expected]
        best = max(range(len(values)), key=values.__getitem__)
        reason = f"best against {shorten(expected[best])}" if len(expected) > 1 else ""
        return Score(self.name, {self.name: values[best]}, reason=reason)
