"""The workers as the driver sees them: opened together, fed, listened to, and struck off when they die."""

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from evaluator import __version__
from evaluator.config.model import ProviderSection
from evaluator.engines.ray.actors import RemoteTreasury, start_treasury, start_worker, treasury_died
from evaluator.engines.ray.lending import Caps, Parties
from evaluator.engines.ray.messages import About, Batch, Opened, Spent, Task, Trouble
from evaluator.engines.ray.place import leave_mark, machine
from evaluator.engines.ray.session import Session
from evaluator.engines.ray.spending import caps_of, untold, with_lost
from evaluator.errors import InfrastructureError
from evaluator.gateway.budget import Account, Budget
from evaluator.records import Case, Output, Side
from evaluator.wiring.prepare import RunRequest

START_S = 120.0
"""How long a worker's process may take to be there."""
END_S = 4.0
"""How long it may take to end its apps; a runner that cancels a job waits ten seconds."""
_PIECE_BYTES = 32_000
"""What is larger than 100 kB goes through Ray's shared memory, where keys must not be."""


@dataclass(slots=True)
class Member:
    """One worker."""

    number: int
    actor: Any
    concurrency: int = 1
    alive: bool = True
    tickets: set[int] = field(default_factory=set)
    """What it has been given and has not finished."""
    spent: Spent = field(default_factory=Spent)
    """As it told last."""
    notes: Mapping[Side, tuple[str, ...]] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """How many units more it may be given: a few more than it runs at once, so that it never waits for us."""
        return self.concurrency + max(1, self.concurrency // 4) - len(self.tickets)


@dataclass(frozen=True, slots=True)
class Died:
    """A worker is no more; number -1 for the treasury."""

    number: int


News: TypeAlias = tuple[Member, Batch] | Died | InfrastructureError
"""The last: what is granted cannot be kept."""


@dataclass(slots=True)
class Crew:
    """All workers of a run."""

    session: Session
    members: list[Member]
    treasury: Any
    news: asyncio.Queue[News] = field(default_factory=asyncio.Queue)
    held: Parties = field(default_factory=dict)
    """What the workers may spend or have spent, by party, as the treasury told last; where it is kept."""
    _listening: list[asyncio.Task[None]] = field(default_factory=list)

    def untold(self) -> dict[str, Account]:
        """What the workers may have spent beyond what they told, by party."""
        return untold(self.held, [member.spent for member in self.alive])

    @property
    def alive(self) -> list[Member]:
        """Those that work."""
        return [member for member in self.members if member.alive]

    async def give(self, member: Member, tasks: Sequence[Task]) -> None:
        """Give a worker units; that it has died is told by `news`."""
        member.tickets.update(task.ticket for task in tasks)
        await self._tried(member.actor.run.remote(list(tasks)))

    async def stop(self, number: int) -> None:
        """Have all workers end their units; each tells `Idle` when it has."""
        await asyncio.gather(*(self._tried(member.actor.stop.remote(number)) for member in self.alive))

    async def answer(
        self, member: Member, side: Side, case: Case, repeat: int
    ) -> tuple[Output | Trouble, Batch] | None:
        """Have a worker answer one case; gives what it has spent as well, or None if it has died."""
        try:
            found: tuple[Output | Trouble, Batch] = await member.actor.answer.remote(side, case, repeat)
        except self.session.ray.exceptions.RayError:
            return None
        return found

    async def end(self, side: Side) -> None:
        """Have all workers end a side's apps."""
        await asyncio.gather(*(self._tried(member.actor.end.remote(side)) for member in self.alive))

    async def bury(self, member: Member) -> Spent:
        """Strike a dead worker off; gives what it may have spent."""
        member.alive = False
        member.tickets.clear()
        lost = await self.asked(self.treasury.forget.remote(member.number))
        if self.held:  # its share is charged now, and not held any more
            self.held = await self.asked(self.treasury.holdings.remote())
        return with_lost(member.spent, lost)

    async def asked(self, reference: Awaitable[Any]) -> Any:
        """An answer of the treasury.

        Raises:
            InfrastructureError: It has died.
        """
        try:
            return await reference
        except self.session.ray.exceptions.RayError:
            raise treasury_died() from None

    async def _tried(self, reference: Awaitable[None]) -> None:
        try:
            await reference
        except self.session.ray.exceptions.RayError:
            return  # whoever listens to the worker learns it too

    def keep_grants(self, budget: Budget) -> None:
        """Begin to have each grant stored with what is spent, before it is given out."""
        budget.untold = self.untold
        if budget.capped and budget.on_begun is not None:
            self._listening.append(asyncio.create_task(self._keep(budget, budget.on_begun)))

    async def _keep(self, budget: Budget, store: Callable[[Budget], Awaitable[None]]) -> None:
        kept = 0
        try:
            while True:
                kept, self.held = await self.treasury.held.remote(kept)
                await store(budget)
        except self.session.ray.exceptions.RayError:
            return  # whoever watches the treasury learns it too
        except InfrastructureError as error:
            self.news.put_nowait(error)

    async def count(self, budget: Budget) -> None:
        """Have stored what the workers hold after they have given back what they do not need.

        Raises:
            InfrastructureError: The treasury has died.
        """
        if budget.capped:
            self.held = await self.asked(self.treasury.holdings.remote())
            budget.charge(0.0, 0)

    def listen(self) -> None:
        """Begin to gather what the workers tell."""
        self._listening += [asyncio.create_task(self._follow(member)) for member in self.members]
        self._listening.append(asyncio.create_task(self._watch()))

    async def _follow(self, member: Member) -> None:
        while True:
            try:
                batch: Batch = await member.actor.events.remote()
            except self.session.ray.exceptions.RayError:
                self.news.put_nowait(Died(member.number))
                return
            self.news.put_nowait((member, batch))

    async def _watch(self) -> None:
        """Learn that the treasury has died: its answer to this never comes."""
        try:
            await self.treasury.live.remote()
        except self.session.ray.exceptions.RayError:
            self.news.put_nowait(Died(-1))

    async def close(self) -> None:
        """End all workers, apps first."""
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        endings = [asyncio.ensure_future(self._tried(member.actor.close.remote())) for member in self.alive]
        if endings:
            await asyncio.wait(endings, timeout=END_S)
        for ending in endings:
            ending.cancel()
        for actor in (*(member.actor for member in self.members), self.treasury):
            self.session.ray.kill(actor)


async def start_crew(session: Session, request: RunRequest, budget: Budget) -> Crew:
    """Start the workers and set all of them up; those that are started already are ended if one cannot be.

    Args:
        session: Ray.
        request: What each of them sets up.
        budget: What they may spend together.

    Raises:
        EvalGateError: A worker cannot be started, does not see the run's folder, or cannot set the run up.
    """
    config = request.loaded.config
    at_once = [section.max_in_flight for section in config.providers.values() if section.max_in_flight is not None]
    count = min(config.ray.workers, config.concurrency, *at_once)
    parts = [config.concurrency // count + (number < config.concurrency % count) for number in range(count)]
    caps = caps_of(budget)
    treasury = start_treasury(session, caps, keeps=budget.capped and budget.on_begun is not None)
    crew = Crew(session, [Member(number, start_worker(session, number)) for number in range(count)], treasury)
    crew.keep_grants(budget)
    try:
        await _meet(crew, request)
        opened = await asyncio.gather(
            *(_open(crew, member, request, caps, part) for member, part in zip(crew.members, parts, strict=True)),
            return_exceptions=True,
        )
        for error in opened:
            if isinstance(error, BaseException):
                raise error
    except BaseException:
        await crew.close()
        raise
    crew.listen()
    return crew


async def _meet(crew: Crew, request: RunRequest) -> None:
    """See that all workers are there, are of this version, and see the same files."""
    mark = leave_mark(request.scratch)
    greetings = (member.actor.about.remote(request.scratch, mark) for member in crew.members)
    try:
        async with asyncio.timeout(START_S):
            found: list[About] = await asyncio.gather(*greetings)
    except TimeoutError:
        raise InfrastructureError(
            f"{len(crew.members)} workers were not there within {START_S:.0f} s",
            hint="give the cluster more processors, or ask for fewer under `ray: {workers: ...}`",
        ) from None
    except crew.session.ray.exceptions.RayError as error:
        raise InfrastructureError(
            f"a worker cannot be started: {ascii(str(error))[1:-1][-300:]}",
            hint=f"every machine of the cluster needs llm-eval-gate {__version__} in the Python that Ray runs with",
        ) from None
    for about in found:
        if about.version != __version__:
            raise InfrastructureError(
                f"{ascii(about.host)[1:-1]} has llm-eval-gate {ascii(about.version)[1:-1]}, and this is {__version__}",
                hint="install the same version on every machine of the cluster",
            )
        if not about.sees:
            raise InfrastructureError(
                f"{ascii(about.host)[1:-1]} does not see {request.scratch}, where the checkouts are",
                hint="set TMPDIR to a folder that all machines of the cluster share",
            )


async def _open(crew: Crew, member: Member, request: RunRequest, caps: Caps, concurrency: int) -> None:
    """Set a worker up.

    Raises:
        EvalGateError: What kept it from being set up.
    """
    # A worker does all by itself, with its part of the concurrency and of the providers' limits.
    config, count = request.loaded.config, len(crew.members)
    providers = {name: _part_of(section, count) for name, section in config.providers.items()}
    own = config.model_copy(update={"engine": "local", "concurrency": concurrency, "providers": providers})
    told = replace(request, loaded=replace(request.loaded, config=own), on_settled=None, on_begun=None, environ={})
    secret = pickle.dumps(dict(request.environ))
    try:
        for start in range(0, len(secret), _PIECE_BYTES):
            await member.actor.receive.remote(secret[start : start + _PIECE_BYTES])
        opened: Opened | Trouble = await member.actor.open.remote(
            told, RemoteTreasury(crew.treasury), caps, driver=machine()
        )
    except crew.session.ray.exceptions.RayError as error:
        raise InfrastructureError(
            f"a worker died while it was set up: {ascii(str(error))[1:-1][-300:]}", hint="run it again"
        ) from None
    if isinstance(opened, Trouble):
        raise opened.error()
    member.concurrency = opened.concurrency


def _part_of(section: ProviderSection, count: int) -> ProviderSection:
    """A provider's limits as each of so many workers must keep them, so that all together keep the whole."""
    most, requests, tokens = section.max_in_flight, section.requests_per_minute, section.tokens_per_minute
    return section.model_copy(
        update={
            "max_in_flight": None if most is None else most // count,
            "requests_per_minute": None if requests is None else requests / count,
            "tokens_per_minute": None if tokens is None else tokens / count,
        }
    )
