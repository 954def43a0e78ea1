"""What the workers spend, as the driver's budget has it: added up, and kept with the run."""

from dataclasses import fields, replace

from evaluator.engines.ray.lending import Caps, Parties, Sum
from evaluator.engines.ray.messages import Spent
from evaluator.gateway.budget import Account, Budget
from evaluator.gateway.gateway import Gateway


def caps_of(budget: Budget) -> Caps:
    """The caps that hold for all workers together."""
    return Caps(budget.max_usd, budget.max_calls, budget.sides, budget.judged)


def charge(gateway: Gateway, before: Spent, after: Spent) -> None:
    """Count what a worker has spent since it told last, and have it stored.

    Args:
        gateway: Ours, whose budget is the run's.
        before: What it told last.
        after: What it tells now.
    """
    if before == after:
        return
    accounts = gateway.budget.accounts
    for party, now in after.accounts.items():
        then, ours = before.accounts.get(party, Account()), accounts.setdefault(party, Account())
        for each in fields(Account):
            more = getattr(now, each.name) - getattr(then, each.name)
            setattr(ours, each.name, getattr(ours, each.name) + more)
    for party, usd in after.dearest.items():
        gateway.budget.dearest[party] = max(usd, gateway.budget.dearest.get(party, 0.0))
    gateway.charge(after.usd - before.usd, after.calls - before.calls)  # last, because it stores the accounts too


def untold(held: Parties, workers: list[Spent]) -> dict[str, Account]:
    """What workers may have spent beyond what they told, by party: if all of us die, nobody knows what of it was.

    Args:
        held: What they may spend or have spent.
        workers: What they told last.
    """
    found = {}
    for party, one in held.items():
        told = [worker.accounts.get(party, Account()) for worker in workers]
        usd = one.usd - sum(account.spent_usd for account in told)
        calls = one.calls - sum(account.calls for account in told)
        found[party] = Account(max(0.0, usd), max(0, calls))
    return found


def with_lost(told: Spent, lost: Parties) -> Spent:
    """What a dead worker has spent at most: its whole share, where that is more than it told.

    Args:
        told: What it told last.
        lost: Its share, by party.
    """
    usd, calls = sum(one.usd for one in lost.values()), sum(one.calls for one in lost.values())
    accounts = {party: replace(account) for party, account in told.accounts.items()}
    for party, one in lost.items():
        if party:
            account = accounts.setdefault(party, Account())
            account.spent_usd = max(account.spent_usd, one.usd)
            account.calls = max(account.calls, one.calls)
    return Spent(max(told.usd, usd), max(told.calls, calls), accounts, told.dearest)


def by_others(budget: Budget, workers: list[Spent]) -> dict[str, Sum]:
    """What has been spent by others than these workers, by party."""
    found = {party: Sum(account.spent_usd, account.calls) for party, account in budget.accounts.items()}
    nobody = Sum(budget.spent_usd, budget.calls) - sum(found.values(), Sum())
    for worker in workers:
        known = Sum()
        for party, account in worker.accounts.items():
            own = Sum(account.spent_usd, account.calls)
            found[party] = found.get(party, Sum()) - own
            known += own
        nobody -= Sum(worker.usd, worker.calls) - known
    return {**found, "": nobody}
