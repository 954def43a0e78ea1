"""What a run has spent, kept in its journal: a run that goes on must not forget what was paid for and then lost."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from evaluator.gateway.budget import Account, Budget
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
        kept = json.loads(journal.meta(_SPENT) or "{}")
        self.spent_usd, self.calls = float(kept.get("usd", 0.0)), int(kept.get("calls", 0))
        self.accounts = {party: Account(**account) for party, account in kept.get("accounts", {}).items()}
        """By party; see `Budget.accounts`."""

    def keep(self, budget: Budget) -> None:
        """Keep the totals of the budget, less what other runs spent, with what else is kept in this turn."""
        self.spent_usd, self.calls = budget.spent_usd - self._others_usd, budget.calls - self._others_calls
        self._journal.note(_SPENT, lambda: self._told(budget.accounts))

    def _told(self, accounts: Mapping[str, Account]) -> str:
        kept = {party: asdict(account) for party, account in accounts.items()}
        return json.dumps({"usd": self.spent_usd, "calls": self.calls, "accounts": kept})
