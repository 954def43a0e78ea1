"""An event loop whose clock does not wait but jumps to whatever is due next: hours of pacing in milliseconds, exactly."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Found = TypeVar("Found")


class _Jumping(selectors.SelectSelector):
    """Nothing to wait for means that time passes."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.passed_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop without sockets or threads: what runs on it waits for its clock alone."""

    def __init__(self) -> None:
        self._clock = _Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.passed_s


def virtually(work: Coroutine[Any, Any, Found]) -> Found:
    """Run something to its end on a clock of its own, which begins at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def virtual_now() -> float:
    """The time on the running loop."""
    return asyncio.get_running_loop().time()
