"""rouge_l: the ROUGE-L F-measure, for any language."""

from collections.abc import Sequence

from evaluator.config.scorers import RougeLOptions
from evaluator.records import MetricKind
from evaluator.scoring.text.scorer import TextScorer
from evaluator.scoring.text.tokens import rouge_tokens


def rouge_l(answer: str, expected: str) -> float:
    """Give the F-measure of the longest common subsequence of tokens, 0 to 1 (Lin 2004, beta 1).

    Equal to the rouge-score package without stemming on ASCII text, but that two blank texts agree (1.0).
    """
    if not answer.strip() and not expected.strip():
        return 1.0
    found, wanted = rouge_tokens(answer), rouge_tokens(expected)
    common = common_subsequence_length(found, wanted)
    if common == 0:
        return 0.0
    precision, recall = common / len(found), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def common_subsequence_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Give the length of the longest common subsequence.

    Bit-parallel (Hyyro 2004): a column of the dynamic-programming table is one big integer, so long answers stay cheap.
    """
    if len(first) > len(second):
        first, second = second, first  # the integers are as long as the shorter text
    positions: dict[str, int] = {}
    for index, token in enumerate(first):
        positions[token] = positions.get(token, 0) | 1 << index
    mask = (1 << len(first)) - 1
    column = mask
    for token in second:
        matches = column & positions.get(token, 0)
        column = ((column + matches) | (column - matches)) & mask
    return len(first) - column.bit_count()


def build_rouge_l(options: RougeLOptions) -> TextScorer:
    """Make the scorer."""
    return TextScorer(options, rouge_l, MetricKind.MEAN)
