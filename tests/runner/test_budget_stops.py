"""A run that its budget stops: what is paid for is kept, kills do not loosen the cap, and what to change is said."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from tests.pipeline.commands import command, right
from tests.runner.test_kill import gate
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.provider import StandIn, stand_in
from tests.standin.threaded import running

AT_ONCE = 4


async def killed_before_any_answer(repo: Path, home: Path, server: StandIn, *options: str) -> None:
    """Begin a gate, and kill it when all that it asks at once is in flight."""
    before = len(server.requests)
    process = await gate(repo, home, *options)
    async with asyncio.timeout(60):
        while len(server.requests) < before + AT_ONCE:
            await asyncio.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    await process.wait()


def lost_usd(said: str) -> float:
    """What calls that were in flight at kills count as."""
    told = re.search(r"with up to 12 calls in flight: they count against the budget, as \$([\d.]+), the most", said)
    assert told is not None, said
    return float(told[1])


@pytest.mark.parametrize("cap", ["max_calls: 84", "max_usd: $1"])
async def test_what_was_in_flight_at_kill_9_counts_against_the_cap(tmp_path: Path, cap: str) -> None:
    """The provider got those calls and may charge them, though nobody has their answers."""
    answers = asyncio.Event()

    async def held(body: object, number: int) -> str:
        await answers.wait()
        return right(body)

    async with stand_in(held) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + f"budget: {{{{{cap}}}}}\n")
        for _ in range(3):
            await killed_before_any_answer(repo, tmp_path / "home", server, "--no-cache")
        answers.set()
        process = await gate(repo, tmp_path / "home", "--no-cache", "--out", str(tmp_path / "out"))
        said = (await process.communicate())[0].decode()
    lost = lost_usd(said)
    assert lost > 12 * (2 * 20) / 1e6, "twelve answers of twenty tokens, and what was asked"
    if cap == "max_calls: 84":  # of which an undisturbed run needs eighty
        assert process.returncode == 3, said
        assert f" in {len(server.requests)} calls." in said, "it knows of each"
        assert len(server.requests) <= 84
        return
    assert (process.returncode, len(server.requests)) == (0, 12 + 80), said
    document = json.loads((tmp_path / "out" / "result.json").read_text())
    assert any(lost_usd(note) == lost for note in document["notes"] if "killed" in note)
    answered = sum(row.given + 2 * row.made for row in server.log if row.whole) / 1e6
    assert document["estimate"]["spent_calls"] == 12 + 80
    assert document["estimate"]["spent_usd"] == pytest.approx(lost + answered, abs=1e-4)


def test_at_the_dollar_cap_the_calls_in_flight_are_let_end_and_kept(tmp_path: Path) -> None:
    """Cut off they would be charged with the most that they can cost, and asked again."""

    asked: list[object] = []
    base_is_answered = asyncio.Event()

    async def base_first(body: object, number: int) -> str:
        asked.append(body)
        base = "good" in str(body["messages"][0])  # type: ignore[index]
        if not base:
            await base_is_answered.wait()
        seen = 0
        while seen < len(asked):  # until nothing else is asked
            seen = len(asked)
            await asyncio.sleep(0.3)
        base_is_answered.set()
        return "word " * 2000 if base else right(body)

    config = CONFIG.replace("concurrency: 4", "concurrency: 16") + "budget: {{max_usd: $0.016}}\n"
    with running(base_first) as server:
        repo = make_app(tmp_path / "app", server.url, config=config)
        git(repo, "switch", "--quiet", "main")
        dear = PROMPT.replace("maxTokens: 20", "maxTokens: 2500")  # two calls of base have no room in its share
        commit(repo, "a dear base", prompts__answer_dot_prompt_dot_yml=dear.format(system="good"))
        git(repo, "switch", "--quiet", "--create", "cheap")
        commit(repo, "a cheap head", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="other"))
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--head", "cheap")
        charged = sum(row.given + 2 * row.made for row in server.log) / 1e6
    assert said.code == 3
    told = re.search(r"kept: (\d+) answers; spent: \$([\d.]+) in (\d+) calls", said.err)
    assert told is not None, said.err
    assert "base's calls have used base's share" in said.err
    assert float(told[2]) == pytest.approx(charged, abs=1e-4)
    assert int(told[1]) == int(told[3]) == len(server.requests) > 0


def test_the_cap_that_is_named_is_enough_where_no_limit_of_tokens_makes_a_call_dear(tmp_path: Path) -> None:
    unlimited = PROMPT.replace(", maxTokens: 20", "")
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + "budget: {{max_usd: $0.0168}}\n")
        git(repo, "switch", "--quiet", "main")
        commit(repo, "no limit", prompts__answer_dot_prompt_dot_yml=unlimited.format(system="good"))
        git(repo, "switch", "--quiet", "--create", "dear")
        commit(repo, "another", prompts__answer_dot_prompt_dot_yml=unlimited.format(system="other"))
        words = ("gate", "--repo", str(repo), "--head", "dear")
        stopped = command(tmp_path / "home", *words)
        git(repo, "switch", "--quiet", "main")
        told = re.search(
            r"To go on from there, raise `max_usd` to at least \$([\d.]+) in the config at base, then: (.*)",
            stopped.err,
        )
        assert told is not None, stopped.err
        assert told[2].startswith("llm-eval-gate gate --base main --head dear")
        assert f"hint: raise `max_usd` to at least ${told[1]}" in stopped.err
        assert "`max_tokens`" in stopped.err
        assert float(told[1]) > 0.0168
        raised = (CONFIG + f"budget: {{{{max_usd: ${told[1]}}}}}\n").format(url=server.url)
        commit(repo, "as it was told", **{"llm-eval-gate_dot_yml": raised})
        again = command(tmp_path / "home", *words)
    assert (stopped.code, again.code) == (3, 0), again.err
    assert len(server.requests) == 80


def test_calls_that_are_used_up_name_how_many_it_takes(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + "budget: {{max_calls: 40}}\n")
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
        alone = command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "main", "--no-cache", "--repeats", "2")
    assert said.code == alone.code == 3
    assert "To go on from there, raise `max_calls` to at least 8" in said.err
    assert "raise `max_calls` to at least 8" in alone.err


def test_a_cap_that_the_anchor_reaches_is_named_for_base_and_head_too(tmp_path: Path) -> None:
    rules = CONFIG + "anchor: {{ref: v1}}\nbudget: {{max_calls: CAP}}\n"
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, config=rules.replace("CAP", "30"))
        git(repo, "tag", "v1", "main")
        git(repo, "switch", "--quiet", "main")
        commit(repo, "after v1", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="good too"))
        git(repo, "switch", "--quiet", "--create", "other")
        commit(repo, "another", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="other"))
        words = ("gate", "--repo", str(repo), "--head", "other")
        stopped = command(tmp_path / "home", *words)
        told = re.search(r"raise `max_calls` to at least (\d+) in the config at base", stopped.err)
        assert told is not None, stopped.err
        git(repo, "switch", "--quiet", "main")
        raised = rules.replace("CAP", told[1]).format(url=server.url)
        commit(repo, "as it was told", **{"llm-eval-gate_dot_yml": raised})
        again = command(tmp_path / "home", *words)
    assert (stopped.code, again.code) == (3, 0), again.err
    assert len(server.requests) == 120
