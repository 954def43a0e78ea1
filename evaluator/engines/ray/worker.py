"""A worker: a process with a gateway, both sides' apps and all scorers of its own, which runs units for the driver.

A plain class: Ray makes an actor of it. It keeps nothing on disk but a copy of the checkouts while it lives.
"""

import asyncio
import os
import pickle
import platform
import shutil
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from evaluator import __version__
from evaluator.engines.interface import Schedule
from evaluator.engines.ray.draft import Draft, Unseen
from evaluator.engines.ray.lending import Caps, Lender
from evaluator.engines.ray.messages import (
    About,
    Batch,
    Event,
    Failed,
    Finished,
    Idle,
    Opened,
    Spent,
    Task,
    Trouble,
    trouble_of,
)  # fmt: skip
from evaluator.engines.ray.pacing import SharedPace
from evaluator.engines.ray.place import MARK, machine, own_copy
from evaluator.engines.ray.share import SharedBudget
from evaluator.engines.units import Unit, run_unit
from evaluator.errors import EvalGateError
from evaluator.records import Case, Output, Side
from evaluator.wiring.prepare import Prepared, RunRequest, prepared

OUR_OWN = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What libraries read from the process's own environment, which Ray did not get."""


class Worker:
    """Opened once, then given units until it is closed."""

    def __init__(self, number: int) -> None:
        """Nothing is started yet."""
        self._number = number
        self._pieces: list[bytes] = []
        self._events: list[Event] = []
        self._news = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._ready: Prepared | None = None
        self._budget = SharedBudget()
        self._places = asyncio.Semaphore(1)
        self._closing = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def about(self, scratch: Path, mark: str) -> About:
        """Tell what this process is, and whether it finds the run's folder."""
        try:
            sees = (scratch / MARK).read_text("ascii") == mark
        except (OSError, UnicodeDecodeError):
            sees = False
        return About(__version__, platform.node(), os.getpid(), sees)

    async def receive(self, piece: bytes) -> None:
        """Take a piece of the environment, which holds the keys.

        In pieces, each as the argument of one call: what is larger goes through Ray's shared memory.
        """
        self._pieces.append(piece)

    async def open(self, request: RunRequest, lender: Lender, caps: Caps, *, driver: str) -> Opened | Trouble:
        """Start gateway, apps and scorers; to be called when the whole environment was received.

        Args:
            request: What is run, without its environment.
            lender: The treasury.
            caps: What all workers may spend together.
            driver: The driver's machine; see `place.machine`.
        """
        environ: dict[str, str] = pickle.loads(b"".join(self._pieces))  # noqa: S301  the driver's
        self._pieces = []
        os.environ.update({name: environ[name] for name in OUR_OWN if name in environ})
        opened: asyncio.Future[Opened | Trouble] = asyncio.get_running_loop().create_future()
        here = request.scratch if machine() == driver else None
        self._budget = SharedBudget(
            caps.max_usd, caps.max_calls, sides=caps.sides, judged=caps.judged, lender=lender, worker=self._number,
            at_once=request.loaded.config.concurrency,
        )  # fmt: skip
        whole = replace(request, environ=environ, budget=self._budget)
        self._life = asyncio.create_task(self._live(whole, here, opened))
        return await opened

    async def _live(self, request: RunRequest, here: Path | None, opened: asyncio.Future[Opened | Trouble]) -> None:
        """All of the worker's life in one task: what is entered in it is left in it."""
        own = Path(tempfile.mkdtemp(prefix="worker-" if here else "llm-eval-gate-", dir=here))
        try:
            if here is None:  # SQLite's files are no files for several machines
                request = replace(request, home=own / "kept")
            request = await asyncio.to_thread(own_copy, request, own)
            async with self._budget, prepared(request) as ready:
                ready.gateway.pace = self._budget.pace = SharedPace(self._budget.tell_hold)
                self._ready, self._places = ready, asyncio.Semaphore(ready.concurrency)
                opened.set_result(Opened(ready.concurrency))
                await self._closing.wait()
                await self._end_units()
        except EvalGateError as error:
            self._tell(opened, trouble_of(error))
        except Exception:
            self._tell(opened, Trouble("", f"worker {self._number} failed:\n{traceback.format_exc()}"))
        finally:
            self._ready = None
            await asyncio.to_thread(shutil.rmtree, own, ignore_errors=True)

    def _tell(self, opened: asyncio.Future[Opened | Trouble], trouble: Trouble) -> None:
        if opened.done():
            self._send(Failed(trouble))
        else:
            opened.set_result(trouble)

    async def run(self, tasks: list[Task]) -> None:
        """Take units; they are run in their order, as many at once as the worker has places."""
        for task in tasks:
            running = asyncio.create_task(self._one(task))
            self._running.add(running)
            running.add_done_callback(self._running.discard)

    async def _one(self, task: Task) -> None:
        try:
            async with self._places:
                if self._ready is None:
                    return
                schedule = Schedule([task.case], self._ready.targets, self._ready.scorers)
                draft = Draft(task, self._send)
                values = await run_unit(Unit(0, task.repeat, task.sides), schedule, draft, Unseen())
                self._send(Finished(task.ticket, values))
        except EvalGateError as error:
            self._send(Failed(trouble_of(error)))
        except Exception:
            self._send(Failed(Trouble("", f"worker {self._number} failed:\n{traceback.format_exc()}")))

    def _send(self, event: Event) -> None:
        self._events.append(event)
        self._news.set()

    async def events(self) -> Batch:
        """What has happened; waits until something has."""
        await self._news.wait()
        self._news.clear()
        events, self._events = tuple(self._events), []
        return self._batch(events)

    def _batch(self, events: tuple[Event, ...]) -> Batch:
        accounts = {party: replace(account) for party, account in self._budget.accounts.items()}
        spent = Spent(self._budget.spent_usd, self._budget.calls, accounts, dict(self._budget.dearest))
        return Batch(events, spent, self._notes())

    def _notes(self) -> Mapping[Side, tuple[str, ...]]:
        targets = self._ready.targets if self._ready is not None else {}
        return {side: target.notes() for side, target in targets.items()}

    async def answer(self, side: Side, case: Case, repeat: int) -> tuple[Output | Trouble, Batch]:
        """Answer one case outside of any unit; gives what was spent as well."""
        told: Output | Trouble
        try:
            if self._ready is None:
                raise RuntimeError("a worker that is not open was asked")
            told = await self._ready.targets[side].answer(case, repeat=repeat)
        except EvalGateError as error:
            told = trouble_of(error)
        except Exception:
            told = Trouble("", f"worker {self._number} failed:\n{traceback.format_exc()}")
        return told, self._batch(())

    async def end(self, side: Side) -> None:
        """End a side's app: nothing of it is asked any more."""
        if self._ready is not None:
            await self._ready.targets[side].close()

    async def stop(self, number: int) -> None:
        """End all units; `Idle` tells when they are, and all of the share is given back."""
        await self._end_units()
        await self._budget.settle()
        self._send(Idle(number))

    async def _end_units(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def close(self) -> None:
        """End everything."""
        self._closing.set()
        if self._life is not None:
            await self._life
