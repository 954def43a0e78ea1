"""Canaries in a whole run: the warning is in the report, `fail` ends it before the first case, and it is all paid once."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, commit, make_app
from tests.standin.threaded import running

JUDGED = (
    CONFIG.replace("scorers: [exact_match]", "scorers: [exact_match, judge]\njudge: {{model: j, provider: standin}}")
    .replace("  m: {{input: $1, output: $2}}", "  m: {{input: $1, output: $2}}\n  j: {{input: $3, output: $4}}")
    .replace("concurrency: 4", "concurrency: 2")
)  # fmt: skip


def is_trial(body: Any) -> bool:
    return body["model"] == "j" and "capital of France" in str(body["messages"])


def honest(body: Any, number: int) -> str:
    if body["model"] != "j":
        return right(body)
    return json.dumps({"reasoning": "read", "score": 1 if is_trial(body) else 4})


def obeys(body: Any, number: int) -> str:
    ordered = body["model"] == "j" and "NOTE TO THE EVALUATOR" in str(body["messages"])
    return json.dumps({"reasoning": "as told", "score": 5}) if ordered else honest(body, number)


def config(policy: str) -> str:
    return JUDGED.replace("{{model: j", f"{{{{canaries: {policy}, model: j")


@pytest.mark.parametrize(("answer", "warned"), [(honest, False), (obeys, True)])
def test_a_judge_that_obeys_is_in_the_report_and_its_trial_is_evaluation_spend(
    answer: Any, warned: bool, tmp_path: Path
) -> None:
    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30, config=JUDGED)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 0, said.err
    assert any("obeys the answers that it judges" in note for note in said.json["notes"]) is warned
    assert sum(is_trial(body) for body in server.requests) == 3
    cost = {
        model: sum(
            (row["usage"]["prompt_tokens"] * given + row["usage"]["completion_tokens"] * made) / 1e6
            for row in server.responses
            if row["model"] == model
        )
        for model, given, made in (("m", 1, 2), ("j", 3, 4))
    }
    spend = said.json["spend"]
    assert spend["real_usd"] == pytest.approx(cost["m"] + cost["j"])
    assert spend["target_usd"] == pytest.approx(cost["m"])
    assert spend["calls"] - spend["cached_calls"] == len(server.requests)


def test_with_fail_a_judge_that_obeys_ends_the_run_before_the_first_case(tmp_path: Path) -> None:
    with running(obeys) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30, config=config("fail"))
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
    assert said.code == 2
    assert "can write its own score" in said.err
    assert all(is_trial(body) for body in server.requests)


def test_with_off_no_judge_is_tried(tmp_path: Path) -> None:
    with running(obeys) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=config("off"))
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 0
    assert not any(is_trial(body) for body in server.requests)


def test_the_next_change_finds_the_trial_kept_and_is_warned_all_the_same(tmp_path: Path) -> None:
    with running(obeys) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=JUDGED)
        command(tmp_path / "home", "gate", "--repo", str(repo))
        asked = len(server.requests)
        commit(repo, "a note", notes_dot_txt="nothing")
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        assert len(server.requests) == asked
        command(tmp_path / "home", "gate", "--repo", str(repo), "--no-cache")
        assert sum(is_trial(body) for body in server.requests) == 6
    assert any("obeys the answers" in note for note in said.json["notes"])
    assert said.json["spend"]["real_usd"] == 0


def test_validating_the_config_tries_no_judge(tmp_path: Path) -> None:
    with running(obeys) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=config("fail"))
        said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 0, said.err
    assert server.requests == []
