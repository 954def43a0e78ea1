"""Apps that ask through a real door: what belongs to a case is counted to it, and what belongs to its start is not."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evaluator.records import Case, FailureKind
from evaluator.target import CommandTarget, Exchange, HttpTarget, PythonTarget, Target
from evaluator.target import metering as metering_module
from evaluator.target.json_path import read_path
from evaluator.target.metering import Metering
from evaluator.worker import child_environment
from tests.gateway.door.scene import Scene, scene
from tests.standin.provider import fault
from tests.target.http_apps import server
from tests.wiring.process_apps import ASK

EARLY = "[ask(f'early {n}') for n in range(3)]\n"
WORKER = f"""
import os, sys, time
{ASK}
time.sleep(0.2)
{EARLY}
for line in sys.stdin:
    question = json.loads(line)
    if question["input"] == "die":
        os._exit(1)
    print(json.dumps({{"id": question["id"], "output": ask(question["input"])}}), flush=True)
"""
SERVER = server(
    "if given == 'die': os._exit(1)\nself.say(200, json.dumps({'text': ask(given)}).encode())", setup=ASK + EARLY
)
LEAVES = f"""
import os, threading, time
{ASK}
def answer(question):
    if question == "leave":
        threading.Thread(target=lambda: ask("slow"), daemon=True).start()
        time.sleep(0.3)
    return str(os.getpid())
"""


def right(sent: Any, number: int) -> str:
    return "ok"


@asynccontextmanager
async def started(here: Scene, folder: Path, kind: str, code: str) -> AsyncIterator[tuple[Target, Metering]]:
    app = folder / "app"
    app.mkdir()
    (app / "app.py").write_text(code)
    env = child_environment(os.environ, home=app)
    metering = Metering(here.door.slot)
    target: Target
    if kind == "http":
        target = HttpTarget(
            "head", [sys.executable, "app.py"], cwd=app, env=env, ready="/health", metering=metering,
            exchange=Exchange(path="/answer", answer=read_path("$.text"), timeout_s=5),
        )  # fmt: skip
    elif kind == "python":
        target = PythonTarget(
            "head", "app:answer", interpreter=sys.executable, cwd=app, env=env, slots=1, start_timeout_s=9,
            case_timeout_s=9, metering=metering,
        )  # fmt: skip
    else:
        target = CommandTarget(
            "head", [sys.executable, "app.py"], cwd=app, env=env, mode="worker", slots=1, start_timeout_s=9,
            case_timeout_s=9, metering=metering,
        )  # fmt: skip
    try:
        await target.start()
        yield target, metering
    finally:
        await target.close()


@pytest.mark.parametrize(("kind", "code"), [("worker", WORKER), ("http", SERVER)])
async def test_what_an_app_asks_while_it_starts_is_in_no_case_also_after_a_crash(
    tmp_path: Path, kind: str, code: str
) -> None:
    async with scene(right, tmp_path) as here, started(here, tmp_path, kind, code) as (target, metering):
        outputs = [await target.answer(Case(text, text)) for text in ("a", "die", "b", "c")]
    assert [len(output.calls) for output in outputs] == [1, 0, 1, 1]
    assert outputs[1].failure is not None
    assert [len(slot.outside.calls) for slot in metering.slots] == [6]


async def test_an_outage_while_an_app_starts_again_is_no_fault_of_the_app(tmp_path: Path) -> None:
    def down_later(sent: Any, number: int) -> Any:
        return fault(503, "down") if number > 3 else "ok"

    async with scene(down_later, tmp_path) as here, started(here, tmp_path, "worker", WORKER) as (target, _):
        outputs = [await target.answer(Case(text, text)) for text in ("a", "die", "b")]
    kinds = [output.failure and output.failure.kind for output in outputs]
    assert kinds == [None, FailureKind.CRASH, FailureKind.SERVER]


async def test_a_call_that_outlives_its_case_makes_the_cost_unknown_and_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(sent: Any, number: int) -> str:
        await asyncio.sleep(5)
        return "ok"

    monkeypatch.setattr(metering_module, "SETTLE_S", 0.2)
    async with scene(slow, tmp_path) as here, started(here, tmp_path, "python", LEAVES) as (target, metering):
        first, left, after = [await target.answer(Case(text, text)) for text in ("a", "leave", "b")]
    assert (first.cost_usd, left.cost_usd, after.cost_usd) == (0.0, None, 0.0)
    assert (left.failure, len(left.calls)) == (None, 1)
    assert first.text == left.text != after.text, "the process that asks on is replaced"
    assert metering.unpriced == ["m"]
