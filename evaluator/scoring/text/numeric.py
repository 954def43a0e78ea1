"""numeric: 1 if the number in the answer is the expected one, within a tolerance."""

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from evaluator.config.scorers import NumericOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, Failure, FailureKind, JsonValue, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, as_text, expected_values, find_answer, shorten
from evaluator.scoring.interface import Scorer
from evaluator.scoring.text.numbers import ARITHMETIC, Number, number_of
from evaluator.scoring.text.patterns import PatternError, PatternTimeoutError, compile_pattern, last_match

if TYPE_CHECKING:
    import regex

MAX_SHOWN_DIGITS = 40


class NumericScorer(Scorer):
    """Compares the last number of the answer, or what the pattern's last match captured, with the expected number.

    Right if |answer - expected| <= max(absolute, relative * |expected|). Where just one of the two has a percent sign,
    either reading counts: "50%" equals 0.5 and 50.

    Raises:
        ScorerError: The pattern is wrong or has no group.
    """

    def __init__(self, options: NumericOptions) -> None:
        """Compile the pattern; see the class."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.PROPORTION, unit="share", low=0.0, high=1.0),)
        self._options = options
        self._pattern: regex.Pattern[str] | None = None
        if options.pattern is not None:
            try:
                self._pattern = compile_pattern(options.pattern)
            except PatternError as error:
                raise ScorerError(
                    f"scorer {self.name!r}: {error}: {shorten(options.pattern)}",
                    hint="in YAML, write patterns in single quotes so that backslashes stay",
                ) from None
            if self._pattern.groups == 0:
                raise ScorerError(
                    f"scorer {self.name!r}: `pattern` has no group, found {shorten(options.pattern)}",
                    hint="put the number in parentheses, such as 'Answer: (.+)'",
                )

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; an `expected` without a number is a failure, an answer without one is wrong."""
        wanted = expected_values(case, self._options.field)
        if not wanted:
            return Score(self.name, reason="the case has no expected answer")
        targets = [number_of(value) for value in wanted]
        if None in targets:
            odd = shorten(as_text(wanted[targets.index(None)]))
            message = f"scorer {self.name!r}: the case's `expected` has no number: {odd}"
            return Score(self.name, failure=Failure(FailureKind.SCORER, message))
        try:
            found = await self._number(find_answer(output, self._options.field))
        except MissingAnswerError as missing:
            return Score(self.name, {self.name: 0.0}, reason=str(missing))
        except PatternTimeoutError as error:
            return Score(self.name, failure=Failure(FailureKind.SCORER, f"scorer {self.name!r}: {error}"))
        right = any(self._equal(found, target) for target in targets if target is not None)
        percent = "%" if found.percent else ""
        return Score(self.name, {self.name: float(right)}, reason=f"found {_short(found.value)}{percent}")

    async def _number(self, answer: JsonValue) -> Number:
        if self._pattern is not None:
            text = "" if answer is None else as_text(answer)
            match = await asyncio.to_thread(last_match, self._pattern, text)
            if match is None or match[1] is None:
                raise MissingAnswerError("the pattern captured nothing")
            answer = match[1]
        number = number_of(answer)
        if number is None:
            raise MissingAnswerError("the answer has no number")
        return number

    def _equal(self, found: Number, wanted: Number) -> bool:
        if found.percent == wanted.percent:
            return self._close(found.value, wanted.value)
        shares = [ARITHMETIC.scaleb(number.value, -2 if number.percent else 0) for number in (found, wanted)]
        return self._close(found.value, wanted.value) or self._close(*shares)

    def _close(self, found: Decimal, wanted: Decimal) -> bool:
        relative = ARITHMETIC.multiply(Decimal(repr(self._options.relative)), ARITHMETIC.abs(wanted))
        tolerance = max(Decimal(repr(self._options.absolute)), relative)
        return ARITHMETIC.abs(ARITHMETIC.subtract(found, wanted)) <= tolerance


def _short(value: Decimal) -> str:
    plain = f"{value:f}" if abs(value.adjusted()) < MAX_SHOWN_DIGITS else f"{value:E}"
    return shorten(plain, MAX_SHOWN_DIGITS).strip("'")
