"""What workers and treasury say to each other about the budget, and the sums in it.

All figures of a worker are totals since it began, so that it does no harm if two of its messages overtake each other.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from evaluator.gateway.budget import Account, Budget
from evaluator.records import Side

GRAIN_USD = 2.0**-32
"""Dollars are counted in grains of a quarter of a billionth: sums of them are exact, up to two million dollars."""


def whole_grains(usd: float) -> float:
    """An amount, rounded up to whole grains: rounding must never leave a share a trifle short of a call."""
    return math.ceil(usd / GRAIN_USD) * GRAIN_USD


@dataclass(frozen=True, slots=True)
class Caps:
    """The budget of the config."""

    max_usd: float | None = None
    max_calls: int | None = None
    sides: tuple[Side, ...] = ()
    """As for `Budget`: who has equal shares."""
    judged: bool = False

    @property
    def any(self) -> bool:
        """Whether there is a cap at all."""
        return self.max_usd is not None or self.max_calls is not None


@dataclass(frozen=True, slots=True)
class Sum:
    """Dollars and calls."""

    usd: float = 0.0
    calls: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        """Both together."""
        return Sum(self.usd + other.usd, self.calls + other.calls)

    def __sub__(self, other: "Sum") -> "Sum":
        """What is left."""
        return Sum(self.usd - other.usd, self.calls - other.calls)


NOTHING = Sum()
Parties = Mapping[str, Sum]
"""By party, as `Budget` knows them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker tells of its share."""

    number: int = 0
    """Counts what a worker tells."""
    spent: Parties = field(default_factory=dict)
    """Dollars that are settled, calls that were begun."""
    returned: Parties = field(default_factory=dict)
    """Given back, in all."""
    in_flight: int = 0
    grants: int = 0
    """How many grants it has received."""
    recall: int = 0
    """The last recall that it has obeyed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a worker asks for."""

    party: str
    need_usd: float
    """The least that is of use; and one call."""
    want: Sum
    """What it would like."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a worker may spend more; or that it may not."""

    more: Sum = NOTHING
    refused: bool = False
    spent: Parties = field(default_factory=dict)
    """By all, where it is refused."""
    caps: Caps = field(default_factory=Caps)
    """Likewise: which do not allow it."""
    ended_by: Wish | None = None
    """Likewise: what was asked for and cannot be had any more, which ends the run for all."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What all workers must know."""

    recall: int = 0
    """Number of the recall that goes on; 0 while there is enough for all."""
    holds: int = 0
    """How often a provider has asked to wait."""
    held: Mapping[tuple[str, str], float] = field(default_factory=dict, compare=False)
    """By provider and model that ask to wait: for how many seconds from now."""


class Lender(Protocol):
    """A treasury as a worker sees it."""

    async def ask(self, worker: int, standing: Standing, wish: Wish) -> Grant:
        """See `Treasury.ask`."""
        ...

    async def tell(self, worker: int, standing: Standing) -> None:
        """See `Treasury.tell`."""
        ...

    async def notices(self, seen: Notice) -> Notice:
        """See `Treasury.notices`."""
        ...

    async def hold(self, provider: str, model: str, seconds: float) -> None:
        """See `Treasury.hold`."""
        ...


def whole(caps: Caps, used: Parties) -> Budget:
    """A budget that one process spends alone and of which so much is used."""
    total = sum(used.values(), NOTHING)
    accounts = {party: Account(one.usd, one.calls) for party, one in used.items() if party}
    return Budget(
        caps.max_usd, caps.max_calls, spent_usd=total.usd, calls=total.calls, sides=caps.sides, judged=caps.judged,
        accounts=accounts,
    )  # fmt: skip


def added(all_of: Iterable[Parties]) -> dict[str, Sum]:
    """All of them together, by party."""
    found: dict[str, Sum] = {}
    for parties in all_of:
        for party, one in parties.items():
            found[party] = found.get(party, NOTHING) + one
    return found
