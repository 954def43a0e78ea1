"""The action as a whole: a real workflow runner, real git, a real container, a stand-in GitHub, a stand-in provider."""

import shutil
from pathlib import Path

from tests.container.engine import ROOT
from tests.container.scene import KEY, Scene

FIRST_CALL_S = 1.5


def test_a_harmless_pull_request_is_green_and_has_one_comment_after_three_pushes(scene: Scene) -> None:
    pull = scene.open_pull(system="better")
    for push in range(3):
        if push:
            scene.push(pull, system="better", notes_dot_md=f"push {push}")
        run = scene.act(payload=scene.pull_payload(pull), at="refs/pull/7/merge")
        assert run.exit_code == 0, run.log
        assert run.outputs()["verdict"] == "pass"
        assert run.outputs()["head-sha"] == pull.head_sha
    (comment,) = scene.comments(pull)
    assert pull.head_sha[:7] in comment
    assert "uploaded llm-eval-gate-report" in run.lines()
    assert KEY not in run.log


def test_a_pull_request_that_makes_the_app_worse_is_red(scene: Scene) -> None:
    pull = scene.open_pull(system="bad")
    run = scene.act(payload=scene.pull_payload(pull), at="refs/pull/7/merge")
    assert run.exit_code == 1, run.log
    assert run.outputs()["verdict"] == "fail"
    assert run.outputs()["passed"] == "false"
    assert "exact_match" in run.outputs()["regressed-metrics"]
    assert len(scene.comments(pull)) == 1
    # The report is kept although the step failed.
    assert (run.workspace / ".artifacts" / "llm-eval-gate-report" / "result.json").is_file()


def test_a_forks_pull_request_gets_a_verdict_without_a_comment(scene: Scene) -> None:
    # Forks get no secrets: base names a provider that asks for no key.
    config = (scene.app / "llm-eval-gate.yml").read_text("utf-8")
    scene.change_main(**{"llm-eval-gate_dot_yml": config.replace(", api_key_env: OPENAI_API_KEY", "")})
    pull = scene.open_pull(system="better", from_fork=True)
    run = scene.act(
        "fork-evaluate.yml",
        payload=scene.pull_payload(pull),
        at="refs/pull/7/merge",
        token=scene.read_only_token,
        secrets={"OPENAI_API_KEY": ""},
        variables={"LLM_EVAL_BASE_URL": scene.provider.url},
    )
    assert run.outputs().get("verdict") == "pass", run.log
    assert run.exit_code == 0, run.log
    assert scene.comments(pull) == []


def test_a_token_that_may_not_comment_is_no_failure(scene: Scene) -> None:
    pull = scene.open_pull(system="better", from_fork=True)
    run = scene.act(payload=scene.pull_payload(pull), at="refs/pull/7/merge", token=scene.read_only_token)
    assert run.exit_code == 0, run.log
    assert scene.comments(pull) == []


def test_a_run_on_demand_compares_the_named_commit_and_publishes_a_check_run(scene: Scene) -> None:
    pull = scene.open_pull(system="better")
    payload = scene.payload("workflow_dispatch")
    payload["inputs"] = {"pr-number": "7", "head-sha": pull.head_sha}
    run = scene.act("dispatch-rerun.yml", event="workflow_dispatch", payload=payload)
    assert run.exit_code == 0, run.log
    assert len(scene.comments(pull)) == 1
    (check,) = scene.repository.check_runs.values()
    assert (check.fields["head_sha"], check.fields["conclusion"]) == (pull.head_sha, "success")


def test_a_workspace_of_another_user_at_the_runners_path_is_no_hindrance(scene: Scene) -> None:
    pull = scene.open_pull(system="bad")
    run = scene.container(payload=scene.pull_payload(pull), at="refs/pull/7/merge", ref="refs/pull/7/merge")
    assert run.exit_code == 1, run.log
    assert run.outputs["verdict"] == "fail"
    assert run.summary.strip()
    assert (run.workspace / run.outputs["result-path"]).is_file()


def test_the_first_question_is_asked_soon_after_the_container_starts(scene: Scene) -> None:
    pull = scene.open_pull(system="better")
    took = []
    for _ in range(3):
        run = scene.container(payload=scene.pull_payload(pull), at="refs/pull/7/merge", ref="refs/pull/7/merge")
        assert run.exit_code == 0, run.log
        took.append(scene.first_calls[-1] - run.started_at)
    assert min(took) < FIRST_CALL_S, took


def test_our_own_workflow_builds_and_runs_the_action_from_its_own_checkout(scene: Scene, action_folder: Path) -> None:
    shutil.copytree(action_folder, scene.app, dirs_exist_ok=True)
    scene.change_main()
    pull = scene.open_pull(examples__notes_dot_md="Only a note.")
    run = scene.act(
        ROOT / ".github" / "workflows" / "ci.yml",
        payload=scene.pull_payload(pull),
        at="refs/pull/7/merge",
        options=("--job", "self"),
    )
    assert "docker build" in run.log
    assert run.exit_code == 0, run.log
    assert run.outputs()["verdict"] == "pass"
    assert len(scene.comments(pull)) == 1
