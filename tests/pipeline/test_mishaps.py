"""What goes wrong outside the change under test is told as that, costs nothing twice and ends in no verdict."""

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.pipeline.commands import command, right, worse_at_head
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.provider import fault
from tests.standin.threaded import running


def judged() -> str:
    return CONFIG.replace(
        "scorers: [exact_match]", "scorers: [exact_match, judge]\njudge: {{model: j, provider: standin}}"
    ).replace("  m: {{input: $1, output: $2}}", "  m: {{input: $1, output: $2}}\n  j: {{input: $1, output: $2}}")


def test_a_judge_without_a_valid_key_is_an_infrastructure_error(tmp_path: Path) -> None:
    def answer(body: Any, number: int) -> web.StreamResponse | str:
        return fault(401, "no such key") if body["model"] == "j" else right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=4, config=judged())
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
    assert said.code == 3
    assert "check the key" in said.err


def test_an_outage_is_no_verdict_and_the_same_command_goes_on(tmp_path: Path) -> None:
    down = {"on": True}

    def answer(body: Any, number: int) -> web.StreamResponse | str:
        # Every tenth question is refused by the gateway in front of the model for as long as it is broken.
        broken = down["on"] and int(str(body["messages"][-1]["content"]).split()[-1]) % 10 == 0
        return fault(408, "upstream is slow", headers={"retry-after-ms": "1"}) if broken else right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=20)
        first = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        assert first.code == 3, first.err
        assert first.json["verdict"]["state"] == "error"
        down["on"] = False
        asked = len(server.requests)
        second = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        assert (second.code, second.json["verdict"]["state"]) == (0, "pass")
        assert len(server.requests) - asked == 4  # the two broken questions of each side, and nothing else


def test_a_budget_goes_on_where_it_was_and_a_raised_one_pays_nothing_again(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=20, config=CONFIG + "budget: {{max_calls: 10}}\n")
        for _ in range(3):
            said = command(tmp_path / "home", "gate", "--repo", str(repo))
            assert said.code == 3
            assert "of 10 calls" in said.err
            assert "is used up" in said.err
        assert 5 <= len(server.requests) <= 10
        git(repo, "switch", "--quiet", "main")
        raised = CONFIG.format(url=server.url) + "budget: {max_calls: 100}\n"
        commit(repo, "raise the budget", **{"llm-eval-gate_dot_yml": raised})
        git(repo, "switch", "--quiet", "change")
        git(repo, "merge", "--quiet", "main")
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
        assert said.code == 0
        assert len(server.requests) == 40, "each question of both sides was asked once in all"


def test_a_damaged_cache_or_an_unusable_folder_is_one_clear_message(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=3)
        home = tmp_path / "home"
        home.mkdir()
        (home / "answers-2.sqlite").write_bytes(b"not a database at all" * 100)
        said = command(home, "gate", "--repo", str(repo))
        assert said.code == 3
        assert "answers-2.sqlite" in said.err
        (tmp_path / "file").write_text("x")
        said = command(tmp_path / "file" / "home", "gate", "--repo", str(repo), cwd=tmp_path)
        assert said.code == 3
        assert "LLM_EVAL_GATE_HOME" in said.err


def test_one_ref_alone_with_nothing_to_hold_is_no_pass(tmp_path: Path) -> None:
    config = CONFIG.replace("  cost_per_request: {{max: $0.01}}\n", "")
    with running(lambda body, n: "wrong") as server:
        repo = make_app(tmp_path / "app", server.url, cases=3, config=config)
        said = command(tmp_path / "home", "run", "--repo", str(repo))
    assert said.code == 0
    assert "Inconclusive" in said.out
    assert "Nothing was judged" in said.out


def test_a_second_config_file_is_told(tmp_path: Path) -> None:
    with running(right) as server:
        text = CONFIG.format(url=server.url)
        repo = make_app(tmp_path / "app", server.url, cases=10)
        commit(repo, "second", **{"_dot_github__llm-eval-gate_dot_yml": text})
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        assert said.json["policy_changes"] == []  # the first one still rules
        repo = make_app(tmp_path / "app2", server.url, cases=10)
        (repo / ".github").mkdir()
        (repo / "llm-eval-gate.yml").rename(repo / ".github" / "llm-eval-gate.yml")
        commit(repo, "move")
        commit(repo, "a lenient one", **{"llm-eval-gate_dot_yml": text.replace("10%", "90%")})
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--base", "HEAD~1", "--head", "HEAD", "--json")
        [change] = said.json["policy_changes"]
        assert (change["path"], "another config file" in change["what"]) == ("llm-eval-gate.yml", True)


