"""The spending cap: money is reserved before a call and settled after it, so that the cap holds at any concurrency.

Shares. Where base and head run side by side, each may use, spent and in flight, half of what is left of the cap without
the judges, for whom a fifth is kept until they have used more. So head can neither spend nor hold what base needs: base
never waits for money that head has in flight. Whoever reaches its share ends the run: nobody begins another call,
and those in flight are let end, since they are reserved and their answers are paid for.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from evaluator.errors import BudgetError
from evaluator.records import Side

BUDGET_HINT = (
    "raise `budget:` in the config at base, or use fewer cases; what is answered is kept and will not be paid again"
)
SHORTER_HINT = "a limit on each answer (`max_tokens`) lowers what calls could cost"
EVALUATION = "evaluation"
"""The party that judges and other scorers spend for."""
KEPT_FOR_EVALUATION = 0.2
"""Of the cap, as long as judges have not used so much."""
_CALLED = {EVALUATION: "judges"}


@dataclass(slots=True)
class Account:
    """What one party has spent, and what of it outside of any case."""

    spent_usd: float = 0.0
    calls: int = 0
    outside_usd: float = 0.0
    """What its calls outside of any case cost, such as while an app started; at most, where nobody told."""
    outside_calls: int = 0
    outside_unknown: int = 0
    """Of `outside_calls`: those whose cost is not known, and is in no sum."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """Calls that are begun and not settled."""

    calls: int = 0
    usd: Mapping[str, float] = field(default_factory=dict)
    """The most that they can cost, by party."""


@dataclass(slots=True)
class Reservation:
    """Money set aside for one call in flight."""

    worst_usd: float
    spent_usd: float = 0.0
    """What the call cost, set by the caller before the reservation ends; the worst where it was sent and is unknown."""
    counts_usd: float | None = None
    """What the call counts for, set by the caller likewise, where it is asked outside of any case; None if unknown."""
    counts: bool = True
    """Whether it is a call at all: a list of models, or what the provider turned away, is none."""


@dataclass(slots=True)
class Budget:
    """A cap on money and calls, with what is spent and what is in flight."""

    max_usd: float | None = None
    max_calls: int | None = None
    spent_usd: float = 0.0
    """By everybody."""
    calls: int = 0
    name: str = "the budget"
    """How messages call it."""
    hint: str = BUDGET_HINT
    on_settled: Callable[["Budget"], None] | None = None
    """Told after each settlement, so that what is spent can be stored; must not raise."""
    on_begun: Callable[["Budget"], Awaitable[None]] | None = None
    """Awaited before a call under a cap is sent, so that what is in flight is stored before it can be charged."""
    ends_run: bool = True
    """Whether the run ends with it: who is refused waits for the calls in flight, and nobody begins another. The cap of
    a case ends nothing, and refuses at once."""
    sides: tuple[Side, ...] = ()
    """Who shares the cap in equal parts; empty for a cap without shares."""
    judged: bool = False
    """Whether a part is kept for judges."""
    accounts: dict[str, Account] = field(default_factory=dict)
    """By party: a side, or EVALUATION. What is spent for nobody in particular is in the totals alone."""
    untold: Callable[[], Mapping[str, Account]] = dict
    """What others may spend on the same cap, or have spent, and have not told yet; by party."""
    dearest: dict[str, float] = field(default_factory=dict)
    """By party, the most that one of the calls that it asked for can cost."""
    _reserved: dict[str, float] = field(default_factory=dict)
    _in_flight: int = 0
    _ended: str = ""
    """Why no call of anybody is begun any more: somebody was refused, which ends the run."""
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @asynccontextmanager
    async def reserve(self, worst_usd: float, *, party: str = "", outside: bool = False) -> AsyncIterator[Reservation]:
        """Set aside the most that a call can cost; wait for calls in flight to settle if that could make room.

        Who is refused by the budget of a run waits until nothing is in flight, because the run ends with that. Nothing
        is awaited once the call has ended: a call that is cancelled settles too.

        Args:
            worst_usd: The most that the call can cost.
            party: Who spends it: a side, EVALUATION, or empty for nobody in particular.
            outside: Whether it is asked outside of any case.

        Raises:
            BudgetError: The call could pass a cap, or its party's share, even after all calls in flight have settled.
            InfrastructureError: What is in flight cannot be stored.
        """
        if worst_usd > self.dearest.get(party, -1.0):
            self.dearest[party] = worst_usd
        while self._ended or not (self._has_calls(party) and self._has_money(party, worst_usd, self._reserved)):
            never = not (self._has_calls(party) and self._has_money(party, worst_usd, {}))
            if never and self.ends_run and not self._ended:
                self._ended = self._why(party, worst_usd)
            if not self._in_flight or (never and not self.ends_run):
                raise BudgetError(self._ended or self._why(party, worst_usd), hint=self.hint)
            await self._next_settlement()
        reservation, account = Reservation(worst_usd), self._begun(party)
        self._reserved[party] = self._reserved.get(party, 0.0) + worst_usd
        self._in_flight += 1
        try:
            if self.on_begun is not None and self.capped:
                await self.on_begun(self)
            yield reservation
        finally:
            self._in_flight -= 1
            self._reserved[party] -= worst_usd
            if not self._in_flight:
                self._reserved.clear()  # rounding must not add up
            self._settled(account, reservation, outside=outside)
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
            if self.on_settled is not None:
                self.on_settled(self)

    @property
    def capped(self) -> bool:
        """Whether there is a cap at all."""
        return self.max_usd is not None or self.max_calls is not None

    @property
    def in_flight(self) -> InFlight:
        """The calls that are begun and not settled, or may be."""
        usd, calls = {party: one for party, one in self._reserved.items() if one > 0.0}, self._in_flight
        for party, one in self.untold().items():
            usd[party] = usd.get(party, 0.0) + one.spent_usd
            calls += one.calls
        return InFlight(calls, usd)

    def _begun(self, party: str) -> Account:
        """Count a call that is begun; gives its party's account."""
        account = self.accounts.setdefault(party, Account()) if party else Account()
        self.calls += 1
        account.calls += 1
        return account

    def _settled(self, account: Account, reservation: Reservation, *, outside: bool) -> None:
        """Count what a call came to."""
        self.spent_usd += reservation.spent_usd
        account.spent_usd += reservation.spent_usd
        if outside and reservation.counts:
            account.outside_usd += reservation.counts_usd or 0.0
            account.outside_calls += 1
            account.outside_unknown += reservation.counts_usd is None

    def outside_usd(self, party: str, *, measured_as: str = "") -> float:
        """What a party's calls outside of any case have cost by now; NaN if that of one of head's is not known.

        Args:
            party: Whose calls.
            measured_as: The side that they stand for, if it is another: what is kept of head alone stands for base.
        """
        account = self.accounts.get(party, Account())
        return math.nan if account.outside_unknown and (measured_as or party) == "head" else account.outside_usd

    def charge(self, spent_usd: float, calls: int) -> None:
        """Count what was spent elsewhere on the same cap, and have it stored."""
        self.spent_usd += spent_usd
        self.calls += calls
        if self.on_settled is not None:
            self.on_settled(self)

    def require(self, worst_usd: float, calls: int) -> None:
        """See that many calls, made together elsewhere, cannot pass a cap.

        Raises:
            BudgetError: They could.
        """
        if self.max_calls is not None and self.calls + calls > self.max_calls:
            raise BudgetError(
                f"{calls} calls would pass {self.name} of {self.max_calls} calls ({self.calls} made)",
                hint=self.hint,
                needs=f"`max_calls` to at least {self.calls + calls}",
            )
        used = self.spent_usd + sum(self._reserved.values())
        if self.max_usd is not None and used + worst_usd > self.max_usd:
            raise BudgetError(
                f"{calls} calls could cost ${worst_usd:.4f}, which would pass {self.name} of {_dollars(self.max_usd)}"
                f" (${self.spent_usd:.4f} spent in {self.calls} calls)",
                hint=f"{self.hint}; {SHORTER_HINT}",
                needs=f"`max_usd` to at least {rounded_up(used + worst_usd)}",
            )

    async def _next_settlement(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _has_calls(self, party: str) -> bool:
        if self.max_calls is None:
            return True
        most = self.share_calls() if party in self.sides else None
        mine = self.accounts.get(party, Account()).calls
        return self.calls < self.max_calls and (most is None or mine < most)

    def _has_money(self, party: str, worst_usd: float, reserved: Mapping[str, float]) -> bool:
        """Whether a call of a party has room beside what is spent and what is reserved."""
        if self.max_usd is None:
            return True
        if self.spent_usd + sum(reserved.values()) + worst_usd > self.max_usd:
            return False
        share = self.share_usd(reserved) if party in self.sides else None
        account = self.accounts.get(party, Account())
        return share is None or account.spent_usd + reserved.get(party, 0.0) + worst_usd <= share

    def share_usd(self, reserved: Mapping[str, float] | None = None) -> float | None:
        """The most that a side may have spent and in flight, in US dollars; None without a cap or shares.

        Args:
            reserved: What is in flight, by party.
        """
        if self.max_usd is None or not self.sides:
            return None
        held = reserved or {}
        judges = self.accounts.get(EVALUATION, Account()).spent_usd + held.get(EVALUATION, 0.0)
        nobody = self.spent_usd - sum(account.spent_usd for account in self.accounts.values()) + held.get("", 0.0)
        kept = KEPT_FOR_EVALUATION * self.max_usd if self.judged else 0.0
        return (self.max_usd - max(kept, judges) - max(0.0, nobody)) / len(self.sides)

    def share_calls(self) -> int | None:
        """The most calls that a side may make; None without a cap or shares."""
        if self.max_calls is None or not self.sides:
            return None
        judges = self.accounts.get(EVALUATION, Account()).calls
        nobody = self.calls - sum(account.calls for account in self.accounts.values())
        kept = int(KEPT_FOR_EVALUATION * self.max_calls) if self.judged else 0
        return (self.max_calls - max(kept, judges) - nobody) // len(self.sides)

    def _why(self, party: str, worst_usd: float) -> str:
        if self.max_calls is not None and self.calls >= self.max_calls:
            return f"{self.name} of {self.max_calls} calls is used up{self._told()}"
        most, share = self.share_calls(), self.share_usd()
        account = self.accounts.get(party, Account())
        if party in self.sides and most is not None and account.calls >= most:
            return f"{party}'s share of {self.name}, {most} of {self.max_calls} calls, is used up{self._told()}"
        next_one = f"the next call could cost ${worst_usd:.4f}"
        if party in self.sides and share is not None and account.spent_usd + worst_usd > share:
            return (
                f"{party}'s calls have used {party}'s share of {self.name}: {next_one} beside ${account.spent_usd:.4f}"
                f" spent, and the share is ${share:.4f} of {_dollars(self.max_usd or 0.0)}{self._told()}"
            )
        return (
            f"{next_one}, which would pass {self.name} of {_dollars(self.max_usd or 0.0)}"
            f" (${self.spent_usd:.4f} spent in {self.calls} calls){self._told()}"
        )

    def _told(self) -> str:
        """What everybody has spent, where there is more than one."""
        if not self.sides:
            return ""
        parties = [(party, self.accounts[party]) for party in (*self.sides, EVALUATION) if party in self.accounts]
        spent = ", ".join(  # where no price is known, calls alone: nothing spent would be untrue
            f"{_CALLED.get(party, party)}{f' ${one.spent_usd:.4f} in' if one.spent_usd else ''} {one.calls} calls"
            for party, one in parties
        )
        return f"; spent by {spent}" if spent else ""


def _dollars(cap: float) -> str:
    """A cap as it was written: "$5.00", and "$0.0005" rather than "$0.00"."""
    return f"${cap:.2f}" if math.isclose(cap, round(cap, 2)) else f"${cap:.4g}"


def rounded_up(usd: float) -> str:
    """A sum that must suffice: "$0.0171", never a trifle less than it is."""
    return f"${math.ceil(usd * 1e4 - 1e-6) / 1e4:.4f}"
