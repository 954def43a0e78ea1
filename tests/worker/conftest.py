"""Makes workers over the programs of `worker_programs.py`, and closes them."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from evaluator.sandbox import Cage
from evaluator.worker import JsonLinesWorker, child_environment
from tests.worker.worker_programs import MakeWorker, program


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment that a child of ours gets."""
    return child_environment(os.environ, home=tmp_path)


@pytest.fixture(params=["free", "caged"])
def cage(request: pytest.FixtureRequest, tmp_path: Path) -> Cage | None:
    """No cage, and one of the user that we are."""
    if request.param == "free":
        return None
    if not sys.platform.startswith("linux"):
        pytest.skip("cages are Linux's")
    return Cage(root=tmp_path, home=tmp_path)


@pytest_asyncio.fixture
async def make_worker(tmp_path: Path, environment: dict[str, str], cage: Cage | None) -> AsyncIterator[MakeWorker]:
    """Make a worker from the body of a program."""
    made: list[JsonLinesWorker] = []

    def make(
        body: str, *, call_timeout_s: float = 10.0, start_timeout_s: float = 10.0, max_line_bytes: int = 4_000_000
    ) -> JsonLinesWorker:
        worker = JsonLinesWorker(
            program(body),
            cwd=tmp_path,
            env=environment,
            start_timeout_s=start_timeout_s,
            call_timeout_s=call_timeout_s,
            max_line_bytes=max_line_bytes,
            cage=cage,
        )
        made.append(worker)
        return worker

    yield make
    for worker in made:
        await worker.close()
