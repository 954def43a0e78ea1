"""The two kinds of actors that Ray runs for us, and how a worker calls the treasury."""

from dataclasses import dataclass
from typing import Any

from evaluator.engines.ray.lending import Caps, Grant, Notice, Standing, Wish
from evaluator.engines.ray.session import Session
from evaluator.engines.ray.treasury import Treasury
from evaluator.engines.ray.worker import Worker
from evaluator.errors import InfrastructureError

_AT_ONCE = 1_000
"""Calls of an actor's methods that may wait at once."""


@dataclass(frozen=True, slots=True)
class RemoteTreasury:
    """The treasury, as a worker calls it: a `Lender`."""

    actor: Any

    async def ask(self, worker: int, standing: Standing, wish: Wish) -> Grant:
        """See `Treasury.ask`."""
        grant: Grant = await _answer(self.actor.ask.remote(worker, standing, wish))
        return grant

    async def tell(self, worker: int, standing: Standing) -> None:
        """See `Treasury.tell`."""
        await _answer(self.actor.tell.remote(worker, standing))

    async def notices(self, seen: Notice) -> Notice:
        """See `Treasury.notices`."""
        notice: Notice = await _answer(self.actor.notices.remote(seen))
        return notice

    async def hold(self, provider: str, model: str, seconds: float) -> None:
        """See `Treasury.hold`."""
        await _answer(self.actor.hold.remote(provider, model, seconds))


async def _answer(reference: Any) -> Any:
    """Wait for the treasury's answer.

    Raises:
        InfrastructureError: It has died.
    """
    from ray.exceptions import RayError

    try:
        return await reference
    except RayError:
        raise treasury_died() from None


def treasury_died() -> InfrastructureError:
    """The error of a run whose coordinator is gone."""
    return InfrastructureError("the process that shares out the budget has died", hint="run it again: it goes on")


def start_treasury(session: Session, caps: Caps, *, keeps: bool) -> Any:
    """Start the coordinator of all workers; gives Ray's handle."""
    kind = session.ray.remote(num_cpus=0, max_restarts=0, max_concurrency=_AT_ONCE)(Treasury)
    return kind.remote(caps, keeps=keeps)


def start_worker(session: Session, number: int) -> Any:
    """Start a worker; gives Ray's handle."""
    options: dict[str, Any] = {"num_cpus": 0} if session.own else {"num_cpus": 1, "scheduling_strategy": "SPREAD"}
    kind = session.ray.remote(max_restarts=0, max_concurrency=_AT_ONCE, **options)(Worker)
    return kind.remote(number)
