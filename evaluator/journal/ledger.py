"""What a run has spent, kept in its journal: a run that goes on must not forget what was paid for and then lost."""

import json
from dataclasses import asdict

from evaluator.gateway.budget import Account, Budget
from evaluator.journal.journal import Journal

_SPENT = "spent"
_ROUNDING_USD = 1e-6
"""What is less is no call, but what rounding leaves."""


class Ledger:
    """Dollars and calls of one run, over all of its processes.

    Answers alone do not tell: those of an outage are forgotten, a cancelled case leaves none, and some calls belong to
    no case. Under a cap the calls in flight are kept too, before they are sent: what was in flight at a kill counts
    with the most that it can have cost, as nobody knows what became of it.
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
        cut_off = kept.get("in_flight", {})
        lost_usd: dict[str, float] = cut_off.get("usd", {})
        self.just_lost = cut_off.get("calls", 0) > 0 or sum(lost_usd.values()) > _ROUNDING_USD
        """Whether the process before this one was killed with calls in flight."""
        self._lost_calls: int = kept.get("lost_calls", 0) + cut_off.get("calls", 0)
        self._lost_usd: float = kept.get("lost_usd", 0.0) + sum(lost_usd.values())
        for party, usd in lost_usd.items():
            self.spent_usd += usd
            if party:
                self.accounts.setdefault(party, Account()).spent_usd += usd

    @property
    def lost(self) -> str:
        """What people should be told of calls that were lost in kills, of this process and earlier ones; or nothing."""
        costs = self._lost_usd > _ROUNDING_USD
        if not self._lost_calls and not costs:
            return ""
        usd = f", as ${self._lost_usd:.4f}, the most that they can have cost" if costs else ""
        calls = f"up to {self._lost_calls} calls" if self._lost_calls else "calls"
        return f"the run was killed with {calls} in flight: they count against the budget{usd}"

    def keep(self, budget: Budget) -> None:
        """Keep the totals of the budget, less what other runs spent, with what else is kept in this turn."""
        self.spent_usd, self.calls = budget.spent_usd - self._others_usd, budget.calls - self._others_calls
        self._journal.note(_SPENT, lambda: self._told(budget))

    async def keep_begun(self, budget: Budget) -> None:
        """Keep them likewise for a call that is begun, and wait until they are kept.

        Raises:
            InfrastructureError: They cannot be.
        """
        self.keep(budget)
        await self._journal.committed()

    def _told(self, budget: Budget) -> str:
        untold = budget.untold()
        calls = budget.calls - self._others_calls + sum(one.calls for one in untold.values())
        accounts = {party: asdict(account) for party, account in budget.accounts.items()}
        for party, one in untold.items():  # calls count when they are begun, which these may be
            accounts.setdefault(party, asdict(Account()))["calls"] += one.calls
        told = {
            "usd": budget.spent_usd - self._others_usd,
            "calls": calls,
            "accounts": accounts,
            "lost_calls": self._lost_calls,
            "lost_usd": self._lost_usd,
        }
        if budget.capped:
            told["in_flight"] = asdict(budget.in_flight)
        return json.dumps(told)
