"""`gate` end to end: a real git repository, a real HTTP provider, a verdict."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.report.document import load
from tests.pipeline.commands import command, right, worse_at_head
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.provider import fault
from tests.standin.threaded import running


def test_a_harmless_change_passes_and_a_regression_fails(tmp_path: Path) -> None:
    for answer, code, state in ((right, 0, "pass"), (worse_at_head, 1, "fail")):
        with running(answer) as server:
            repo = make_app(tmp_path / state, server.url, cases=60)
            said = command(tmp_path / f"home-{state}", "gate", "--repo", str(repo), "--json")
        assert (said.code, said.json["verdict"]["state"]) == (code, state), said.out
        assert len(server.requests) == 120


def test_a_clear_case_is_decided_early_and_a_close_one_is_asked_again(tmp_path: Path) -> None:
    sequential = CONFIG.replace("early_stop: false\nmax_repeats: 1\n", "")

    def close(body: Any, number: int) -> str:
        """Head is wrong in one case of ten: beyond 5 %, but not clearly."""
        head, question = "other" in str(body["messages"][0]), int(str(body["messages"][-1]["content"]).split()[-1])
        return "모르겠습니다" if head and question % 14 == 0 else right(body)

    asked = {}
    for name, answer in (("clear", right), ("close", close)):
        with running(answer) as server:
            config = sequential.replace("max_drop: 10%", "max_drop: 5%")
            repo = make_app(tmp_path / name, server.url, cases=100, config=config)
            said = command(tmp_path / f"home-{name}", "gate", "--repo", str(repo), "--json")
            asked[name] = len(server.requests)
            assert said.code == 0, said.err
    assert asked["clear"] < 200 < asked["close"]
    assert said.json["repeats"] > 1


def test_the_report_shows_what_got_worse(tmp_path: Path) -> None:
    with running(worse_at_head) as server:
        repo = make_app(tmp_path / "app", server.url)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--out", str(tmp_path / "out"))
    assert said.code == 1
    assert "exact_match" in said.out
    document = load((tmp_path / "out" / "result.json").read_text("utf-8"))
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "result.json", "comment.md", "report.html", "junit.xml", "metrics.json", "base.scores.jsonl", "head.scores.jsonl"
    }  # fmt: skip
    worst = document.cases[0]
    assert worst.change == "regressed"
    assert (worst.base and worst.base.text, worst.head and worst.head.text) == (worst.expected, "모르겠습니다")
    assert [part.tag for part in document.slices] == ["t0", "t1"]
    assert document.spend.calls == 80
    assert document.spend.total_usd == pytest.approx(
        sum((row["usage"]["prompt_tokens"] + 2 * row["usage"]["completion_tokens"]) / 1e6 for row in server.responses)
    )


def test_nothing_is_written_into_the_users_checkout(tmp_path: Path) -> None:
    def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=8)
        (repo / "prompts" / "answer.prompt.yml").write_text(PROMPT.format(system="uncommitted"), "utf-8")
        before = snapshot(repo)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--base", "HEAD", "--head", "WORKTREE", "--json")
        assert said.code == 0, said.err
    assert snapshot(repo) == before
    assert said.json["head"]["dirty"] is True
    assert any("uncommitted" in str(body["messages"][0]) for body in server.requests)


def test_a_second_gate_on_the_same_refs_asks_nothing_again_and_says_the_same(tmp_path: Path) -> None:
    with running(worse_at_head) as server:
        repo = make_app(tmp_path / "app", server.url)
        first = command(tmp_path / "home", "gate", "--repo", str(repo), "--json").json
        asked = len(server.requests)
        second = command(tmp_path / "home", "gate", "--repo", str(repo), "--json").json
        assert len(server.requests) == asked
        third = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", "--no-cache").json
        assert len(server.requests) == 2 * asked
    assert first["verdict"] == second["verdict"]
    assert second["spend"]["real_usd"] == 0
    assert second["spend"]["total_usd"] == first["spend"]["total_usd"] == third["spend"]["real_usd"]


def test_the_head_cannot_move_its_own_bar(tmp_path: Path) -> None:
    with running(worse_at_head) as server:
        repo = make_app(tmp_path / "app", server.url)
        lenient = CONFIG.format(url=server.url).replace("max_drop: 10%", "max_drop: 99%")
        rows = [json.dumps({"id": f"c{n}", "input": f"질문 {n}", "expected": "모르겠습니다"}) for n in range(40)]
        commit(repo, "lower the bar", evals__golden_dot_jsonl="\n".join(rows), **{"llm-eval-gate_dot_yml": lenient})
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 1
    changes = {change["path"]: change["what"] for change in said.json["policy_changes"]}
    assert set(changes) == {"llm-eval-gate.yml", "evals/golden.jsonl"}
    assert changes["llm-eval-gate.yml"] == "the config file is edited: exact_match.max_drop 10% → 99%"


def test_cases_that_head_adds_are_reported_and_not_gated(tmp_path: Path) -> None:
    with running(lambda body, n: "wrong" if "new" in str(body) else right(body)) as server:
        repo = make_app(tmp_path / "app", server.url, cases=30)
        golden = (repo / "evals" / "golden.jsonl").read_text("utf-8")
        added = "".join(json.dumps({"id": f"n{n}", "input": f"new {n}", "expected": "x"}) + "\n" for n in range(30))
        commit(repo, "more cases", evals__golden_dot_jsonl=golden + added)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 0
    found = said.json
    assert found["dataset"]["cases"] == 30
    assert sum(not case["gated"] for case in found["cases"]) == 30
    assert found["verdict"]["objectives"][0]["pairs"] == 30


def test_the_change_that_introduces_the_gate_is_ruled_by_itself_and_says_so(tmp_path: Path) -> None:
    with running(right) as server:
        repo = tmp_path / "app"
        repo.mkdir()
        git(repo, "init", "--quiet", "--initial-branch=main")
        commit(repo, "app", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="good"))
        git(repo, "switch", "--quiet", "--create", "gate")
        rows = "".join(
            json.dumps({"id": str(n), "input": f"질문 {n}", "expected": f"답 {n}"}) + "\n" for n in range(20)
        )
        config = {"llm-eval-gate_dot_yml": CONFIG.format(url=server.url)}
        commit(repo, "introduce the gate", evals__golden_dot_jsonl=rows, **config)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert said.code == 0, said.err
    assert said.json["config"]["from"] == "head"
    assert any("base has no config" in note for note in said.json["notes"])


def test_a_dead_provider_is_an_infrastructure_error_and_never_a_score(tmp_path: Path) -> None:
    with running(lambda body, n: fault(401, "bad key k-secret")) as server:
        repo = make_app(tmp_path / "app", server.url, cases=5)
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
    assert said.code == 3
    assert "check the key" in said.err
    assert "k-secret" not in said.err + said.out


def test_what_head_fails_to_answer_counts_as_error_and_as_wrong(tmp_path: Path) -> None:
    def refuses(body: object, number: int) -> object:
        head = "other" in str(body["messages"][0])  # type: ignore[index]
        question = int(str(body["messages"][-1]["content"]).split()[-1])  # type: ignore[index]
        return fault(400, "unsupported") if head and question % 4 == 0 else right(body)

    with running(refuses) as server:  # type: ignore[arg-type]
        repo = make_app(tmp_path / "app", server.url, cases=80)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    states = {row["name"]: row["state"] for row in said.json["verdict"]["objectives"]}
    assert (said.code, states["error_rate"]) == (1, "fail")
    [match] = [row for row in said.json["verdict"]["objectives"] if row["name"] == "exact_match"]
    assert match["head"] == 0.75  # no answer is no right answer: failing on the hard cases must not pay
    assert match["pairs"] == 80


def test_the_budget_ends_the_run_without_a_verdict(tmp_path: Path) -> None:
    with running(right) as server:
        config = CONFIG + "budget: {{max_usd: $0.001}}\n"
        repo = make_app(tmp_path / "app", server.url, config=config)
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
    assert said.code == 3
    assert "share of the budget: the next call could cost" in said.err
    assert "would have been needed for one answer a case" in said.err
    spent = sum((r["usage"]["prompt_tokens"] + 2 * r["usage"]["completion_tokens"]) / 1e6 for r in server.responses)
    assert spent <= 0.001


def test_one_ref_alone_is_held_against_the_absolute_bounds(tmp_path: Path) -> None:
    config = CONFIG.replace("{{max_drop: 10%}}", "{{min: 90%, max_drop: 10%}}")
    with running(worse_at_head) as server:
        repo = make_app(tmp_path / "app", server.url, config=config)
        good = command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "main", "--json")
        bad = command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "change", "--json")
    assert (good.code, bad.code) == (0, 1)
    assert good.json["base"] is None


def test_two_runs_are_compared_without_a_call(tmp_path: Path) -> None:
    with running(worse_at_head) as server:
        repo = make_app(tmp_path / "app", server.url)
        for ref in ("main", "change"):
            command(tmp_path / "home", "run", "--repo", str(repo), "--ref", ref, "--out", str(tmp_path / ref))
        gated = command(tmp_path / "home", "gate", "--repo", str(repo), "--json").json
        asked = len(server.requests)
        bounds = tmp_path / "bounds.yml"
        bounds.write_text("objectives: {exact_match: {max_drop: 10%}}\n")
        words = ["compare", str(tmp_path / "main"), str(tmp_path / "change"), "--config", str(bounds), "--json"]
        said = command(tmp_path / "home", *words)
        assert len(server.requests) == asked
    assert said.code == 1
    [row] = said.json["verdict"]["objectives"]
    expected = gated["verdict"]["objectives"][0]
    assert (row["base"], row["head"], row["change"]) == (expected["base"], expected["head"], expected["change"])


def test_noise_finds_the_flaky_cases_and_how_often_the_judge_disagrees_with_itself(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "scorers: [exact_match]", "scorers: [exact_match, judge]\njudge: {{model: j, provider: standin}}"
    ).replace("  m: {{input: $1, output: $2}}", "  m: {{input: $1, output: $2}}\n  j: {{input: $1, output: $2}}")

    def answer(body: Any, number: int) -> str:
        if body["model"] == "j":
            return json.dumps({"reasoning": "", "score": 4 if number % 2 else 5})
        question = int(str(body["messages"][-1]["content"]).split()[-1])
        return "?" if question in (3, 7) and number % 2 else right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=20, config=config)
        words = ["noise", "--repo", str(repo), "--ref", "main", "--repeats", "4"]
        said = command(tmp_path / "home", *words)
        found = command(tmp_path / "home", *words, "--json").json
    assert said.code == 0, said.err
    [match] = [row for row in found["metrics"] if row["metric"]["name"] == "exact_match"]
    assert set(match["flaky"]) <= {"c3", "c7"}
    assert match["cases"] == 20
    [judge] = found["judges"]
    assert judge["answers"] == 20
    assert 0 <= judge["agreed"] <= 20
    assert "a drop of" in said.out
