"""What need not be asked again, end to end: pooled baselines and the anchor."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.retry import RetryPolicy
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.provider import fault
from tests.standin.replies import Reply
from tests.standin.threaded import running

SEQUENTIAL = CONFIG.replace("early_stop: false\nmax_repeats: 1\n", "")


def wrong_for(*prompts: str, every: int) -> Any:
    """Answers wrongly in one case of so many where the system prompt is one of these."""

    def answer(body: Any, number: int = 0) -> str:
        question = int(str(body["messages"][-1]["content"]).split()[-1])
        return "?" if body["messages"][0]["content"] in prompts and question % every == 0 else right(body)

    return answer


def edit_prompt(repo: Path, system: str) -> None:
    commit(repo, f"prompt {system}", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system=system))


def test_a_base_that_was_run_alone_is_not_asked_again_and_its_answers_are_shown(tmp_path: Path) -> None:
    with running(wrong_for("other", every=2)) as server:
        repo = make_app(tmp_path / "app", server.url, cases=60, config=SEQUENTIAL)
        words = ("--repo", str(repo), "--json")
        alone = command(tmp_path / "home", "run", *words, "--ref", "main", "--repeats", "2", "--no-cache")
        # No absolute bound but cost's: the run itself passes, and is kept.
        assert alone.code == 0, alone.err
        assert len(server.requests) == 120
        said = command(tmp_path / "home", "gate", *words)
        asked = [body["messages"][0]["content"] for body in server.requests[120:]]
    assert set(asked) == {"other"}
    assert said.code == 1
    assert any("base was not asked again" in note for note in said.json["notes"])
    worst = said.json["cases"][0]
    assert (worst["base"]["text"], worst["head"]["text"]) == (worst["expected"], "?")
    assert said.json["spend"]["real_usd"] < said.json["spend"]["total_usd"]


def test_another_golden_set_rubric_or_prompt_is_another_content(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30)
        command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "main", "--no-cache")
        git(repo, "switch", "--quiet", "main")
        rows = [json.dumps({"id": f"c{n}", "input": f"질문 {n}", "expected": f"답 {n}"}) + "\n" for n in range(31)]
        commit(repo, "one more case", evals__golden_dot_jsonl="".join(rows))
        git(repo, "switch", "--quiet", "change")
        git(repo, "rebase", "--quiet", "main")
        asked = len(server.requests)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", "--no-merge-base")
        assert not any("not asked again" in note for note in said.json["notes"])
        assert {body["messages"][0]["content"] for body in server.requests[asked:]} == {"good", "other"}


def test_progress_expects_as_many_answers_as_there_will_be(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30, config=CONFIG)
        for words, told in (
            (("run", "--ref", "main", "--repeats", "2", "--no-cache"), "head: 60/60 answers"),
            (("gate",), "head: 30/30 answers"),  # base is known
        ):
            said = command(tmp_path / "home", *words, "--repo", str(repo), "--json", CI="true")
            assert said.err.startswith(told), said.err


@pytest.mark.parametrize("why", ["pool: 0", "latency", "no-cache"])
def test_base_is_asked_where_the_config_or_the_command_wants_it_or_latencies_are_compared(
    tmp_path: Path, why: str
) -> None:
    config = CONFIG + ("baseline: {{pool: 0}}\n" if why == "pool: 0" else "")
    if why == "latency":
        config = config.replace("objectives:\n", "objectives:\n  latency_p50: {{max_increase: 900%}}\n")
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30, config=config)
        command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "main", "--no-cache")
        words = ["--no-cache"] if why == "no-cache" else []
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", *words)
    assert not any("not asked again" in note for note in said.json["notes"])


def test_slow_rot_fails_against_the_last_release_while_every_step_passes(tmp_path: Path) -> None:
    config = SEQUENTIAL.replace("concurrency: 4", "anchor: last-release\nconcurrency: 4")

    def answer(body: Any, number: int = 0) -> str:
        """Each version loses 4 % more of the cases."""
        version = int(str(body["messages"][0]["content"]).removeprefix("v"))
        question = int(str(body["messages"][-1]["content"]).split()[-1])
        return "?" if question % 25 < version else right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=150, config=config)
        git(repo, "switch", "--quiet", "main")
        edit_prompt(repo, "v0")
        git(repo, "tag", "v1.0.0")
        states = []
        for version in (1, 2, 3):
            git(repo, "switch", "--quiet", "--create", f"step-{version}")
            edit_prompt(repo, f"v{version}")
            said = command(tmp_path / "home", "gate", "--repo", str(repo), "--head", f"step-{version}", "--json")
            rows = {row["name"]: row["state"] for row in said.json["verdict"]["objectives"]}
            states.append((rows["exact_match"], rows["exact_match_vs_anchor"], said.code))
            git(repo, "switch", "--quiet", "main")
            git(repo, "merge", "--quiet", f"step-{version}")
        releases = sum(body["messages"][0]["content"] == "v0" for body in server.requests)
    assert [state[0] for state in states] == ["pass", "pass", "pass"]
    assert states[0][1:] == ("pass", 0)
    assert states[2][1:] == ("fail", 1)
    assert any("compare with v1.0.0" in note for note in said.json["notes"])
    # The release was asked as the anchor (up to 3 repeats), and as base of the first step: never again after that.
    assert releases <= 3 * 150


def test_without_a_release_the_report_says_so_and_a_wrong_ref_is_an_error(tmp_path: Path) -> None:
    with running(right) as server:
        for ref, code in (("last-release", 0), ("v9.9", 2)):
            config = CONFIG + f"anchor: {ref}\n"
            repo = make_app(tmp_path / ref, server.url, cases=30, config=config)
            said = command(tmp_path / "home", "gate", "--repo", str(repo), *(["--json"] if code == 0 else []))
            assert said.code == code, said.err
            if code == 0:
                assert any("no release yet" in note for note in said.json["notes"])
            else:
                assert "llm-eval-gate.yml:" in said.err
                assert "v9.9" in said.err


def test_the_budget_holds_for_the_anchor_too(tmp_path: Path) -> None:
    with running(right) as server:
        config = CONFIG + "anchor: main\nbudget: {{max_calls: 70}}\n"
        repo = make_app(tmp_path / "app", server.url, cases=30, config=config)
        git(repo, "switch", "--quiet", "main")
        git(repo, "tag", "v1.0")
        edit_prompt(repo, "good2")
        git(repo, "switch", "--quiet", "change")
        edit_prompt(repo, "good3")
        config = config.replace("anchor: main", "anchor: v1.0")
        git(repo, "switch", "--quiet", "main")
        commit(repo, "anchor", **{"llm-eval-gate_dot_yml": config.format(url=server.url)})
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--head", "change", "--no-merge-base")
        assert len(server.requests) <= 70
    assert said.code == 3
    assert "budget" in said.err


def test_an_anchor_that_is_asked_again_after_an_outage_is_charged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluator.gateway.gateway.RetryPolicy", lambda: RetryPolicy(attempts=1))
    broken = True

    def answer(body: Any, number: int = 0) -> Any:
        question = int(str(body["messages"][-1]["content"]).split()[-1])
        return fault(500) if broken and question % 10 == 0 else right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30, config=CONFIG + "anchor: v1.0\n")
        git(repo, "switch", "--quiet", "main")
        edit_prompt(repo, "released")
        git(repo, "tag", "v1.0")
        edit_prompt(repo, "next")
        git(repo, "switch", "--quiet", "--create", "step")
        edit_prompt(repo, "step")
        words = ("gate", "--repo", str(repo), "--head", "step", "--json")
        for _ in range(2):
            said = command(tmp_path / "home", *words)
            assert said.code == 3
            assert "the anchor has no values" in said.err
        broken = False
        said = command(tmp_path / "home", *words)
        assert said.code == 0, said.err
        assert len(server.requests) == 30 + 3 + 3 + 60
    assert said.json["estimate"]["spent_calls"] == len(server.requests)
    assert said.json["spend"]["calls"] == len(server.requests)


def test_validate_tells_the_smallest_visible_drop_by_the_noise_that_noise_has_measured(tmp_path: Path) -> None:
    def flaky(body: Any, number: int = 0) -> str:
        return "?" if number % 9 == 0 else right(body)

    with running(flaky) as server:
        repo = make_app(tmp_path / "app", server.url, cases=40, config=SEQUENTIAL)
        before = command(tmp_path / "home", "validate", "--repo", str(repo))
        noise = command(tmp_path / "home", "noise", "--repo", str(repo), "--ref", "change", "--repeats", "3")
        after = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert (before.code, noise.code, after.code) == (0, 0, 0)
    assert "assumes common noise" in before.out
    assert "by the noise of 1 earlier run" in after.out
    assert _seen(before.out) != _seen(after.out)


def _seen(said: str) -> str:
    return next(line for line in said.splitlines() if line.startswith("exact_match: with"))


def test_what_base_may_have_cost_at_most_hides_no_dearer_head(tmp_path: Path) -> None:
    def answer(body: Any, number: int = 0) -> Reply:
        every_tenth = int(str(body["messages"][-1]["content"]).split()[-1]) % 10 == 0
        return Reply(right(body), tells_usage=not (every_tenth and body["messages"][0]["content"] == "good"))

    config = CONFIG.replace("{{max: $0.01}}", "{{max_increase: 10%}}")
    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=60, config=config)
        edit_prompt(repo, "a prompt that is longer than base's, by some tokens")
        words = ("--repo", str(repo), "--json")
        command(tmp_path / "home", "run", *words, "--ref", "main", "--no-cache")
        said = command(tmp_path / "home", "gate", *words)
    assert any("base was not asked again" in note for note in said.json["notes"])
    cost = next(row for row in said.json["verdict"]["objectives"] if row["name"] == "cost_per_request")
    assert (cost["state"], cost["pairs"]) == ("fail", 54), cost
