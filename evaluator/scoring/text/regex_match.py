"""regex: 1 if the pattern is found in the answer, or if what it captures equals the expected answer."""

import asyncio
from typing import TYPE_CHECKING

from evaluator.config.scorers import RegexOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, Failure, FailureKind, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, answer_text, expected_texts, shorten
from evaluator.scoring.interface import Scorer
from evaluator.scoring.text.numbers import same_plain_number
from evaluator.scoring.text.patterns import (
    PatternError,
    PatternTimeoutError,
    compile_pattern,
    first_match,
    last_match,
)
from evaluator.scoring.text.tokens import fold

if TYPE_CHECKING:
    import regex


class RegexScorer(Scorer):
    """Searches the answer for a pattern, each search bounded in time.

    Without a pattern in the options each case's `expected` is one (any of them, if it is a list). With `compare`, the
    last match's first group must equal an acceptable answer: as text, white space at the ends apart, or as a number
    where both are nothing but a number ("2,125" equals "2125.0").

    Raises:
        ScorerError: The pattern is wrong, or `compare` has no pattern with a group.
    """

    def __init__(self, options: RegexOptions) -> None:
        """Compile the pattern; see the class."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.PROPORTION, unit="share", low=0.0, high=1.0),)
        self._options = options
        self._pattern: regex.Pattern[str] | None = None
        if options.pattern is not None:
            try:
                self._pattern = compile_pattern(options.pattern, ignore_case=options.ignore_case)
            except PatternError as error:
                raise ScorerError(
                    f"scorer {self.name!r}: {error}: {shorten(options.pattern)}",
                    hint="in YAML, write patterns in single quotes so that backslashes stay",
                ) from None
        if options.compare and (self._pattern is None or self._pattern.groups == 0):
            raise ScorerError(
                f"scorer {self.name!r}: `compare` needs a `pattern` with a group, found {options.pattern!r}",
                hint="put the part to compare in parentheses, such as 'Answer: (.+)'",
            )

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; a search that takes too long, or an `expected` that is no pattern, is a failure."""
        expected = expected_texts(case, self._options.field)
        if not expected and (self._pattern is None or self._options.compare):
            return Score(self.name, reason="the case has no expected answer")
        try:
            answer = answer_text(output, self._options.field)
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        try:
            # In a thread: a slow pattern gives way to the event loop while it searches.
            right, reason = await asyncio.to_thread(self._judge, answer, expected)
        except (PatternError, PatternTimeoutError) as error:
            return Score(self.name, failure=Failure(FailureKind.SCORER, f"scorer {self.name!r}: {error}"))
        return Score(self.name, {self.name: float(right)}, reason=reason)

    def _judge(self, answer: str, expected: tuple[str, ...]) -> tuple[bool, str]:
        options = self._options
        if self._pattern is None:
            patterns = [compile_pattern(text, ignore_case=options.ignore_case) for text in expected]
            return any(first_match(pattern, answer) is not None for pattern in patterns), ""
        if not options.compare:
            return first_match(self._pattern, answer) is not None, ""
        match = last_match(self._pattern, answer)
        if match is None or match[1] is None:
            return False, "the pattern captured nothing"
        captured = match[1]
        right = any(_equal(captured, text, ignore_case=options.ignore_case) for text in expected)
        return right, f"captured {shorten(captured)}"


def _equal(captured: str, expected: str, *, ignore_case: bool) -> bool:
    same = fold(captured, ignore_case=ignore_case).strip() == fold(expected, ignore_case=ignore_case).strip()
    return same or same_plain_number(captured, expected)
