"""classification: accuracy, macro-F1, macro-precision and macro-recall of one label per case."""

from collections.abc import Sequence

from evaluator.config.scorers import ClassificationOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, Failure, FailureKind, LabelStatistic, Metric, MetricKind, Output, Score
from evaluator.scoring.answer import MissingAnswerError, answer_text, expected_texts, shorten
from evaluator.scoring.interface import Scorer
from evaluator.scoring.text.tokens import fold


class ClassificationScorer(Scorer):
    """Compares the answer's label with the expected one.

    Labels are equal if they are the same text in Unicode form NFKC, white space at the ends apart, and by default
    without regard to case. An answer that is none of the labels counts as wrong, and as no prediction of any class.

    Args:
        options: The scorer's options. With a `name` the metrics are `<name>_accuracy` and so on.
        dataset_labels: The labels of the dataset, used where the options name none.

    Raises:
        ScorerError: There are no labels, one is empty, or two of them are the same.
    """

    def __init__(self, options: ClassificationOptions, dataset_labels: Sequence[str]) -> None:
        """Check the labels and name the metrics; see the class."""
        self.name = options.metric_name
        self.labels = options.labels if options.labels is not None else tuple(dict.fromkeys(dataset_labels))
        self._options = options
        self._codes: dict[str, int] = {}
        for code, label in enumerate(self.labels):
            key = self._key(label)
            if not key or key in self._codes:
                twin = shorten(self.labels[self._codes[key]]) if key else "nothing but white space"
                raise ScorerError(
                    f"scorer {self.name!r}: the label {shorten(label)} is the same as {twin}",
                    hint="write each label once; set `ignore_case: false` if labels differ in case alone",
                )
            self._codes[key] = code
        if not self.labels:
            raise ScorerError(
                f"scorer {self.name!r}: there are no labels",
                hint="give the cases of the dataset an `expected` label, or list them under `labels`",
            )
        prefix = f"{options.name}_" if options.name else ""
        self._accuracy = f"{prefix}accuracy"
        self._column = f"{self.name}_label"
        accuracy = Metric(self._accuracy, MetricKind.PROPORTION, unit="share", low=0.0, high=1.0)
        self.metrics = (accuracy, *(self._label_metric(prefix, statistic) for statistic in LabelStatistic))

    def _label_metric(self, prefix: str, statistic: LabelStatistic) -> Metric:
        return Metric(
            f"{prefix}{statistic.value}",
            MetricKind.LABELS,
            column=self._column,
            low=0.0,
            high=1.0,
            statistic=statistic,
            label_count=len(self.labels),
            labels=self.labels,
        )

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output: whether it is right, and the code `expected * (K + 1) + predicted` for the K labels.

        A list of acceptable labels stands for the one that was predicted, else for its first. An expected label that
        is not among the labels is a failure.
        """
        acceptable = expected_texts(case, self._options.field)
        if not acceptable:
            return Score(self.name, reason="the case has no expected answer")
        wanted = [self._codes.get(self._key(label)) for label in acceptable]
        if None in wanted:
            odd = shorten(acceptable[wanted.index(None)])
            message = f"scorer {self.name!r}: the case expects {odd}, which is none of the {len(self.labels)} labels"
            return Score(self.name, failure=Failure(FailureKind.SCORER, message))
        try:
            answer = answer_text(output, self._options.field)
            reason = ""
        except MissingAnswerError as missing:
            answer, reason = "", str(missing)
        predicted = self._codes.get(self._key(answer))
        if predicted is None and not reason:
            reason = f"{shorten(answer)} is none of the labels" if answer.strip() else "the answer is empty"
        expected = predicted if predicted in wanted else wanted[0]
        if expected is None:  # for the type checker: a None among the wanted was refused above
            raise AssertionError(f"scorer {self.name!r} lost its expected label")
        code = expected * (len(self.labels) + 1) + (len(self.labels) if predicted is None else predicted)
        return Score(
            self.name,
            {self._accuracy: float(predicted == expected), self._column: float(code)},
            labels=(self.labels[expected], "" if predicted is None else self.labels[predicted]),
            reason=reason,
        )

    def without_answer(self, case: Case) -> dict[str, float]:
        """As every scorer's, and "no valid label" for the whole table."""
        acceptable = expected_texts(case, self._options.field)
        expected = self._codes.get(self._key(acceptable[0])) if acceptable else None
        if expected is None:
            return {}
        return {self._accuracy: 0.0, self._column: float(expected * (len(self.labels) + 1) + len(self.labels))}

    def _key(self, label: str) -> str:
        return fold(label, ignore_case=self._options.ignore_case).strip()
