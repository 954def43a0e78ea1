"""A run that is killed goes on where it was: what was answered is not asked again."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bench.kills import disturbed
from tests.standin.app import make_app
from tests.standin.provider import StandIn, stand_in

ROOT = Path(__file__).parents[2]


async def gate(repo: Path, home: Path, *options: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_EVAL_GATE_HOME": str(home), "STANDIN_KEY": "k"}
    environment["TMPDIR"] = str(home.parent)
    words = ["-m", "evaluator.cli.main", "gate", "--repo", str(repo), "--head", "change", *options]
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


def right(body: object, number: int) -> str:
    question = body["messages"][-1]["content"]  # type: ignore[index]
    return str(question).replace("질문", "답")


async def kill_after(server: StandIn, process: asyncio.subprocess.Process, answered: int) -> None:
    async with asyncio.timeout(60):
        while len(server.responses) < answered:
            await asyncio.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    await process.wait()


@pytest.mark.parametrize("options", [(), ("--no-cache",)])
async def test_after_kill_9_no_answered_call_is_made_again(tmp_path: Path, options: tuple[str, ...]) -> None:
    async def slowly(body: object, number: int) -> str:
        await asyncio.sleep(0.01)
        return right(body, number)

    async with stand_in(slowly) as server:
        repo = make_app(tmp_path / "app", server.url)
        for answered in (15, 50):
            process = await gate(repo, tmp_path / "home", *options)
            await kill_after(server, process, answered)
        process = await gate(repo, tmp_path / "home", *options)
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    asked = [str(body["messages"]) for body in server.requests]
    # Eighty questions; at most those in flight at a kill (4 workers, 2 kills) were asked twice.
    assert len(set(asked)) == 80
    assert len(asked) - 80 <= 8
    # Nor does anything stay of the folders that the killed ones worked in.
    assert {path.name for path in tmp_path.iterdir()} == {"app", "home"}


async def test_a_cancelled_run_says_how_to_go_on(tmp_path: Path) -> None:
    async def slowly(body: object, number: int) -> str:
        await asyncio.sleep(0.05)
        return right(body, number)

    async with stand_in(slowly) as server:
        process = await gate(make_app(tmp_path / "app", server.url), tmp_path / "home")
        async with asyncio.timeout(60):
            while len(server.responses) < 5:
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)  # SIGINT is ignored below a shell's background job
        said, _ = await process.communicate()
    assert process.returncode == 3
    assert "To go on from there: llm-eval-gate gate --base main --head change --repo" in said.decode()
    assert "Traceback" not in said.decode()


async def test_a_second_process_on_the_same_run_is_refused(tmp_path: Path) -> None:
    second_is_done = asyncio.Event()

    async def wait(body: object, number: int) -> str:
        await second_is_done.wait()
        return right(body, number)

    async with stand_in(wait) as server:
        repo = make_app(tmp_path / "app", server.url, cases=4)
        first = await gate(repo, tmp_path / "home")
        async with asyncio.timeout(60):
            while not server.requests:
                await asyncio.sleep(0.01)
        second = await gate(repo, tmp_path / "home")
        said, _ = await second.communicate()
        second_is_done.set()
        assert second.returncode == 3
        assert "another process is working on this run" in said.decode()
        await first.communicate()
        assert first.returncode == 0


def test_whatever_the_moment_of_the_kills_the_result_is_that_of_an_undisturbed_run() -> None:
    found = disturbed(
        seed=int.from_bytes(os.urandom(2)), kills=5, cases=100
    )  # `bench/kills.py` does it a hundred times
    assert found["kills"] == 5, found
    assert found["differences"] == [], found
    assert found["lost"] == 0, found
    assert found["repeated"] <= found["allowed"], found
