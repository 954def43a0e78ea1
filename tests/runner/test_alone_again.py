"""Base, asked again with head's processes ended: what it then tells of who kept it from answering."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evaluator.records import Case, Failure, FailureKind, Output
from evaluator.results.table import Table
from evaluator.runner.alone_again import held_up

CASES = [Case(f"c{n}", "q") for n in range(10)]
BROKE_OFF = Table(
    tuple(case.id for case in CASES), {"base": {"error_rate": np.ones((10, 1))}}, None, {"base": 0}, 0,
    failed={"base": 10}, broke_off=tuple(range(10)),
)  # fmt: skip


async def asked_again(*kinds: FailureKind | None) -> str:
    """What is said where base's answers alone fail in these ways."""
    left = list(kinds)

    async def answer(case: Case) -> Output:
        kind = left.pop()
        return Output(text="a") if kind is None else Output(failure=Failure(kind, "no"))

    async def close() -> None:
        return None

    targets = {"base": SimpleNamespace(answer=answer), "head": SimpleNamespace(close=close)}
    opened: Any = SimpleNamespace(ready=SimpleNamespace(targets=targets))
    return await held_up(opened, CASES, BROKE_OFF, 0.05)


CRASH, SERVER = FailureKind.CRASH, FailureKind.SERVER


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ((None, None, None, CRASH, CRASH), "answered 3 of 5"),
        ((None, None, CRASH, CRASH, CRASH), ""),
        (
            (SERVER, SERVER, SERVER, CRASH, CRASH),
            "could not be asked again alone: the provider failed or kept it waiting in 3 of 5 cases",
        ),
        ((SERVER, SERVER, None, None, CRASH), "answered 2 of 3"),
        ((SERVER, SERVER, None, CRASH, CRASH), ""),
    ],
)
async def test_a_provider_that_fails_then_does_not_make_bases_failures_its_own(
    kinds: tuple[FailureKind | None, ...], said: str
) -> None:
    found = await asked_again(*kinds)
    assert said in found
    assert bool(found) == bool(said)
