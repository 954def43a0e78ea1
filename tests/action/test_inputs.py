"""Each input of the action does what it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.action.scene import NAME, NUMBER, scene
from tests.pipeline.commands import right, worse_at_head
from tests.standin.app import CONFIG, commit, git

HOME = {"repository": {"full_name": NAME, "default_branch": "main"}, "sender": {"login": "ann"}}
SEQUENTIAL = CONFIG.replace("early_stop: false\nmax_repeats: 1\n", "")


def test_fail_on_says_what_turns_the_job_red(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        codes = {word: found.run(inputs={"fail-on": word}).code for word in ("regression", "threshold", "never")}
        ran = found.run(inputs={"fail-on": "never", "check-run": "true"})
        conclusions = [check.fields["conclusion"] for check in found.repository.check_runs.values()]
    assert codes == {"regression": 1, "threshold": 0, "never": 0}
    assert (ran.outputs["verdict"], ran.outputs["passed"]) == ("fail", "true")
    assert conclusions == ["neutral"]


def test_comment_modes_and_keys(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        for mode, comments in (("off", 0), ("on-failure", 1), ("always", 1)):
            found.run(inputs={"comment-mode": mode})
            assert len(found.comments()) == comments
        found.run(inputs={"comment-key": "second"})
        assert len(found.comments()) == 2
    with scene(tmp_path / "good") as found:
        for mode, comments in (("on-failure", 0), ("on-change", 0), ("always", 1)):
            found.run(inputs={"comment-mode": mode})
            assert len(found.comments()) == comments


def test_show_outputs_false_leaves_numbers_and_ids(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        ran = found.run(inputs={"show-outputs": "false", "report-path": "out/report"})
        [body] = found.comments()
    assert ran.code == 1
    texts = [body, ran.summary, *(file.read_text("utf-8") for file in ran.report.iterdir())]
    assert not any(secret in text for text in texts for secret in ("모르겠습니다", "질문", "답 1"))
    assert "c1" in body
    assert ran.outputs["report-path"] == "out/report"


def test_job_summary_false_writes_none(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        assert found.run(inputs={"job-summary": "false"}).summary == ""


def test_money_cases_repeats_and_time_are_capped_from_outside(tmp_path: Path) -> None:
    with scene(tmp_path, config=SEQUENTIAL, cases=100) as found:
        few = found.run(inputs={"max-cases": "20", "repeat": "1", "max-concurrency": "2"})
        assert few.code == 0, few.log
        assert len(found.provider.requests) == 40
        assert found.provider.most_in_flight <= 4
        assert few.result["dataset"]["cases"] == 20
        poor = found.run(inputs={"max-cost-usd": "$0.0001"})
        assert poor.code == 3
        assert "share of the budget" in poor.summary

    async def slow(body: Any, number: int) -> str:
        import asyncio

        await asyncio.sleep(5)
        return right(body)

    with scene(tmp_path / "slow", slow) as found:
        late = found.run(inputs={"timeout-minutes": "2s"})
    assert late.code == 3
    assert "before there was a verdict" in late.summary


def test_another_config_dataset_folder_and_ref_of_rules(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        git(found.clone, "switch", "--quiet", "main")
        strict = (found.clone / "llm-eval-gate.yml").read_text("utf-8")
        rows = [{"id": f"d{n}", "input": f"질문 {2 * n}", "expected": f"답 {2 * n}"} for n in range(30)]
        golden = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        commit(
            found.clone, "more rules", quality__gate_dot_yml=strict.replace("max_drop: 10%", "max_drop: 90%"),
            evals__even_dot_jsonl=golden,
        )  # fmt: skip
        git(found.clone, "switch", "--quiet", "--create", "rules")
        commit(found.clone, "lenient", **{"llm-eval-gate_dot_yml": strict.replace("max_drop: 10%", "max_drop: 80%")})
        git(found.clone, "switch", "--quiet", "change")
        found.publish()
        found.server.push(NAME, found.clone, "+rules:refs/heads/rules")
        assert found.run().code == 1
        other = found.run(inputs={"config-file": "quality/gate.yml"})
        assert (other.code, other.result["config"]["path"]) == (0, "quality/gate.yml")
        even = found.run(inputs={"dataset-path": "evals/even.jsonl"})
        assert (even.code, even.result["dataset"]["cases"]) == (0, 30)
        ruled = found.run(inputs={"config-ref": "rules"})
        assert ruled.code == 0, ruled.log
        assert any("`config-ref`" in note for note in ruled.result["notes"])


def test_an_app_in_a_folder_of_its_own(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        for branch in ("main", "change"):
            git(found.clone, "switch", "--quiet", branch)
            (found.clone / "apps" / "한글 app").mkdir(parents=True)
            for name in ("llm-eval-gate.yml", "evals", "prompts"):
                git(found.clone, "mv", name, f"apps/한글 app/{name}")
            commit(found.clone, "moved")
        found.publish()
        ran = found.run(inputs={"working-directory": "apps/한글 app"})
        assert ran.code == 1, ran.log
        assert "file=apps/한글 app/prompts/answer.prompt.yml" in ran.log
        missing = found.run(inputs={"working-directory": "apps/none"})
    assert missing.code == 2
    assert "has no folder" in missing.summary


def test_the_judge_and_the_provider_can_be_named_by_the_workflow(tmp_path: Path) -> None:
    config = CONFIG.replace("provider: standin", "model: m").replace(
        "scorers: [exact_match]", "scorers: [exact_match, judge]\njudge: {{model: small, provider: openai}}"
    )
    config = config.replace(
        "  m: {{input", "  small: {{input: $1, output: $1}}\n  large: {{input: $1, output: $1}}\n  m: {{input"
    )

    def answer(body: Any, number: int) -> str:
        if body["model"] in ("small", "large"):
            return json.dumps({"reasoning": "", "score": 5})
        return right(body)

    with scene(tmp_path, answer, config=config, cases=20) as found:
        inputs = {"judge-model": "large", "api-key": "sk-from-input", "base-url": found.provider.url}
        ran = found.run(inputs=inputs)
        assert ran.code == 0, ran.log
        assert {body["model"] for body in found.provider.requests} == {"m", "large"}
        assert set(found.provider.keys) == {"Bearer sk-from-input"}


def test_names_let_through_reach_the_app_and_nothing_else_does(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "target: {{prompt: prompts/answer.prompt.yml, provider: standin}}",
        "target: {{command: [python3, app.py]}}",
    ).replace("  cost_per_request: {{max: $0.01}}\n", "")
    program = """\
