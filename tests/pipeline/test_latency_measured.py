"""A latency that is bounded is one of this run: an earlier run's answers keep theirs, and do not count."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, commit, make_app
from tests.standin.threaded import running

CASES = 10


def bounded(bound: str) -> str:
    return CONFIG.replace("objectives:\n", f"objectives:\n  latency_p95: {{{{{bound}}}}}\n")


@pytest.mark.parametrize("bound", ["max: 60s", "max_increase: 900%"])
def test_where_a_latency_is_bounded_the_app_is_asked_anew_by_every_run(tmp_path: Path, bound: str) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=CASES, config=bounded(bound))
        words = ("gate", "--repo", str(repo), "--json")
        command(tmp_path / "home", *words)
        commit(repo, "the prompt stays as it is", README_dot_md="words")
        found = [command(tmp_path / "home", *words).json for _ in range(2)]  # another run, and the same once more
        assert len(server.requests) == 3 * 2 * CASES
    assert [one["spend"]["cached_calls"] for one in found] == [0, 0]
    assert all(one["spend"]["real_usd"] == one["spend"]["total_usd"] > 0 for one in found)


def test_base_and_head_share_the_answers_of_this_run_all_the_same(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=CASES, config=bounded("max: 60s"))
        commit(repo, "more words", README_dot_md="words")
        command(tmp_path / "home", "gate", "--repo", str(repo), "--base", "HEAD~1", "--json")
        assert len(server.requests) == CASES


def test_what_a_judge_has_said_counts_whatever_is_bounded(tmp_path: Path) -> None:
    def judged(body: Any, number: int = 0) -> str:
        return '{"reasoning": "fine", "score": 5}' if body["model"] == "j" else right(body)

    config = bounded("max: 60s").replace(
        "scorers: [exact_match]", "scorers: [exact_match, judge]\njudge: {{model: j, provider: standin}}"
    )
    with running(judged) as server:
        config = config.replace("  m: {{input", "  j: {{input: $1, output: $2}}\n  m: {{input")
        repo = make_app(tmp_path / "app", server.url, cases=CASES, config=config)
        asked = []
        for _ in range(2):
            said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
            asked.append([body["model"] for body in server.requests])
    assert said.json["spend"]["cached_calls"] > 0
    assert asked[0].count("j") == asked[1].count("j") > 0
    assert (asked[0].count("m"), asked[1].count("m")) == (2 * CASES, 4 * CASES)


def test_an_anchor_whose_latency_nobody_looks_at_is_not_asked_twice(tmp_path: Path) -> None:
    config = bounded("max: 60s") + "anchor: main\n"
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=CASES, config=config)
        command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        first = len(server.requests)
        shutil.rmtree(tmp_path / "home" / "baselines")  # its values are gone, its answers are not
        command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        assert (first, len(server.requests) - first) == (3 * CASES, 2 * CASES)
