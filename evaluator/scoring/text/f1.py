"""f1: the token F1 of SQuAD, for any language."""

from collections import Counter

from evaluator.config.scorers import F1Options
from evaluator.records import MetricKind
from evaluator.scoring.text.scorer import TextScorer
from evaluator.scoring.text.tokens import squad_tokens


def token_f1(answer: str, expected: str) -> float:
    """Give the harmonic mean of precision and recall over the shared tokens, 0 to 1.

    Equal to the SQuAD v1.1 script (Rajpurkar et al. 2016) on ASCII text. Two blank texts, which it does not know, agree
    (1.0), as in v2.0 (Rajpurkar, Jia and Liang 2018): an empty `expected` means that there is no answer to give.
    """
    if not answer.strip() and not expected.strip():
        return 1.0
    found, wanted = squad_tokens(answer), squad_tokens(expected)
    shared = sum((Counter(found) & Counter(wanted)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def build_f1(options: F1Options) -> TextScorer:
    """Make the scorer."""
    return TextScorer(options, token_f1, MetricKind.MEAN)
