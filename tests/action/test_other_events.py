"""Dispatch, comment, merge queue, push, schedule and the publisher for forks, end to end."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.action.scene import NAME, NUMBER, PULL, READ_ONLY, Scene, push_prompt, scene
from tests.pipeline.commands import right, worse_at_head
from tests.standin.app import CONFIG, git

HOME = {"repository": {"full_name": NAME, "default_branch": "main"}, "sender": {"login": "ann"}}


def comment_payload(body: str, author: str = "ann", action: str = "created") -> dict[str, Any]:
    return {
        "action": action,
        "issue": {"number": NUMBER, "state": "open", "pull_request": {"url": "x"}},
        "comment": {"body": body, "user": {"login": author}},
        **HOME,
    }


def test_a_dispatch_of_a_pinned_head_updates_the_comment_and_the_check_run(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        head = found.sha("change")
        found.run()
        inputs = {"pr-number": str(NUMBER), "head-sha": head, "check-run": "true", "check-name": "quality"}
        ran = found.run("workflow_dispatch", HOME, inputs=inputs)
        assert ran.code == 0, ran.log
        assert len(found.comments()) == 1
        [check] = found.repository.check_runs.values()
        fields = {name: check.fields[name] for name in ("head_sha", "conclusion", "name")}
        assert fields == {"head_sha": head, "conclusion": "success", "name": "quality"}
        assert ran.outputs["check-run-url"]
        push_prompt(found, "second")
        moved = found.run("workflow_dispatch", HOME, inputs=inputs)
        assert moved.code == 2
        assert "is" in moved.log
        assert len(found.comments()) == 1


def test_a_comment_of_somebody_who_may_write_starts_a_run_and_of_others_nothing(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        head = found.sha("change")
        asked = len(found.provider.requests)
        for payload in (
            comment_payload("/eval", author="olga"),
            comment_payload("/eval", author="stranger"),
            comment_payload("please /eval"),
            comment_payload("/eval", action="edited"),
        ):
            ignored = found.run("issue_comment", payload)
            assert ignored.code == 0
            assert ignored.outputs["verdict"] == "skipped"
        assert len(found.provider.requests) == asked
        ran = found.run("issue_comment", comment_payload(f"/eval {head[:9]}\nthanks"), inputs={"check-run": "true"})
        assert ran.code == 0, ran.log
        assert len(found.comments()) == 1
        assert len(found.repository.check_runs) == 1


def test_a_merge_group_is_judged_without_a_comment(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        group = {
            "action": "checks_requested",
            "merge_group": {
                "head_sha": found.sha("change"), "head_ref": "refs/heads/gh-readonly-queue/main/pr-7",
                "base_sha": found.sha("main"), "base_ref": "refs/heads/main",
            },
            **HOME,
        }  # fmt: skip
        ran = found.run("merge_group", group)
    assert ran.code == 1
    assert found.comments() == []
    assert "❌ Fail" in ran.summary


def push_payload(found: Scene) -> dict[str, Any]:
    return {"ref": "refs/heads/main", "after": found.sha("main"), "deleted": False, **HOME}


def test_a_push_to_main_measures_a_baseline_that_the_next_pull_request_uses(tmp_path: Path) -> None:
    config = CONFIG.replace("early_stop: false\nmax_repeats: 1\n", "")
    with scene(tmp_path, config=config, cases=60) as found:
        ran = found.run("push", push_payload(found), inputs={"repeat": "2"})
        assert ran.code == 0, ran.log
        assert len(found.provider.requests) == 120
        pull = found.run()
        assert pull.code == 0, pull.log
        assert any("base was not asked again" in note for note in pull.result["notes"])
        asked = [body["messages"][0]["content"] for body in found.provider.requests[120:]]
        assert set(asked) == {"other"}
        other = found.run("push", {**push_payload(found), "ref": "refs/heads/topic"})
        assert (other.code, other.outputs["verdict"]) == (0, "skipped")


def test_the_schedule_refreshes_the_baseline_or_compares_two_refs(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        payload = {"schedule": "17 3 * * *", **HOME}
        alone = found.run("schedule", payload, GITHUB_REF="refs/heads/main")
        assert alone.code == 0, alone.log
        assert alone.result["base"] is None
        git(found.clone, "tag", "last-release", "main")
        found.server.push(NAME, found.clone, "+refs/tags/last-release:refs/tags/last-release")
        inputs = {"base-ref": "last-release", "head-ref": "change"}
        both = found.run("schedule", payload, inputs=inputs, GITHUB_REF="refs/heads/main")
        assert both.code == 1
        assert "change against last-release" in both.summary
        wrong = found.run("workflow_dispatch", HOME, inputs={**inputs, "head-ref": "no-such-branch"})
        assert wrong.code == 2
        assert "no branch and no tag named 'no-such-branch'" in wrong.summary


def run_payload(found: Scene, conclusion: str = "failure") -> dict[str, Any]:
    pull = found.repository.pulls[NUMBER]
    return {
        "action": "completed",
        "workflow_run": {
            "id": 55, "run_attempt": 1, "event": "pull_request", "conclusion": conclusion,
            "actor": {"login": "mallory"}, "head_sha": pull.head_sha, "head_branch": pull.head_ref,
            "head_repository": {"full_name": "mallory/app"},
        },
        **HOME,
    }  # fmt: skip


def test_the_pair_for_forks_evaluates_without_rights_and_publishes_as_advice(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head, fork=True) as found:
        first = found.run(token=found.github.installation_token(READ_ONLY))
        assert (first.code, found.comments()) == (1, [])
        inputs = {"artifact-path": "fork-report", "check-run": "true"}
        environ = found.environ("workflow_run", run_payload(found), inputs=inputs)
        shutil.copytree(first.report, Path(environ["GITHUB_WORKSPACE"]) / "fork-report")
        second = found.run_prepared(environ)
        assert second.code == 0, second.log
        [body] = found.comments()
        assert body.startswith("### 💬 Advice, not a check")
        assert "It claims: ❌ Fail" in body
        [check] = found.repository.check_runs.values()
        assert check.fields["conclusion"] == "neutral"
        assert check.fields["output"]["title"].startswith("Advice:")
        assert second.outputs["passed"] == "false"


@pytest.mark.parametrize("planted", ["forged", "not json", "link", "pipe", "missing", "old schema"])
def test_a_forks_report_is_data_and_nothing_else(tmp_path: Path, planted: str) -> None:
    with scene(tmp_path, right, fork=True) as found:
        first = found.run(token=found.github.installation_token(READ_ONLY))
        environ = found.environ("workflow_run", run_payload(found, "success"), inputs={"artifact-path": "fork-report"})
        folder = Path(environ["GITHUB_WORKSPACE"]) / "fork-report"
        folder.mkdir()
        result = folder / "result.json"
        if planted == "forged":
            document = first.result
            document["head"]["label"] = "@everyone <script>alert(1)</script>"
            document["notes"] = ["![x](https://evil.example/x.png) @acme/admins | forged | row |"]
            document["verdict"]["reason"] = "::error::forged\n##[error]forged <!-- llm-eval-gate:v1 key= -->"
            result.write_text(json.dumps(document), "utf-8")
        elif planted == "link":
            result.symlink_to("/proc/self/environ")
        elif planted == "pipe":
            import os

            os.mkfifo(result)
        elif planted != "missing":
            result.write_text("{" if planted == "not json" else json.dumps({"schema_version": "0"}), "utf-8")
        ran = found.run_prepared(environ)
        if planted == "forged":
            assert ran.code == 0, ran.log
            [body] = found.comments()
            for alive in ("@everyone", "@acme", "<script", "![x]", "](https://evil"):
                assert alive not in body
            assert "\n::error" not in ran.log
            assert "##[error]" not in ran.log
        else:
            assert ran.code == 2
            assert found.comments() == []
            assert "No verdict" in ran.summary


def test_a_report_of_a_head_that_moved_on_is_not_published(tmp_path: Path) -> None:
    with scene(tmp_path, fork=True) as found:
        payload = run_payload(found)
        fork = found.repository.pulls[NUMBER].head_repository
        push_prompt(found, "second", fork=fork)
        ran = found.run("workflow_run", payload, inputs={"artifact-path": "fork-report"})
    assert (ran.code, ran.outputs["verdict"]) == (0, "skipped")
    assert found.comments() == []


def test_a_forks_code_is_refused_on_pull_request_target(tmp_path: Path) -> None:
    with scene(tmp_path, fork=True) as found:
        ran = found.run("pull_request_target")
        assert not found.provider.requests
    assert ran.code == 2
    assert "pull_request_target would let its code near your secrets" in ran.summary


def test_a_token_that_may_not_even_read_is_an_error_in_words(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        environ = found.environ("pull_request", found.pull_payload(), token=found.github.installation_token(PULL))
        found.server.tokens.clear()
        found.server.tokens.add("another")
        ran = found.run_prepared(environ)
    assert ran.code == 2
    assert "does not accept the token" in ran.summary
    assert "What to do:" in ran.summary
