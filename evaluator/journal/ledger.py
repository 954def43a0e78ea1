"""What a run has spent, kept in its journal: a run that goes on must not forget what was paid for and then lost."""

from evaluator.journal.journal import Journal

_SPENT = "spent"


class Ledger:
    """Dollars and calls of one run, over all of its processes.

    Answers alone do not tell: those of an outage are forgotten, a cancelled case leaves none, and some calls belong to
    no case.
    """

    def __init__(self, journal: Journal, *, before: tuple[float, int]) -> None:
        """Read what the run has spent so far.

        Args:
            journal: The run's.
            before: Dollars and calls that other runs of the same job have spent: they count for the budget, and are not
                this run's.
        """
        self._journal = journal
        self._others_usd, self._others_calls = before
        kept = journal.meta(_SPENT)
        dollars, _, calls = (kept or "0 0").partition(" ")
        self.spent_usd, self.calls = float(dollars), int(calls)

    def keep(self, spent_usd: float, calls: int) -> None:
        """Keep the totals of the budget, less what other runs spent."""
        self.spent_usd, self.calls = spent_usd - self._others_usd, calls - self._others_calls
        self._journal.set_meta(_SPENT, f"{self.spent_usd!r} {self.calls}")
