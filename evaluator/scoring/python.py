"""python: the user's own function, run in a process of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

from evaluator.config.scorers import PythonOptions
from evaluator.config.units import parse_duration
from evaluator.errors import ScorerError
from evaluator.records import Case, Failure, FailureKind, JsonValue, Metric, MetricKind, Output, Score
from evaluator.scoring.files import read_text
from evaluator.scoring.interface import Scorer
from evaluator.worker.failure import WorkerFailure

CHILD_SCRIPT = Path(__file__).with_name("python_child.py")
MAIN_COLUMNS = ("score", "value")
"""Names under which a function that returns a dict may give the metric's value, beside the metric's own name."""


class Worker(Protocol):
    """The part of a worker process that the scorer uses: `worker.JsonLinesWorker` or `worker.WorkerPool`."""

    async def start(self) -> None:
        """Start the process."""
        ...

    async def ask(self, message: JsonValue) -> JsonValue:
        """Ask one question; raises WorkerFailure."""
        ...

    async def close(self) -> None:
        """End the process."""
        ...


WorkerFactory = Callable[[Sequence[str], float], Worker]
"""(arguments after the interpreter, seconds for one call) -> a worker that is not started.

Whoever gives it decides the interpreter, the environment and the working directory, which is base's checkout.
"""


class PythonScorer(Scorer):
    """Calls `function(case, output)` with two dicts and takes its number, or the `score` of the dict that it returns.

    The case has `id`, `input`, `expected`, `tags` and `metadata`; the output `text`, `data`, `tool_calls`, `contexts`,
    `latency_s` and `cost_usd`. The function may be async. Further numbers of a dict are kept in the details.

    Raises:
        ScorerError: The path is not `file.py:function`, leads out of the repository, or there is no such file.
    """

    def __init__(self, options: PythonOptions, worker_factory: WorkerFactory, read_file: Callable[[str], str]) -> None:
        """Check the path and make the worker; see the class."""
        self.name = options.metric_name
        self.metrics = (Metric(self.name, MetricKind.MEAN, higher_is_better=options.higher_is_better),)
        file, _, function = options.path.rpartition(":")
        path = PurePosixPath(file)
        if not file.endswith(".py") or not function.isidentifier() or path.is_absolute() or ".." in path.parts:
            raise ScorerError(
                f"scorer {self.name!r}: expected `file.py:function` below the root of the repository, "
                f"found {options.path!r}",
                hint="write `python: evals/own_scorer.py:score`",
            )
        read_text(read_file, file, scorer=self.name)
        try:
            seconds = parse_duration(options.timeout)
        except ValueError as error:
            raise ScorerError(f"scorer {self.name!r}: `timeout`: {error}") from None
        self._path = options.path
        self._worker = worker_factory((str(CHILD_SCRIPT), file, function), seconds)

    async def start(self) -> None:
        """Start the process and let it import the function.

        Raises:
            ScorerError: It cannot be started, or the function cannot be imported.
        """
        try:
            await self._worker.start()
            answer = await self._worker.ask({"ready": True})
        except WorkerFailure as failure:
            raise ScorerError(
                f"scorer {self.name!r}: {self._path} could not be started: {failure.message}",
                hint="run it by hand with the same interpreter",
            ) from None
        error = answer.get("error") if isinstance(answer, dict) else "no answer"
        if error:
            raise ScorerError(f"scorer {self.name!r}: {error}", hint="the function is taken from the base ref")

    async def close(self) -> None:
        """End the process."""
        await self._worker.close()

    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output; a function that raises, hangs, dies or gives no number is a failure."""
        try:
            answer = await self._worker.ask({"case": _case(case), "output": _output(output)})
        except WorkerFailure as failure:
            return Score(self.name, failure=failure.as_failure())
        if not isinstance(answer, dict) or "error" in answer:
            text = str(answer.get("error") if isinstance(answer, dict) else answer)
            return Score(self.name, failure=Failure(FailureKind.SCORER, f"scorer {self.name!r}: {text}"))
        columns = answer.get("value")
        if not isinstance(columns, dict):
            columns = {self.name: columns}
        key = next((name for name in (self.name, *MAIN_COLUMNS) if name in columns), None)
        value = columns.get(key) if key is not None else None
        if key is None or isinstance(value, bool) or not isinstance(value, int | float):
            found = ", ".join(repr(name) for name in columns) or "an empty dict"
            message = f"scorer {self.name!r}: expected a number, or a dict with 'score', found {found}"
            return Score(self.name, failure=Failure(FailureKind.SCORER, message))
        details = {name: number for name, number in columns.items() if name != key}
        return Score(self.name, {self.name: float(value)}, reason=str(answer.get("reason") or ""), details=details)


def _case(case: Case) -> dict[str, JsonValue]:
    return {
        "id": case.id,
        "input": case.input,
        "expected": case.expected,
        "tags": list(case.tags),
        "metadata": dict(case.metadata),
    }


def _output(output: Output) -> dict[str, JsonValue]:
    return {
        "text": output.text,
        "data": output.data,
        "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in output.tool_calls],
        "contexts": list(output.contexts),
        "latency_s": output.latency_s,
        "cost_usd": output.cost_usd,
    }
