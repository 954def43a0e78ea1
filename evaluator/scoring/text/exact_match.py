"""exact_match: 1 if the answer equals one of the acceptable answers."""

from evaluator.config.scorers import ExactMatchOptions
from evaluator.records import MetricKind
from evaluator.scoring.text.scorer import TextScorer
from evaluator.scoring.text.tokens import fold, squad_tokens


def exact_match(answer: str, expected: str) -> float:
    """Give 1.0 if both have the same tokens after SQuAD's normalisation, else 0.0.

    Equal to the SQuAD v1.1 script on ASCII text. Its normalisation deletes punctuation, so "1.5" equals "15":
    use the `numeric` scorer for numbers.
    """
    return float(squad_tokens(answer) == squad_tokens(expected))


def literal_match(answer: str, expected: str) -> float:
    """Give 1.0 if both are the same text, but for Unicode form (NFKC) and white space at the ends, else 0.0."""
    return float(fold(answer, ignore_case=False).strip() == fold(expected, ignore_case=False).strip())


def build_exact_match(options: ExactMatchOptions) -> TextScorer:
    """Make the scorer."""
    return TextScorer(options, exact_match if options.normalize else literal_match, MetricKind.PROPORTION)