def test_an_added_case_with_a_new_label_moves_no_gated_figure(tmp_path: Path) -> None:
    config = CONFIG.replace("exact_match", "classification", 1).replace("exact_match:", "macro_f1:")
    figures: list[tuple[float, float]] = []
    for extra in ("", json.dumps({"id": "new", "input": "질문 1000", "expected": "zzz"}) + "\n"):
        with running(worse_at_head) as server:
            repo = make_app(tmp_path / f"app{len(figures)}", server.url, cases=20, config=config)
            golden = (repo / "evals" / "golden.jsonl").read_text("utf-8")
            if extra:
                commit(repo, "a new case", evals__golden_dot_jsonl=golden + extra)
            said = command(tmp_path / f"home{len(figures)}", "gate", "--repo", str(repo), "--json")
            [row] = [row for row in said.json["verdict"]["objectives"] if row["name"] == "macro_f1"]
            figures.append((row["base"], row["head"]))
    assert figures[0] == figures[1]


def test_a_scorer_that_fails_is_no_fault_of_the_app_and_says_what_it_said(tmp_path: Path) -> None:
    config = CONFIG.replace("scorers: [exact_match]", "scorers: [exact_match, {{python: evals/own.py:score}}]")
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=config)
        git(repo, "switch", "--quiet", "main")
        commit(repo, "own scorer", **{"evals__own_dot_py": "def score(case, output):\n    return case['expcted']\n"})
        git(repo, "switch", "--quiet", "change")
        git(repo, "merge", "--quiet", "main")
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert (said.code, said.json["verdict"]["state"]) == (3, "error")
    assert "expcted" in said.json["verdict"]["reason"]
    assert any("scorer python" in note and "10 times" in note for note in said.json["notes"])


def test_an_app_that_crashes_says_its_last_words_in_the_notes(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "target: {{prompt: prompts/answer.prompt.yml, provider: standin}}", "target: {{command: python3 app.py}}"
    )
    echo = (
        "import json, sys\nfor line in sys.stdin:\n    q = json.loads(line)\n"
        "    print(json.dumps({'id': q['id'], 'output': q['input'].replace('질문', '답')}), flush=True)\n"
    )
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=10, config=config)
    git(repo, "switch", "--quiet", "main")
    commit(repo, "app", app_dot_py=echo)
    git(repo, "switch", "--quiet", "change")
    git(repo, "merge", "--quiet", "main")
    commit(repo, "a typo", app_dot_py="import jsn\n" + echo)
    said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
    assert (said.code, said.json["verdict"]["state"]) == (1, "fail")
    assert any("No module named 'jsn'" in note for note in said.json["notes"])


def test_who_branches_off_before_the_rules_is_held_to_them_all_the_same(tmp_path: Path) -> None:
    with running(worse_at_head) as server:
        repo = make_app(tmp_path / "app", server.url, cases=40)
        git(repo, "switch", "--quiet", "--orphan", "first")
        commit(repo, "an app without rules", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="good"))
        git(repo, "switch", "--quiet", "main")
        git(repo, "merge", "--quiet", "--allow-unrelated-histories", "--strategy", "ours", "first")
        git(repo, "switch", "--quiet", "--create", "sly", "first")
        prompts = {"prompts__answer_dot_prompt_dot_yml": PROMPT.format(system="other")}
        lenient = CONFIG.format(url=server.url).replace("max_drop: 10%", "min: 0%")
        rows = json.dumps({"id": "c0", "input": "질문 0", "expected": "답 0"}) + "\n"
        commit(repo, "sly", evals__golden_dot_jsonl=rows, **prompts, **{"llm-eval-gate_dot_yml": lenient})
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--head", "sly", "--json")
    # Base's own prompt at that commit is another one, so quality is not the point: the rules are main's.
    assert said.json["config"]["from"] == "base"
    assert said.json["dataset"]["cases"] == 40
    assert said.json["verdict"]["objectives"][0]["bounds"][0]["kind"] == "max_drop"


def test_in_ci_a_config_that_nobody_merged_chooses_no_address_for_a_key(tmp_path: Path) -> None:
    with running(right) as server:
        repo = tmp_path / "app"
        repo.mkdir()
        git(repo, "init", "--quiet", "--initial-branch=main")
        commit(repo, "app", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="good"))
        git(repo, "switch", "--quiet", "--create", "gate")
        rows = json.dumps({"id": "c0", "input": "질문 0", "expected": "답 0"}) + "\n"
        config = {"llm-eval-gate_dot_yml": CONFIG.format(url=server.url)}
        commit(repo, "introduce the gate", evals__golden_dot_jsonl=rows, **config)
        said = command(tmp_path / "home", "gate", "--repo", str(repo), CI="true")
        assert (said.code, server.requests) == (2, [])
    assert "merge the config first" in said.err


def test_nothing_of_a_change_or_a_provider_is_obeyed_by_the_log(tmp_path: Path) -> None:
    nasty = "x\n::error file=a::pwned\x1b[2J\n##[error]y"
    with running(lambda body, n: fault(401, nasty + "k-secret" * 60)) as server:
        repo = make_app(tmp_path / "app", server.url, cases=2)
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
    assert said.code == 3
    assert "\x1b" not in said.err
    assert "k-sec" not in said.err
    assert not [line for line in said.err.splitlines() if line.lstrip().startswith("::") or "##[" in line]
