"""The `python` target: a function of the app, called in a process of its own in the ref's checkout.

The function is given the case's input; or input and metadata, see `python_child.py`. It returns text, an answer as
`answer_record.py` lists it, or anything that JSON can hold. It may be async; each process answers one case at a time.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Case, Failure, FailureKind, JsonValue, Output, Side
from evaluator.sandbox import Cage
from evaluator.target.answer_record import read_value
from evaluator.target.command import require_program
from evaluator.target.interface import Target
from evaluator.target.metering import Metering
from evaluator.target.workers import Workers, question_of
from evaluator.worker import WorkerFailure, printable

CHILD_SCRIPT = Path(__file__).with_name("python_child.py")


class PythonTarget(Target):
    """A function at one ref.

    Its latency is the function's own time; importing the app never counts.

    Args:
        side: Which ref it is of.
        function: `module:function`.
        interpreter: The Python that runs it: of the ref's own environment.
        folder: Where modules are imported from, relative to `cwd`.
        cwd: The ref's checkout.
        env: The whole environment but for the meter's: `worker.child_environment`.
        slots: How many cases may be answered at once: as many processes.
        start_timeout_s: How long importing the app may take.
        case_timeout_s: How long one case may take; then the process is killed.
        metering: How its model calls are metered; None if they are not.
        cage: What its processes may reach, `CHILD_SCRIPT` among it; None for no cage.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        side: Side,
        function: str,
        *,
        interpreter: str,
        folder: str = ".",
        cwd: Path,
        env: Mapping[str, str],
        slots: int,
        start_timeout_s: float,
        case_timeout_s: float,
        metering: Metering | None = None,
        cage: Cage | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = side
        self._function = function
        self._argv = (interpreter, str(CHILD_SCRIPT), folder, *function.split(":", 1))
        self._cwd = cwd
        self._env = dict(env)
        self._workers = Workers(
            side, self._argv, cwd=cwd, env=env, slots=slots, start_timeout_s=start_timeout_s,
            case_timeout_s=case_timeout_s, metering=metering, cage=cage, clock=clock,
        )  # fmt: skip

    async def start(self) -> None:
        """Start all processes and let each import the app.

        Raises:
            TargetError: One cannot be started, the app cannot be imported, or the function cannot be called.
        """
        require_program("target.python", self._argv, self._cwd, self._env, self.side)
        try:
            problem = await self._workers.start({"ready": True})
        except WorkerFailure as failure:
            text = f"target.python: {self._function} could not be started, at {self.side}: {failure.message}"
            raise TargetError(text, hint="import it by hand with the same interpreter") from failure
        if problem:
            said = printable(str(problem.get("broken", problem)))
            hint = "`module:function`, as Python imports it from `target.python.path`; `setup:` installs what it needs"
            raise TargetError(f"target.python: {self._function}, at {self.side}: {said}", hint=hint)

    async def close(self) -> None:
        """End all processes."""
        await self._workers.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Call the function; what it raises is the output's failure."""
        return await self._workers.ask(case, question_of(case, repeat), self._read, repeat=repeat)

    def _read(self, answer: dict[str, JsonValue], latency_s: float | None) -> Output:
        for key, kind in (("raised", FailureKind.CRASH), ("broken", FailureKind.CRASH)):
            if key in answer:
                return Output(failure=Failure(kind, f"{self._function}: {printable(str(answer[key]))}"))
        return read_value(answer.get("value"), latency_s)