import json, os, sys
for line in sys.stdin:
    question = json.loads(line)
    seen = " ".join(sorted(os.environ))
    print(json.dumps({"id": question["id"], "output": seen}), flush=True)
"""
    with scene(tmp_path, config=config, cases=10) as found:
        for branch in ("main", "change"):
            git(found.clone, "switch", "--quiet", branch)
            commit(found.clone, "app", app_dot_py=program)
        found.publish()
        ran = found.run(inputs={"app-env": "FLAG_A, FLAG_B"}, FLAG_A="1", FLAG_B="2", OTHER="3")
        shown = ran.result["cases"][0]["head"]["text"].split()
    assert {"FLAG_A", "FLAG_B", "PATH"} <= set(shown)
    assert not [name for name in shown if name.startswith(("INPUT_", "GITHUB_", "STANDIN_KEY", "OTHER"))]


def test_an_inconclusive_verdict_does_what_the_workflow_says(tmp_path: Path) -> None:
    def close(body: Any, number: int) -> str:
        head, question = "other" in str(body["messages"][0]), int(str(body["messages"][-1]["content"]).split()[-1])
        return "?" if head and question < 3 else right(body)

    config = CONFIG.replace("max_drop: 10%", "max_drop: 5%")
    with scene(tmp_path, close, config=config, cases=30) as found:
        found_codes = {
            word: found.run(inputs={"on-inconclusive": word, "check-run": "true"}).code
            for word in ("warn", "pass", "fail")
        }
        conclusions = [check.fields["conclusion"] for check in found.repository.check_runs.values()]
    assert found_codes == {"warn": 0, "pass": 0, "fail": 1}
    assert conclusions == ["neutral", "success", "failure"]


@pytest.mark.parametrize(
    ("when", "pull", "evaluated"),
    [
        ("paths: ['prompts/**']", {}, True),
        ("drafts: false", {"draft": True}, False),
        ("drafts: false", {"draft": False}, True),
        ("labels: [run-eval]", {"labels": [{"name": "run-eval"}]}, True),
        ("labels: [run-eval]", {}, False),
        ("skip_labels: [no-eval]", {"labels": [{"name": "no-eval"}]}, False),
    ],
)
def test_what_the_config_leaves_out_passes_and_says_why(
    tmp_path: Path, when: str, pull: dict[str, Any], evaluated: bool
) -> None:
    with scene(tmp_path, worse_at_head, config=CONFIG + f"when: {{{{{when}}}}}\n") as found:
        found.repository.pulls[NUMBER].draft = pull.get("draft", False)
        found.repository.pulls[NUMBER].labels = [label["name"] for label in pull.get("labels", ())]
        ran = found.run(payload=found.pull_payload(**pull), inputs={"check-run": "true"})
        [check] = found.repository.check_runs.values()
        assert len(found.comments()) == (1 if evaluated else 0)
    if evaluated:
        assert ran.code == 1
    else:
        assert (ran.code, ran.outputs["verdict"], ran.outputs["passed"]) == (0, "skipped", "true")
        assert "Not evaluated" in ran.summary
        assert "when." in ran.summary
        assert check.fields["conclusion"] == "success"
        assert not found.provider.requests


def test_wrong_inputs_are_told_all_at_once(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        ran = found.run(inputs={"fail-on": "sometimes", "max-cases": "-1", "comment-mod": "off"})
        assert not found.provider.requests
    assert ran.code == 2
    assert ran.log.count("::error") >= 2
    assert "did you mean" in ran.log


def test_batches_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with scene(tmp_path, config=CONFIG + "engine: batch\n") as found:
        push = {"ref": "refs/heads/main", "before": "0" * 40, "after": found.sha("main"), "deleted": False, **HOME}
        for ran in (found.run(), found.run("push", push, GITHUB_REF="refs/heads/main")):
            assert ran.code == 2, ran.log
            assert "llm-eval-gate.yml:15: `engine: batch` is not for the action" in ran.log
        assert "nightly-batch.yml" in found.comments()[0]
        assert not found.provider.requests


def test_rerun_of_the_same_commits_asks_nothing_again(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        first = found.run()
        asked = len(found.provider.requests)
        again = found.run()
        assert len(found.provider.requests) == asked
    assert first.code == again.code == 1
    assert again.outputs["total-cost-usd"] == "0.000000"
    assert found.repository.pulls[NUMBER].head_sha == again.outputs["head-sha"]
