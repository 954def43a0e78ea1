"""Nothing that a worker started is left running."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluator.sandbox import Cage
from evaluator.worker import JsonLinesWorker, WorkerFailure, WorkerPool
from evaluator.worker.child import start_child
from tests.worker.worker_programs import ECHO, MakeWorker, program, running, wait_until_gone

GRANDCHILD = """
import subprocess
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", {marker!r}], **{options})
"""


@pytest.mark.parametrize(
    "options",
    [{}, {"start_new_session": True}, {"stdout": -3, "stdin": -3, "stderr": -3}],
    ids=["plain", "own session", "no pipes"],
)
async def test_close_ends_grandchildren_too(make_worker: MakeWorker, options: dict[str, object]) -> None:
    marker = secrets.token_hex(8)
    worker = make_worker(GRANDCHILD.format(marker=marker, options=options) + ECHO)
    await worker.ask(1)
    assert running(marker)
    await worker.close()
    assert wait_until_gone(marker) == []


async def test_a_crash_ends_grandchildren_that_hold_the_pipes(make_worker: MakeWorker) -> None:
    marker = secrets.token_hex(8)
    worker = make_worker(GRANDCHILD.format(marker=marker, options={}) + "next(questions()); os._exit(4)")
    with pytest.raises(WorkerFailure, match="exited with code 4"):
        await worker.ask(1)
    assert wait_until_gone(marker) == []


async def test_a_program_that_ignores_everything_polite_is_killed(make_worker: MakeWorker) -> None:
    marker = secrets.token_hex(8)
    worker = make_worker(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "q = next(questions()); say({'id': q['id']})\n"
        f"while True: time.sleep(60)  # {marker}"
    )
    await worker.ask(1)
    await worker.close()
    assert running(marker) == []


async def test_a_program_may_finish_its_work_when_its_input_ends(make_worker: MakeWorker, tmp_path: Path) -> None:
    worker = make_worker(ECHO + "\nopen('finished', 'w').close()")
    await worker.ask(1)
    await worker.close()
    assert (tmp_path / "finished").exists()


async def test_no_zombies_and_no_descriptors_are_left(make_worker: MakeWorker) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    await make_worker(ECHO).close()
    before, others = held(), set(children())
    for _ in range(3):
        worker = make_worker(ECHO)
        await worker.ask(1)
        await worker.close()
        await worker.close()
    await asyncio.sleep(0)
    assert held() <= before
    states = [Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in children() if pid not in others]
    assert "Z" not in states


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


async def test_a_pool_asks_its_workers_at_the_same_time(tmp_path: Path, environment: dict[str, str]) -> None:
    def make(slot: int) -> JsonLinesWorker:
        body = (
            f"for q in questions():\n    time.sleep(0.3)\n    say({{'id': q['id'], 'slot': {slot}, 'q': q['input']}})"
        )
        return JsonLinesWorker(program(body), cwd=tmp_path, env=environment, start_timeout_s=9, call_timeout_s=9)

    pool = WorkerPool(make, 3)
    await pool.start()
    answers = await asyncio.gather(*(pool.ask(number) for number in range(6)))
    await pool.close()
    assert [answer["q"] for answer in answers if isinstance(answer, dict)] == list(range(6))
    assert {answer["slot"] for answer in answers if isinstance(answer, dict)} == {0, 1, 2}


async def test_a_pool_that_cannot_start_leaves_nothing_running(tmp_path: Path, environment: dict[str, str]) -> None:
    marker = secrets.token_hex(8)

    def make(slot: int) -> JsonLinesWorker:
        argv = program(ECHO + f"# {marker}") if slot == 0 else ["/no/such/program"]
        return JsonLinesWorker(argv, cwd=tmp_path, env=environment, start_timeout_s=9, call_timeout_s=9)

    with pytest.raises(WorkerFailure):
        await WorkerPool(make, 2).start()
    assert running(marker) == []


GATE = """
import asyncio, os, sys
from pathlib import Path
from evaluator.sandbox import Cage
from evaluator.worker.child import start_child
HIDDEN = '''
import os, time, sys
if os.fork() == 0:
    os.setsid()
    os.execve(sys.executable, ["python", "-S", "-c", "import time; time.sleep(60)  # {marker}"], {{}})
print("ready", flush=True); time.sleep(60)
'''
async def main():
    here = Path.cwd()
    child = await start_child([sys.executable, "-c", HIDDEN], cwd=here, env={{}}, cage=Cage(root=here, home=here))
    print((await child.stdout.readline()).decode(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_gate_that_is_killed_takes_its_caged_programs_with_it(tmp_path: Path) -> None:
    marker = secrets.token_hex(8)
    root = str(Path(__file__).parents[2])
    argv = [sys.executable, "-c", GATE.format(marker=marker)]
    with subprocess.Popen(argv, cwd=tmp_path, env={"PYTHONPATH": root}, stdout=subprocess.PIPE) as gate:
        assert gate.stdout is not None
        assert gate.stdout.readline() == b"ready\n"
        assert running(marker)
        gate.kill()
    assert wait_until_gone(marker, 5.0) == []


async def test_a_kill_at_the_very_start_is_quick(tmp_path: Path) -> None:
    marker = secrets.token_hex(8)
    cage = Cage(root=tmp_path, home=tmp_path)
    started = time.monotonic()
    for delay in (0.0, 0.01, 0.02, 0.03, 0.04, 0.06):
        child = await start_child([*program("time.sleep(60)"), marker], cwd=tmp_path, env={}, cage=cage)
        await asyncio.sleep(delay)
        await child.stop(0)
    assert wait_until_gone(marker) == []
    assert time.monotonic() - started < 6
