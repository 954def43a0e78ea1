"""Past its time a run ends as an error, whatever the provider does, and what is done is kept."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, commit, git, make_app
from tests.standin.provider import fault
from tests.standin.threaded import running

LIMITED = CONFIG + "budget: {{max_time: 2s}}\n"


@pytest.mark.parametrize("kind", ["refused", "hanging", "500"])
def test_a_provider_that_is_dead_throughout_is_an_error_within_the_limit(tmp_path: Path, kind: str) -> None:
    async def dead(body: Any, number: int) -> web.StreamResponse | str:
        if kind == "hanging":
            await asyncio.sleep(3_600)
        return fault(500, headers={"retry-after-ms": "400"})

    with running(dead) as server:
        url = "http://127.0.0.1:9/v1" if kind == "refused" else server.url
        repo = make_app(tmp_path / "app", url, cases=20, config=LIMITED)
        began = time.monotonic()
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 3
    assert said.out == ""  # no score
    assert "stopped after 2 seconds" in said.err or "calls in a row failed" in said.err
    assert time.monotonic() - began < 30  # retries alone would take minutes


def test_what_is_done_is_kept_and_with_more_time_the_same_command_goes_on(tmp_path: Path) -> None:
    slow = {"on": True}

    async def answer(body: Any, number: int) -> str:
        if slow["on"] and number >= 12:
            await asyncio.sleep(3_600)
        return right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=20, config=LIMITED)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", "--time-limit", "3s")
        assert said.code == 3
        assert "stopped after 3 seconds" in said.err
        assert "(the limit is `--time-limit`, " in said.err
        assert "kept: 12 answers" in said.err
        assert f"llm-eval-gate gate --base main --head HEAD --repo {repo} --time-limit 3s --json" in said.err
        slow["on"] = False
        asked = len(server.requests)
        again = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", "--time-limit", "1h")
        assert (again.code, again.json["verdict"]["state"]) == (0, "pass")
        assert len(server.requests) - asked == 40 - 12


def test_an_app_that_hangs_is_ended_by_the_limit(tmp_path: Path) -> None:
    config = LIMITED.replace("prompt: prompts/answer.prompt.yml, provider: standin", "command: python3 app.py")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:9/v1", cases=4, config=config)
    git(repo, "switch", "--quiet", "main")
    commit(repo, "app", app_dot_py="import time\ntime.sleep(3600)\n")
    git(repo, "switch", "--quiet", "change")
    git(repo, "merge", "--quiet", "main")
    said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert (said.code, said.out) == (3, "")
    assert "stopped after 2 seconds" in said.err


@pytest.mark.parametrize("given", ["soon", "0", "-3m", "$5"])
def test_a_limit_that_is_no_time_is_a_mistake_of_usage(tmp_path: Path, given: str) -> None:
    said = command(tmp_path / "home", "gate", "--repo", str(tmp_path), f"--time-limit={given}")
    assert said.code == 2
    assert "--time-limit: expected a time such as" in said.err
