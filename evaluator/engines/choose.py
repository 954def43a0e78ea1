"""Opens the engine that a config names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evaluator.engines.interface import Engine
from evaluator.engines.local import LocalEngine
from evaluator.errors import ConfigError
from evaluator.journal.journal import Journal
from evaluator.wiring.prepare import Prepared, RunRequest


@asynccontextmanager
async def open_engine(request: RunRequest, ready: Prepared, journal: Journal) -> AsyncIterator[Engine]:
    """The engine of a run, from before its first call to its end.

    Each engine lives in a folder of its own, which is imported only where it is named.

    Args:
        request: What the run was set up from, for an engine that sets the same up elsewhere.
        ready: What is set up here.
        journal: The run's.

    Raises:
        EvalGateError: The engine cannot be had, or does not fit the config.
    """
    name = request.loaded.config.engine
    if name == "local":
        yield LocalEngine()
        return
    if name == "batch":
        from evaluator.engines.batch.engine import open_batch_engine

        async with open_batch_engine(request, ready, journal) as engine:
            yield engine
        return
    if name == "ray":
        from evaluator.engines.ray.engine import open_ray

        async with open_ray(request, ready) as engine:
            yield engine
        return
    raise ConfigError(
        f"{request.loaded.where('engine')}: there is no engine {name!r} yet",
        hint="take `local`, `batch` or `ray`, as `engine:` in the config or with `--engine`",
    )
