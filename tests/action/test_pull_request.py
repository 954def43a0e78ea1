"""A pull request from event to comment: real git over HTTP, real requests to a checked GitHub, a real provider."""

import json
from pathlib import Path

import pytest

from tests.action.scene import NUMBER, READ_ONLY, push_prompt, scene
from tests.pipeline.commands import right, worse_at_head
from tests.standin.app import CONFIG, commit, git
from tests.standin.git_http import Fault
from tests.wiring.process_apps import ASK, WORKER


def test_a_good_pull_request_is_green_and_a_bad_one_red_with_one_comment_each(tmp_path: Path) -> None:
    for answer, code, state in ((right, 0, "pass"), (worse_at_head, 1, "fail")):
        with scene(tmp_path / state, answer) as found:
            ran = found.run()
            assert ran.code == code, ran.log
            assert ran.outputs["verdict"] == state
            assert ran.outputs["passed"] == ("true" if code == 0 else "false")
            [body] = found.comments()
            assert body.startswith("### ✅ Pass" if code == 0 else "### ❌ Fail")
            assert "@everyone" not in body
            assert ran.outputs["comment-url"]
            assert ran.outputs["head-sha"] == found.sha("change")
            assert ran.outputs["base-sha"] == found.sha("main")
            assert ran.outputs["regressed-metrics"] == ("" if code == 0 else "exact_match")
            metrics = json.loads(ran.outputs["metrics"])
            assert metrics["exact_match"]["head"] == (1.0 if code == 0 else 0.5)
            assert float(ran.outputs["total-cost-usd"]) > 0
            assert ran.outputs["report-path"] == "llm-eval-gate-report"
            assert ran.outputs["result-path"] == "llm-eval-gate-report/result.json"
            assert {file.name for file in ran.report.iterdir()} >= {"result.json", "report.html", "junit.xml"}
            assert ran.summary.startswith(body[:10])
            assert ("::error" in ran.log) == (code == 1)


