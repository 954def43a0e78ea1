"""One worker's access to the door: a throw-away token, and the case that runs there at the moment."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from evaluator.gateway.budget import Budget
from evaluator.gateway.door.routes import Route
from evaluator.gateway.door.settings import DoorSettings
from evaluator.gateway.door.trace import Trace

_LOOPBACK = "127.0.0.1,localhost"
_CASE_HINT = "raise the cap of a case in the config at base, if the app needs that many calls"


class Slot:
    """What is asked with this token belongs to the case that the slot runs, or to `outside`."""

    def __init__(self, name: str, *, url: str, routes: tuple[Route, ...], settings: DoorSettings) -> None:
        """Make a slot; the door does it."""
        self.name = name
        self.token = f"sk-door-{secrets.token_hex(24)}"
        self.outside = Trace()
        """What was asked outside of any case, such as while the app was starting; nothing of it is kept."""
        self.room = asyncio.Semaphore(settings.calls_per_slot)
        """For the calls in flight; what one waits here is the app's own time."""
        self._url, self._routes, self._settings = url, routes, settings
        self._running: Trace | None = None

    def __repr__(self) -> str:
        """Name the slot; the token is a secret."""
        return f"Slot({self.name!r})"

    @property
    def party(self) -> str:
        """Who spends what is asked with this token: the side, which the slot's name begins with."""
        return self.name.partition("-")[0]

    @property
    def trace(self) -> Trace:
        """Where a request that comes now belongs to."""
        running = self._running
        if running is None or (running.begun is not None and not running.begun()):
            return self.outside
        return running

    def environment(self) -> dict[str, str]:
        """The variables that make an app's clients ask here, with no proxy in between."""
        told = {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK}
        for route in self._routes:
            told |= route.environment(self._url, self.token)
        return told

    @contextmanager
    def case(self, case_id: str, repeat: int = 0, scope: str | None = "") -> Iterator[Trace]:
        """Count what is asked meanwhile to a case.

        Args:
            case_id: The case.
            repeat: Which sample of it: another one has its own answers.
            scope: Cases of one scope share cached answers; None keeps and finds none.

        Raises:
            RuntimeError: The slot runs a case already.
        """
        if self._running is not None:
            raise RuntimeError(f"slot {self.name} runs a case already")
        budget = Budget(
            self._settings.max_usd_per_case,
            self._settings.max_calls_per_case,
            name="the cap of a case",
            hint=_CASE_HINT,
            ends_run=False,
        )
        self._running = trace = Trace(case_id, repeat, scope, budget)
        try:
            yield trace
        finally:
            self._running = None
