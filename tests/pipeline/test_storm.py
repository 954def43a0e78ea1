"""A provider that fails three times in ten costs time and nothing else; one that is dead ends the run with an error."""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bench.kills import differences, without_times
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.provider import fault
from tests.standin.replies import Reply, chat_whole
from tests.standin.threaded import running

AT_ONCE = {"retry-after-ms": "1"}
TIMEOUT_S = 1.0
KINDS = ("429", "500", "503", "reset", "time-out", "truncated", "not JSON", "no result")
MOST_IN_A_ROW = 4


class Storm:
    """Three answers in ten are none; which, hangs on the question and on how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    async def __call__(self, body: Any, number: int) -> web.StreamResponse | str:
        question = json.dumps(body["messages"], ensure_ascii=False)
        self.asked[question] += 1
        dice = random.Random(f"{self.asked[question]} {question}")
        if self.asked[question] > MOST_IN_A_ROW or dice.random() >= 0.3:
            return right(body)
        kind = dice.choice(KINDS)
        self.faults[kind] += 1
        match kind:
            case "429" | "500" | "503":
                return fault(int(kind), headers=AT_ONCE)
            case "time-out":
                await asyncio.sleep(2 * TIMEOUT_S)
                return right(body)
            case "reset":
                return Broken(b"")
            case "truncated":
                return Broken(json.dumps(chat_whole(body, Reply(right(body)))).encode()[:80])
            case "not JSON":
                return web.Response(body=b'{"choices": [{"mess', content_type="application/json")
            case _:
                return web.json_response({"object": "chat.completion", "choices": []})


class Broken(web.StreamResponse):
    """Says how long it will be, gives less, and drops the connection."""

    def __init__(self, given: bytes) -> None:
        super().__init__(headers={"Content-Type": "application/json", "Content-Length": "1000"})
        self._given = given

    async def prepare(self, request: web.BaseRequest) -> Any:
        assert request.transport is not None
        if self._given:
            await super().prepare(request)
            await self.write(self._given)
        request.transport.abort()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return


def config() -> str:
    patient = CONFIG.replace("api_key_env: STANDIN_KEY", f"api_key_env: STANDIN_KEY, timeout: {TIMEOUT_S:g}s")
    return patient.replace("concurrency: 4", "concurrency: 16")


def test_after_a_storm_the_verdict_is_that_of_a_calm_day(tmp_path: Path) -> None:
    storm = Storm()
    documents: list[Any] = []
    for answer in (right, storm):
        with running(answer) as server:
            repo = make_app(tmp_path / f"app-{len(documents)}", server.url, cases=60, config=config())
            said = command(tmp_path / f"home-{len(documents)}", "gate", "--repo", str(repo), "--json")
        assert said.code == 0, said.err
        documents.append(without_times(said.json))
    calm, stormy = documents
    assert sum(storm.faults.values()) >= 30, storm.faults
    assert len(storm.faults) == len(KINDS), storm.faults
    for document in documents:
        document["cases"].sort(key=lambda case: case["id"])
    allowed = (".base.sha", ".head.sha", ".config", ".rerun")  # another repository, at another address
    assert [where for where in differences(calm, stormy) if not where.startswith(allowed)] == []


@pytest.mark.parametrize("kind", ["503", "reset"])
def test_a_dead_provider_ends_the_run_with_an_error_and_without_a_score(tmp_path: Path, kind: str) -> None:
    def dead(body: Any, number: int) -> web.StreamResponse:
        return Broken(b"") if kind == "reset" else fault(503, headers=AT_ONCE)

    with running(dead) as server:
        repo = make_app(tmp_path / "app", server.url, cases=60, config=config())
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 3
    assert "calls in a row failed" in said.err
    assert said.out == ""