def test_three_pushes_leave_one_comment_about_the_last(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        assert found.run().code == 1
        push_prompt(found, "second")
        assert found.run().code == 0
        push_prompt(found, "third")
        ran = found.run()
        [body] = found.comments()
    assert body.startswith("### ✅ Pass")
    assert ran.outputs["head-sha"][:7] in body


def test_what_is_run_is_the_merge_and_what_it_is_compared_with_is_its_first_parent(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        git(found.clone, "switch", "--quiet", "main")
        commit(found.clone, "later on main", other_dot_txt="later")
        git(found.clone, "switch", "--quiet", "change")
        found.publish()
        ran = found.run()
        assert ran.outputs["base-sha"] == found.sha("main")
        assert any("its merge into main" in note for note in ran.result["notes"])
        left = found.run(inputs={"compare-mode": "merge-base"})
        assert left.outputs["base-sha"] == git(found.clone, "merge-base", "main", "change")


def test_without_a_merge_head_is_compared_with_where_it_left_base_and_the_report_says_so(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        repository = found.server.repository("acme/app")
        git(repository, "update-ref", "-d", f"refs/pull/{NUMBER}/merge")
        ran = found.run()
        assert ran.code == 0, ran.log
        assert any("there may be conflicts" in note for note in ran.result["notes"])


def test_a_fork_with_a_read_only_token_gets_summary_and_annotations_instead_of_a_comment(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head, fork=True) as found:
        token = found.github.installation_token(READ_ONLY)
        ran = found.run(token=token)
    assert ran.code == 1
    assert found.comments() == []
    assert "❌ Fail" in ran.summary
    assert "Not published" in ran.summary
    assert "::error" in ran.log
    assert ran.outputs["verdict"] == "fail"
    assert ran.outputs["comment-url"] == ""


def test_a_fork_without_the_key_is_an_error_that_says_why_and_what_to_do(tmp_path: Path) -> None:
    with scene(tmp_path, fork=True) as found:
        ran = found.run(token=found.github.installation_token(READ_ONLY), STANDIN_KEY="")
    assert ran.code == 2
    assert "gives no secrets to pull requests from forks" in ran.summary
    assert "No verdict" in ran.summary
    assert ran.outputs["verdict"] == "error"


@pytest.mark.parametrize("fork", [True, False])
def test_a_program_without_the_key_is_an_error_that_names_it_and_no_fault_of_the_change(
    tmp_path: Path, *, fork: bool
) -> None:
    config = CONFIG.replace("{{prompt: prompts/answer.prompt.yml, provider: standin}}", "{{command: python3 app.py}}")
    config = config[: config.index("providers:")] + config[config.index("prices:") :]
    with scene(tmp_path, config=config, cases=4, fork=fork) as found:
        git(found.clone, "switch", "--quiet", "main")
        commit(found.clone, "the app", asking_dot_py=ASK, app_dot_py=WORKER.replace("{BEFORE}", ""))
        git(found.clone, "switch", "--quiet", "change")
        git(found.clone, "merge", "--quiet", "main")
        stranger = found.repository.pulls[NUMBER].head_repository if fork else None
        found.publish(fork=stranger)
        token = found.github.installation_token(READ_ONLY) if fork else None
        ran = found.run(token=token, STANDIN_KEY="", OPENAI_API_KEY="")
    assert ran.code == 2
    assert "No verdict" in ran.summary
    assert ("gives no secrets to pull requests from forks" in ran.summary) == fork
    assert "OPENAI_API_KEY" in ran.summary + ran.log
    assert ran.outputs["verdict"] == "error"


def test_a_forks_program_is_not_run_where_keys_are(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "target: {{prompt: prompts/answer.prompt.yml, provider: standin}}", "target: {{command: python3 app.py}}"
    )
    with scene(tmp_path, config=config, fork=True) as found:
        ran = found.run()
    assert ran.code == 2
    assert "would run where keys are" in ran.summary


def test_the_rules_are_bases_and_what_the_pull_request_changes_in_them_is_told(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        config = (found.clone / "llm-eval-gate.yml").read_text("utf-8").replace("max_drop: 10%", "max_drop: 99%")
        commit(found.clone, "lower the bar", **{"llm-eval-gate_dot_yml": config})
        found.publish()
        ran = found.run()
        [body] = found.comments()
    assert ran.code == 1
    assert "This pull request changes how it is judged" in body


def test_a_push_during_the_run_keeps_the_newer_comment(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        old = found.pull_payload()
        push_prompt(found, "second")
        assert found.run().code == 0
        found.jobs = -500  # an old, slow run: its number is lower
        late = found.run(payload=old)
        [body] = found.comments()
    assert body.startswith("### ✅ Pass")
    assert late.outputs["comment-url"] == "" or "skipped" in late.log or "moved on" in late.log


def test_a_missing_baseline_fails_and_can_be_allowed(tmp_path: Path) -> None:
    config = CONFIG.replace("{{max_drop: 10%}}", "{{max_drop: 10%, min: 60%}}")
    with scene(tmp_path, config=config) as found:
        base = found.sha("main")

        def lose_base() -> None:
            found.server.faults[:] = []

        repository = found.server.repository("acme/app")
        git(repository, "update-ref", "-d", f"refs/pull/{NUMBER}/merge")
        # A compare that names a commit which nobody has any more.
        found.repository.commits.clear()
        gone = "e" * 40
        found.repository.add_commit(gone)
        found.repository.add_commit(base, parents=[gone])
        found.repository.add_commit(found.sha("change"), parents=[gone])
        lose_base()
        strict = found.run()
        allowed = found.run(inputs={"on-missing-baseline": "warn"})
    assert strict.code == 2
    assert "the baseline cannot be had" in strict.summary
    assert allowed.code == 0, allowed.log
    assert any("BASELINE IS MISSING" in note for note in allowed.result["notes"])


def test_a_server_that_stumbles_is_asked_again(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        found.server.faults.append(Fault("status", times=1, status=503))
        found.github.fail_next("503", 2)
        ran = found.run()
    assert ran.code == 0, ran.log


def test_no_key_is_in_log_comment_summary_or_report(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        token = found.github.installation_token({"contents": "read", "pull_requests": "write", "checks": "write"})
        ran = found.run(token=token, inputs={"api-key": "sk-unused-secret"})
        shown = "\n".join(line for line in ran.log.splitlines() if not line.startswith("::add-mask::"))
        told = [shown, ran.summary, *found.comments(), *(file.read_text("utf-8") for file in ran.report.iterdir())]
    for hidden in (token, "k-secret", "sk-unused-secret"):
        assert f"::add-mask::{hidden}" in ran.log or hidden == "k-secret"
        assert not any(hidden in text for text in told)
