"""What an app asked during one case: every request with its times, and the metered calls among them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evaluator.errors import BudgetError
from evaluator.gateway.budget import Budget
from evaluator.records import INFRASTRUCTURE_KINDS, Call, Failure, ToolCall, TracedRequest

_ARRIVING_S = 0.005
"""For what the app has sent before its answer, and we have not seen yet."""


@dataclass(slots=True)
class Trace:
    """All that one slot asked while one case was running, or outside of any case."""

    case_id: str = ""
    """Empty for what is asked outside of any case, such as while an app starts."""
    repeat: int = 0
    scope: str | None = None
    """Whose cached answers are shared; None keeps nothing."""
    budget: Budget = field(default_factory=Budget)
    """The case's own caps."""
    requests: list[TracedRequest] = field(default_factory=list)
    refused: BudgetError | None = None
    """Why a call was not made: the case's cap or the run's."""
    began: float = field(default_factory=time.perf_counter)
    in_flight: int = 0
    """Requests whose token was read and whose answer has not ended."""
    begun: Callable[[], bool] | None = None
    """Tells whether the app is at the case yet: what it asks before, while it starts, is outside of the case."""
    _asked: dict[bytes, set[int]] = field(default_factory=dict)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The answered calls, in the order in which they ended."""
        return tuple(request.call for request in self.requests if request.call is not None)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """All tools that models asked for, in order."""
        return tuple(call for request in self.requests for call in request.tool_calls)

    @property
    def charged_usd(self) -> float:
        """What its requests counted against the run's budget."""
        return sum(request.charged_usd for request in self.requests)

    @property
    def failure(self) -> Failure | None:
        """The failure outside the app that the last request ended with, if it did: it may be why the case failed."""
        last = self.requests[-1].failure if self.requests else None
        return last if last is not None and last.kind in INFRASTRUCTURE_KINDS else None

    async def settled(self, timeout_s: float) -> bool:
        """Wait until no request is under way any more; False if some still are after the time."""
        until = time.perf_counter() + timeout_s
        await asyncio.sleep(_ARRIVING_S)
        while self.in_flight and time.perf_counter() < until:
            await asyncio.sleep(0.005)
        return self.in_flight == 0

    def take_number(self, key: bytes) -> int:
        """Which time it is, from 0, that this very request is asked: asked again, it wants a fresh answer."""
        taken = self._asked.setdefault(key, set())
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(number)
        return number

    def give_back(self, key: bytes, number: int) -> None:
        """The request was not answered: who asks it again asks for the same answer."""
        self._asked[key].discard(number)
