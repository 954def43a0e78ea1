"""What takes many steps: an anchor, cases that only head has, and the nightly workflow among the examples."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.engines.batches import JUDGED, SUBMITTED, judging, scene, unlike
from tests.pipeline.commands import command
from tests.standin.app import CONFIG, PROMPT, commit, git

ROOT = Path(__file__).parents[2]


def test_an_anchor_comes_first_and_its_cost_is_told_at_the_end(tmp_path: Path) -> None:
    config = CONFIG + "anchor: v1.0.0\n"
    with scene(tmp_path, cases=10, config=config) as here:
        git(here.repo, "switch", "--quiet", "main")
        commit(here.repo, "release", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="released"))
        git(here.repo, "tag", "v1.0.0")
        commit(here.repo, "next", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="good"))
        git(here.repo, "switch", "--quiet", "--force-create", "change")
        commit(here.repo, "change", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="other"))
        said = here.until_done()
        assert said.code == 0, said.err
        systems = [
            {line["body"]["messages"][0]["content"] for line in batch.requests} for batch in here.api.batches.values()
        ]
        assert systems == [{"released"}, {"good", "other"}]
        assert unlike(said.json, here.alone().json) == []
        assert said.json["spend"]["total_usd"] == pytest.approx(here.charged_usd())
        assert said.json["spend"]["calls"] == 30


def test_the_budget_holds_for_the_anchor_and_the_run_together(tmp_path: Path) -> None:
    with scene(tmp_path, cases=10, config=CONFIG + "anchor: main\nbudget: {{max_calls: 19}}\n") as here:
        commit(here.repo, "more", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="other still"))
        assert here.gate().code == SUBMITTED
        here.api.finish()
        for _ in range(2):
            said = here.gate()
            assert said.code == 3
            assert "10 calls would pass the budget of 19 calls (10 made)" in said.err


def test_cases_that_only_head_has_are_answered_too(tmp_path: Path) -> None:
    with scene(tmp_path, judging, cases=10, config=JUDGED) as here:
        golden = (here.repo / "evals" / "golden.jsonl").read_text("utf-8")
        added = '{"id": "new", "input": "질문 99", "expected": "답 99"}\n'
        commit(here.repo, "a case more", evals__golden_dot_jsonl=golden + added)
        said = here.until_done()
        assert said.code == 0, said.err
        assert unlike(said.json, here.alone().json) == []
        assert [case["id"] for case in said.json["cases"] if not case["gated"]] == ["new"]


def test_a_batch_that_nobody_will_collect_is_named_once(tmp_path: Path) -> None:
    with scene(tmp_path, cases=10) as here:
        assert here.gate().code == SUBMITTED
        commit(here.repo, "head moves on", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="newer"))
        said = here.gate()
        assert "what is at head changed since" in said.err
        assert "cancel batch_1 at the provider" in said.err
        assert "cancel" not in here.gate().err
        here.api.finish()
        local = command(here.home, "gate", "--repo", str(here.repo), "--json")
        assert local.code == 0
        assert "but `engine:` changed since" in local.err
        assert "cancel batch_2 at the provider" in local.err


def test_validate_estimates_half_the_price(tmp_path: Path) -> None:
    with scene(tmp_path, cases=10) as here:
        estimates = []
        for engine in ("local", "batch"):
            commit(
                here.repo,
                engine,
                **{"llm-eval-gate_dot_yml": CONFIG.format(url=here.server.url) + f"engine: {engine}\n"},
            )
            said = command(here.home, "validate", "--repo", str(here.repo))
            assert said.code == 0, said.err
            [line] = [line for line in said.out.splitlines() if "$" in line]
            estimates.append(float(line.partition("$")[2].split()[0].rstrip(".,;")))
        assert estimates[1] == pytest.approx(estimates[0] / 2, abs=0.0002)


def test_the_nightly_workflow_goes_from_step_to_step_with_the_commits_it_began_with(tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / "examples" / "workflows" / "nightly-batch.yml").read_text("utf-8"))
    [step] = [step for step in workflow["jobs"]["gate"]["steps"] if step.get("id") == "gate"]
    begin, go_on = (entry["cron"] for entry in workflow[True]["schedule"])

    with scene(tmp_path, cases=6) as here:
        git(here.repo, "tag", "--annotate", "--message", "one", "v1.0.0", "main")

        def job(schedule: str) -> "subprocess.CompletedProcess[str]":
            environ = {
                **os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
                "LLM_EVAL_GATE_HOME": str(here.home), "STANDIN_KEY": "k-secret", "SCHEDULE": schedule,
            }  # fmt: skip
            words = ["bash", "-e", "-c", step["run"]]
            return subprocess.run(words, cwd=here.repo, env=environ, capture_output=True, text=True, check=False)

        assert "nothing is under way" in job(go_on).stdout
        assert here.api.seen == []
        first = job(begin)
        assert first.returncode == 0, first.stderr
        assert "12 requests are sent" in first.stderr
        # The branch moves on; the run does not.
        commit(here.repo, "meanwhile", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="newer"))
        assert "is in_progress" in job(go_on).stderr
        here.api.finish()
        last = job(go_on)
        assert last.returncode == 0, last.stderr
        assert (here.repo / "report" / "result.json").is_file()
        assert len(here.api.batches) == 1
        assert "nothing is under way" in job(go_on).stdout


def test_a_nightly_job_that_is_run_again_can_keep_what_it_has_sent() -> None:
    workflow = yaml.safe_load((ROOT / "examples" / "workflows" / "nightly-batch.yml").read_text("utf-8"))
    [save] = [step for step in workflow["jobs"]["gate"]["steps"] if "cache/save" in step.get("uses", "")]
    # A cache is never written over: with one key for all attempts, a batch that the second one sent would be forgotten.
    assert "${{ github.run_attempt }}" in save["with"]["key"]
