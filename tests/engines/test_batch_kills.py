"""Killed at any step: no request is sent twice, nothing that was paid for is lost, and the result is the same."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from evaluator.gateway.cache import AnswerStore
from evaluator.journal.batches import BatchLog
from tests.engines.batches import SUBMITTED, Scene, scene, unlike
from tests.standin.provider import fault

ROOT = Path(__file__).parents[2]


def start(here: Scene) -> "subprocess.Popen[bytes]":
    """The gate in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_EVAL_GATE_HOME": str(here.home), "STANDIN_KEY": "k-secret"}
    words = ["gate", "--repo", str(here.repo), "--engine", "batch", "--json"]
    return subprocess.Popen([sys.executable, "-m", "evaluator.cli.main", *words], env=environ, stderr=subprocess.PIPE)


def killed(here: Scene, when: str, step: str) -> None:
    """A run that is killed with SIGKILL before or after the provider does a step."""
    going: list[subprocess.Popen[bytes]] = []

    def kill() -> web.StreamResponse | None:
        if going[0].poll() is None:
            going[0].send_signal(signal.SIGKILL)
            going[0].wait()
        return fault(503) if when == "before" else None

    hooks = here.api.before if when == "before" else here.api.after
    hooks[step] = kill
    going.append(start(here))
    _, said = going[0].communicate()
    del hooks[step]
    assert going[0].returncode == -signal.SIGKILL, said.decode()


@pytest.mark.parametrize(
    ("when", "step"),
    [
        ("before", "POST /files"),
        ("after", "POST /files"),
        ("before", "POST /batches"),
        ("after", "POST /batches"),
        ("after", "GET /batches/{batch_id}"),
        ("before", "GET /files/{file_id}/content"),
        ("after", "GET /files/{file_id}/content"),
    ],
)
def test_a_kill_at_any_step_costs_nothing(tmp_path: Path, when: str, step: str) -> None:
    with scene(tmp_path, cases=8) as here:
        if "GET" in step:
            assert here.gate().code == SUBMITTED
            here.api.finish()
        killed(here, when, step)
        if "POST" in step and not here.api.batches:
            # It might still be on its way.
            said = here.gate()
            assert said.code == SUBMITTED
            assert "not known if it arrived" in said.err
            assert here.api.seen.count("POST /batches") <= 1
            here.age_what_is_being_sent()
        said = here.until_done()
        assert said.code == 0, said.err
        held = Counter(line["custom_id"] for batch in here.api.batches.values() for line in batch.requests)
        assert set(held.values()) == {1}
        assert len(here.api.charged) == 16
        assert unlike(said.json, here.alone().json) == []
        assert here.spent()[0] == pytest.approx(here.charged_usd())
        assert here.spent()[1] == 16


@pytest.mark.parametrize("place", ["before the answers are kept", "before they are settled", "after they are settled"])
def test_what_breaks_while_a_batch_is_collected_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    class Broken(RuntimeError):
        pass

    def breaks(*_: object, **__: object) -> None:
        raise Broken

    with scene(tmp_path, cases=6) as here:
        assert here.gate().code == SUBMITTED
        here.api.finish()
        with monkeypatch.context() as patched:
            if place == "before the answers are kept":
                patched.setattr(AnswerStore, "put_all", breaks)
            elif place == "before they are settled":
                patched.setattr(BatchLog, "collected", breaks)
            else:
                patched.setattr("evaluator.engines.batch.office.tell_outbox", breaks)
            assert "Broken" in here.gate().err
        said = here.gate()
        assert said.code == 0, said.err
        assert len(here.api.batches) == 1
        assert unlike(said.json, here.alone().json) == []
        assert here.spent()[0] == pytest.approx(here.charged_usd())


@pytest.mark.parametrize("lost", ["the connection", "a server error"])
def test_an_answer_that_gets_lost_after_a_batch_was_made_makes_no_second_one(tmp_path: Path, lost: str) -> None:
    class Dropped(web.StreamResponse):
        async def prepare(self, request: web.BaseRequest) -> None:
            assert request.transport is not None
            request.transport.abort()

        async def write_eof(self, data: bytes = b"") -> None:
            return

    with scene(tmp_path, cases=6) as here:
        here.api.after["POST /batches"] = lambda: Dropped() if lost == "the connection" else fault(500)
        said = here.gate()
        assert said.code == 3
        assert "will not be sent twice" in said.err
        assert here.api.seen.count("POST /batches") == 1
        del here.api.after["POST /batches"]
        said = here.until_done()
        assert said.code == 0, said.err
        assert here.api.seen.count("POST /batches") == 1
        assert here.api.seen.count("GET /batches") == 1


def test_a_download_that_breaks_off_is_begun_again_by_the_next_run(tmp_path: Path) -> None:
    class Cut(web.StreamResponse):
        def __init__(self) -> None:
            super().__init__(headers={"Content-Length": "5000"})

        async def prepare(self, request: web.BaseRequest) -> None:
            await super().prepare(request)
            await self.write(b'{"custom_id": "')
            assert request.transport is not None
            request.transport.abort()

        async def write_eof(self, data: bytes = b"") -> None:
            return

    with scene(tmp_path, cases=6) as here:
        assert here.gate().code == SUBMITTED
        here.api.finish()
        here.api.before["GET /files/{file_id}/content"] = Cut
        said = here.gate()
        assert said.code == 3
        assert "/content failed" in said.err
        here.api.before.clear()
        said = here.gate()
        assert said.code == 0, said.err
        assert len(here.api.batches) == 1
        assert said.json["spend"]["real_usd"] == pytest.approx(here.charged_usd())


def test_a_lost_batch_is_found_among_many_others(tmp_path: Path) -> None:
    with scene(tmp_path, cases=4) as here:
        here.api.after["POST /batches"] = lambda: fault(500)
        assert here.gate().code == 3
        del here.api.after["POST /batches"]
        [ours] = here.api.batches.values()
        for number in range(2, 252):
            mark = {"llm_eval_gate": f"somebody-elses-{number}"} if number % 2 else None
            made = {**ours.told, "id": f"batch_{number}", "metadata": mark}
            here.api.batches[made["id"]] = type(ours)(made, [])
        said = here.gate()
        assert said.code == SUBMITTED
        assert "batch_1 is in_progress" in said.err
        assert here.api.seen.count("GET /batches") == 3


def test_a_batch_that_the_provider_refuses_is_forgotten_at_once(tmp_path: Path) -> None:
    with scene(tmp_path, cases=4) as here:
        here.api.before["POST /batches"] = lambda: fault(400, "no more than 10 batches at once")
        said = here.gate()
        assert said.code == 3
        assert "no more than 10 batches at once" in said.err
        del here.api.before["POST /batches"]
        assert here.until_done().code == 0
        assert here.api.seen.count("GET /batches") == 0
