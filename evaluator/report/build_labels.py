"""Label tables of the result document: precision, recall and F1 per class, and the confusions that changed most.

Descriptions for the reader, computed from (expected, predicted) pairs; the gated figure is the comparison's macro-F1.
"""

from collections import Counter
from collections.abc import Sequence

from evaluator.report.document_parts import ConfusionChange, LabelRow, LabelScores, LabelTable

MAX_ROWS = 60
MAX_CONFUSIONS = 12
Pairs = Sequence[tuple[str, str]] | Counter[tuple[str, str]]
"""(expected, predicted) of each case, or of each answer where there are repeats; or how often there was each pair."""


def label_table(scorer: str, base: Pairs | None, head: Pairs) -> LabelTable:
    """Build the table of one classification scorer.

    Args:
        scorer: The scorer's name.
        base: (expected, predicted) pairs of base; None for a run of one ref.
        head: The same of head.

    Returns:
        The most frequent classes (expected at head, at most 60), and at most 12 confusions by change, then by count.
        Per class, P = TP / predicted, R = TP / expected, F1 = 2 TP / (predicted + expected) (van Rijsbergen 1979);
        null where the denominator is zero.
    """
    before, after = Counter(base or ()), Counter(head)
    expected: Counter[str] = Counter()
    for (label, _), count in after.items():
        expected[label] += count
    labels = sorted(
        {label for pair in (*before, *after) for label in pair}, key=lambda label: (-expected[label], label)
    )
    rows = [
        LabelRow(
            label=label,
            expected=expected[label],
            base=None if base is None else _scores(label, before),
            head=_scores(label, after),
        )
        for label in labels[:MAX_ROWS]
    ]
    wrong = [pair for pair in {**before, **after} if pair[0] != pair[1]]
    wrong.sort(key=lambda pair: (-abs(after[pair] - before[pair]), -after[pair], pair))
    confusions = [
        ConfusionChange(expected=pair[0], predicted=pair[1], base=before[pair], head=after[pair])
        for pair in wrong[:MAX_CONFUSIONS]
    ]
    return LabelTable(scorer=scorer, rows=rows, rows_total=len(labels), confusions=confusions)


def _scores(label: str, pairs: Counter[tuple[str, str]]) -> LabelScores:
    right = pairs[label, label]
    predicted = sum(count for (_, said), count in pairs.items() if said == label)
    expected = sum(count for (truth, _), count in pairs.items() if truth == label)
    return LabelScores(
        predicted=predicted,
        precision=right / predicted if predicted else None,
        recall=right / expected if expected else None,
        f1=2 * right / (predicted + expected) if predicted + expected else None,
    )
