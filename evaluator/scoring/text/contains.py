"""contains: 1 if the answer contains the texts that it should."""

from evaluator.config.scorers import ContainsOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, answer_text, expected_texts, shorten
from evaluator.scoring.interface import Scorer
from evaluator.scoring.text.tokens import fold


class ContainsScorer(Scorer):
    """Looks for texts in the answer, in Unicode form NFKC; any, all or none of them must be there.

    Raises:
        ScorerError: A text to look for is empty, and so in every answer.
    """

    def __init__(self, options: ContainsOptions) -> None:
        """Check and keep the options; see the class."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.PROPORTION, unit="share", low=0.0, high=1.0),)
        self._options = options
        if options.values is not None and not (options.values and all(options.values)):
            raise ScorerError(
                f"scorer {self.name!r}: `values` is empty, or has an empty text, which every answer contains",
                hint="write the texts, or leave `values` out to look for each case's `expected`",
            )

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; no value if there is nothing to look for."""
        options = self._options
        wanted = options.values if options.values is not None else expected_texts(case, options.field)
        wanted = tuple(text for text in wanted if text)
        if not wanted:
            return Score(self.name, reason="the case has no expected answer")
        try:
            answer = fold(answer_text(output, options.field), ignore_case=options.ignore_case)
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        held = [fold(text, ignore_case=options.ignore_case) in answer for text in wanted]
        right = {"any": any(held), "all": all(held), "none": not any(held)}[options.mode]
        names = [text for text, is_held in zip(wanted, held, strict=True) if is_held == (options.mode == "none")]
        verb = "contains" if options.mode == "none" else "lacks"
        reason = "" if right else f"{verb} {', '.join(shorten(text, 40) for text in names[:5])}"
        return Score(self.name, {self.name: float(right)}, reason=reason)
