"""Keeps what it took to try the judges of a run in its journal, so that it counts as spend, also after a resumption."""

from itertools import count

from evaluator.journal.journal import TRIALS, Journal
from evaluator.records import Output, Score
from evaluator.report.build_cases import Observed
from evaluator.scoring.judge.canaries import Findings


def keep_findings(journal: Journal, found: Findings) -> None:
    """Keep the calls; a run that goes on finds its own answers kept, and keeps nothing twice."""
    number = next(number for number in count() if not journal.scores(TRIALS, "head", number))
    if found.calls and (number == 0 or not all(call.cached for call in found.calls)):
        journal.put_score(TRIALS, "head", number, Score("canaries", calls=found.calls))


def trials_of(journal: Journal) -> Observed:
    """All that was asked to try the judges, as the scores of an answer that nobody gave."""
    scores: list[Score] = []
    for number in count():
        kept = journal.scores(TRIALS, "head", number)
        if not kept:
            return Observed(Output(), tuple(scores))
        scores += kept.values()
    raise AssertionError("counting has no end")
