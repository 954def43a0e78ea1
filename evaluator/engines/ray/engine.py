"""The `ray` engine: decides and keeps the journal here, and has the units run by workers."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from evaluator.engines.interface import Progress, Schedule, Work
from evaluator.engines.ray.actors import treasury_died
from evaluator.engines.ray.crew import END_S, Crew, Died, Member, News, start_crew
from evaluator.engines.ray.known import answered_already, task_of
from evaluator.engines.ray.messages import Answered, Event, Failed, Finished, Idle, Scored, Spent, Task, Trouble
from evaluator.engines.ray.session import session
from evaluator.engines.ray.spending import by_others, caps_of, charge
from evaluator.engines.units import Unit, units_of
from evaluator.errors import EvalGateError, InfrastructureError
from evaluator.journal.journal import Journal
from evaluator.records import Case, Output, Side
from evaluator.wiring.elsewhere import TargetElsewhere
from evaluator.wiring.prepare import Prepared, RunRequest


@asynccontextmanager
async def open_ray(request: RunRequest, ready: Prepared) -> AsyncIterator["RayEngine"]:
    """Start Ray and the workers; end them afterwards.

    Args:
        request: What each worker sets up.
        ready: What is set up here: the budget that is told what they spend.

    Raises:
        EvalGateError: Ray is not there, or a worker cannot be set up.
    """
    config = request.loaded.config
    with session(config.ray.address, workers=config.ray.workers + 1, environ=request.environ) as started:
        crew = await start_crew(started, request, ready.gateway.budget)
        engine = RayEngine(crew, ready)
        elsewhere = [target for target in ready.targets.values() if isinstance(target, TargetElsewhere)]
        try:
            for target in elsewhere:
                target.there = engine
            yield engine
        finally:
            for target in elsewhere:
                target.there = None
            await engine.settled()
            await crew.close()


@dataclass(slots=True)
class _Pass:
    """One schedule that is run."""

    schedule: Schedule
    work: Work
    journal: Journal
    progress: Progress
    given: dict[int, Unit] = field(default_factory=dict)
    """By ticket: what the workers have."""

    shown: dict[int, set[Side]] = field(default_factory=dict)
    """By ticket: the sides whose answers are counted by the progress."""

    @property
    def busy(self) -> set[tuple[int, int]]:
        """(case, repeat) of what the workers have."""
        return {(unit.case, unit.repeat) for unit in self.given.values()}


class RayEngine:
    """Has the workers of a crew run what is asked for."""

    def __init__(self, crew: Crew, ready: Prepared) -> None:
        """Take what was started elsewhere."""
        self._crew, self._ready = crew, ready
        self._died: list[str] = []
        self._tickets = itertools.count()
        self._stops = itertools.count(1)

    async def run(self, schedule: Schedule, work: Work, journal: Journal, progress: Progress) -> None:
        """Run a schedule; see `Engine.run`."""
        current = _Pass(schedule, work, journal, progress)
        dice = random.Random(schedule.seed)  # noqa: S311  an order, not a secret
        progress.start(total=schedule.answers)
        budget = self._ready.gateway.budget
        others = by_others(budget, [member.spent for member in self._crew.alive])
        await self._crew.asked(self._crew.treasury.begin.remote(others, caps_of(budget)))
        try:
            while await self._hand_out(current, dice):
                await self._take_in(await self._crew.news.get(), current)
                while not self._crew.news.empty():
                    await self._take_in(self._crew.news.get_nowait(), current)
        finally:
            await self._settle(current)
            progress.stop()

    async def _hand_out(self, current: _Pass, dice: random.Random) -> bool:
        """Give the workers what is asked for, as far as they have room; tell whether anything is under way."""
        while True:
            room = sum(max(0, member.room) for member in self._crew.alive)
            wanted = (len(current.given) + room) * len(current.schedule.targets)
            tasks: dict[int, list[Task]] = {}
            known = 0
            for unit in units_of(current.work.ask(max(1, wanted)), current.busy) if room else ():
                turned = unit.turned(dice)
                if answered_already(turned, current.schedule, current.work, current.journal, current.progress):
                    known += 1
                    continue
                member = max(self._crew.alive, key=lambda member: member.room)
                if member.room <= 0:
                    break
                ticket = next(self._tickets)
                member.tickets.add(ticket)
                current.given[ticket] = turned
                tasks.setdefault(member.number, []).append(task_of(ticket, turned, current.schedule, current.journal))
            for number, given in tasks.items():
                await self._crew.give(self._crew.members[number], given)
            if not known:
                return bool(current.given)
            await asyncio.sleep(0)  # a long journal must not keep a signal from being heard

    async def _take_in(self, news: News, current: _Pass) -> None:
        """Keep what a worker tells.

        Raises:
            EvalGateError: The run cannot go on.
        """
        if isinstance(news, InfrastructureError):
            raise news
        if isinstance(news, Died):
            await self._struck_off(news, current)
            return
        member, batch = news
        self._charge(member, batch.spent)
        if batch.notes:
            member.notes = batch.notes
            self._pass_notes_on()
        for event in batch.events:
            if isinstance(event, Answered | Scored):
                self._keep(event, current)
        current.journal.keep()  # before anybody hears of it, and before an error ends the run
        for event in batch.events:
            self._tell(member, event, current)

    def _keep(self, event: Answered | Scored, current: _Pass) -> None:
        """Put what was answered or scored into the journal."""
        unit = current.given.get(event.ticket)
        if unit is None:  # of a worker that was struck off
            return
        case = current.schedule.cases[unit.case]
        if isinstance(event, Answered):
            current.journal.put_output(case.id, event.side, unit.repeat, event.output)
            current.progress.advance(failed=event.output.failure is not None, fresh=True)
            current.shown.setdefault(event.ticket, set()).add(event.side)
        else:
            current.journal.put_score(case.id, event.side, unit.repeat, event.score)

    def _tell(self, member: Member, event: Event, current: _Pass) -> None:
        """Take in what became of a unit, once the journal has it.

        Raises:
            EvalGateError: The run cannot go on.
        """
        if isinstance(event, Failed):
            raise event.trouble.error()
        unit = current.given.pop(event.ticket, None) if isinstance(event, Finished) else None
        if isinstance(event, Finished) and unit is not None:  # else of a worker that was struck off
            case = current.schedule.cases[unit.case]
            member.tickets.discard(event.ticket)
            for side in set(unit.sides) - current.shown.pop(event.ticket, set()):  # it was in the journal
                output = current.journal.output(case.id, side, unit.repeat)
                current.progress.advance(failed=output is not None and output.failure is not None, fresh=False)
            for side, values in event.values.items():
                current.work.tell(side, unit.case, unit.repeat, values)

    async def _struck_off(self, news: Died, current: _Pass) -> None:
        """Take back what a dead worker had: it is asked for again, and given to another.

        Raises:
            InfrastructureError: Nobody is left.
        """
        if news.number < 0:
            raise treasury_died()
        member = self._crew.members[news.number]
        if not member.alive:
            return
        tickets = set(member.tickets)
        before = member.spent
        self._charge(member, await self._crew.bury(member))
        unknown = member.spent.usd - before.usd
        for ticket in tickets:
            current.given.pop(ticket, None)
            current.shown.pop(ticket, None)
        lost = f"; ${unknown:.4f} that it could have spent count as spent" if unknown > 0 else ""
        self._died.append(
            f"a worker of the `ray` engine died; the {len(tickets)} cases that it had were run again by others{lost}"
        )
        self._pass_notes_on()
        if not self._crew.alive:
            raise self._nobody_left()

    async def _settle(self, current: _Pass) -> None:
        """End what is under way, and wait until all that was answered and spent is told and kept."""
        number = next(self._stops)
        # Beside what they tell: one that is never answered by the treasury must not keep us.
        stopping = asyncio.create_task(self._crew.stop(number))
        waiting = {member.number for member in self._crew.alive}
        try:
            async with asyncio.timeout(END_S):
                while waiting:
                    waiting &= await self._last_words(await self._crew.news.get(), number, current)
        except TimeoutError:
            for silent in waiting:
                self._crew.session.ray.kill(self._crew.members[silent].actor)
        finally:
            stopping.cancel()
        with suppress(EvalGateError):  # a treasury that died is told of by whoever watches it
            await self._crew.count(self._ready.gateway.budget)

    async def settled(self) -> None:
        """Have all workers give back what they have not spent, so that it does not count as spent if we end now."""
        with suppress(EvalGateError, TimeoutError):
            async with asyncio.timeout(END_S):
                await self._crew.stop(next(self._stops))
                await self._crew.count(self._ready.gateway.budget)

    async def _last_words(self, news: News, number: int, current: _Pass) -> set[int]:
        """Keep what a worker tells at the end; gives the numbers of those that may have more to tell."""
        said: set[int] = set()
        if not isinstance(news, Died | InfrastructureError):
            member, batch = news
            said = {member.number} if Idle(number) in batch.events else set()
            news = member, replace(batch, events=tuple(e for e in batch.events if not isinstance(e, Failed)))
        with suppress(EvalGateError):  # the run ends already, by an error that came first
            await self._take_in(news, current)
        return {member.number for member in self._crew.alive} - said

    def _charge(self, member: Member, spent: Spent) -> None:
        """Count what a worker has spent, and keep the sum with the run."""
        if spent.usd < member.spent.usd or spent.calls < member.spent.calls:
            return  # a later word has overtaken it
        charge(self._ready.gateway, member.spent, spent)
        member.spent = spent

    async def answer(self, side: Side, case: Case, repeat: int) -> Output:
        """Have a worker answer a case outside of a schedule: nothing is kept of it but what it cost.

        Raises:
            EvalGateError: The run cannot go on.
        """
        alive = self._crew.alive
        if not alive:
            raise self._nobody_left()
        member = alive[next(self._tickets) % len(alive)]
        found = await self._crew.answer(member, side, case, repeat)
        if found is None:
            self._charge(member, await self._crew.bury(member))
            raise InfrastructureError(
                "a worker of the `ray` engine died while a case was asked once more", hint="run it again: it goes on"
            )
        told, batch = found
        self._charge(member, batch.spent)
        if isinstance(told, Trouble):
            raise told.error()
        return told

    async def end(self, side: Side) -> None:
        """End a side's apps, at all workers."""
        await self._crew.end(side)

    def _nobody_left(self) -> InfrastructureError:
        return InfrastructureError(
            f"all {len(self._crew.members)} workers of the `ray` engine have died",
            hint="look for what ended them, such as a lack of memory; the same command goes on from there",
        )

    def _pass_notes_on(self) -> None:
        """Have people told what the workers say of the apps, and which workers died."""
        for side, target in self._ready.targets.items():
            if isinstance(target, TargetElsewhere):
                told = [note for member in self._crew.members for note in member.notes.get(side, ())]
                target.told = tuple(dict.fromkeys((*told, *self._died)))
