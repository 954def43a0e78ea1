"""What a stranger, or somebody who may push branches, tried: each is an attack that worked once."""

import json
from pathlib import Path
from typing import Any

from tests.action.scene import NAME, NUMBER, PULL, READ_ONLY, Scene, push_prompt, scene
from tests.action.test_other_events import HOME, comment_payload, run_payload
from tests.pipeline.commands import right, worse_at_head
from tests.standin.app import CONFIG, commit, git
from tests.standin.threaded import running


def without_config_on_main(found: Scene) -> None:
    """Have the pull request bring the gate: base knows nothing of it."""
    config = (found.clone / "llm-eval-gate.yml").read_text("utf-8")
    git(found.clone, "switch", "--quiet", "main")
    git(found.clone, "rm", "--quiet", "llm-eval-gate.yml")
    commit(found.clone, "no gate yet")
    git(found.clone, "switch", "--quiet", "change")
    git(found.clone, "reset", "--quiet", "--hard", "main")
    scorer = "import os\ndef score(case, output):\n    return float(os.path.exists('/proc'))\n"
    config = config.replace("scorers: [exact_match]", "scorers: [exact_match, 'python:evals/own.py:score']")
    commit(found.clone, "the gate", evals__own_dot_py=scorer, **{"llm-eval-gate_dot_yml": config})
    found.publish(fork=found.repository.pulls[NUMBER].head_repository)


def test_a_fork_that_brings_its_own_rules_runs_no_code_where_keys_are(tmp_path: Path) -> None:
    with scene(tmp_path, fork=True) as found:
        without_config_on_main(found)
        head = found.sha("change")
        by_hand = found.run("issue_comment", comment_payload(f"/eval {head}"))
        with_keys = found.run(token=found.github.installation_token(READ_ONLY), OPENAI_API_KEY="sk-1234567890")
        assert not found.provider.requests
    assert (by_hand.code, with_keys.code) == (2, 2)
    assert "would run where keys are" in by_hand.summary
    assert "would run where keys are" in with_keys.summary


def test_a_pushed_branch_cannot_shadow_the_tag_that_names_the_rules(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        git(found.clone, "tag", "rules-v1", "main")
        git(found.clone, "switch", "--quiet", "--create", "rules-v1", "main")
        lenient = (found.clone / "llm-eval-gate.yml").read_text("utf-8").replace("max_drop: 10%", "max_drop: 99%")
        commit(found.clone, "lenient", **{"llm-eval-gate_dot_yml": lenient})
        git(found.clone, "switch", "--quiet", "change")
        found.server.push(
            NAME, found.clone, "+refs/tags/rules-v1:refs/tags/rules-v1", "+refs/heads/rules-v1:refs/heads/rules-v1"
        )
        short = found.run(inputs={"config-ref": "rules-v1"})
        full = found.run(inputs={"config-ref": "refs/tags/rules-v1"})
    assert short.code == 2
    assert "is a branch and a tag" in short.summary
    assert full.code == 1


def test_a_release_that_main_does_not_contain_is_no_anchor(tmp_path: Path) -> None:
    config = CONFIG.replace("concurrency: 4", "anchor: last-release\nconcurrency: 4")
    with scene(tmp_path, worse_at_head, config=config) as found:
        git(found.clone, "tag", "v1.0", "main")
        git(found.clone, "tag", "v9.0", "change")
        for tag, ref in (("v1.0", "main"), ("v9.0", "change")):
            found.server.push(NAME, found.clone, f"+refs/tags/{tag}:refs/tags/{tag}")
            found.repository.tags[tag] = found.sha(ref)
        found.repository.add_release("v9.0", found.sha("change"))
        ran = found.run()
        names = [row["name"] for row in ran.result["verdict"]["objectives"]]
    assert ran.code == 1
    assert "exact_match_vs_anchor" in names
    assert any("compare with v1.0 (" in note for note in ran.result["notes"])


def test_a_job_that_is_run_again_skips_nothing_and_knows_todays_rules(tmp_path: Path) -> None:
    with scene(
        tmp_path, worse_at_head, config=CONFIG.replace("max_drop: 10%", "max_drop: 90%") + "when: {{drafts: false}}\n"
    ) as found:
        draft = found.pull_payload(draft=True)
        found.repository.pulls[NUMBER].draft = True
        assert found.run(payload=draft).outputs["verdict"] == "skipped"
        found.repository.pulls[NUMBER].draft = False
        assert found.run(payload=draft).outputs["verdict"] == "pass"  # 50 % is within 90 %
        git(found.clone, "switch", "--quiet", "main")
        strict = (found.clone / "llm-eval-gate.yml").read_text("utf-8").replace("max_drop: 90%", "max_drop: 10%")
        commit(found.clone, "stricter", **{"llm-eval-gate_dot_yml": strict})
        found.server.push(NAME, found.clone, "+main:refs/heads/main")
        found._tell_history()
        again = found.run(payload=draft)
    assert again.code == 1


def test_a_merge_group_is_judged_by_what_is_merged_not_by_the_group_before_it(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head) as found:
        git(found.clone, "switch", "--quiet", "--create", "queue", "main")
        lenient = (found.clone / "llm-eval-gate.yml").read_text("utf-8").replace("max_drop: 10%", "max_drop: 99%")
        commit(found.clone, "lenient", **{"llm-eval-gate_dot_yml": lenient})
        before = found.sha("queue")
        git(found.clone, "merge", "--quiet", "--no-ff", "--message", "group", "change")
        group = found.sha("queue")
        found.server.push(NAME, found.clone, "+queue:refs/heads/gh-readonly-queue/main/pr-7")
        found._tell_history()
        payload = {
            "action": "checks_requested",
            "merge_group": {
                "head_sha": group, "head_ref": "refs/heads/gh-readonly-queue/main/pr-7", "base_sha": before,
                "base_ref": "refs/heads/main",
            },
            **HOME,
        }  # fmt: skip
        assert found.run("merge_group", payload).code == 1


def test_advice_says_so_first_however_large_the_report_and_never_takes_the_gates_place(tmp_path: Path) -> None:
    with scene(tmp_path, right, fork=True) as found:
        first = found.run(token=found.github.installation_token(READ_ONLY))
        found.repository.add_comment(NUMBER, "### ❌ Fail: ours", user="ann")
        document = first.result
        row = document["verdict"]["objectives"][0]
        document["verdict"]["warnings"] = [f"forged {n}" for n in range(60)]
        document["verdict"]["objectives"] = [{**row, "name": f"m{n}", "reason": "x" * 400} for n in range(3000)]
        environ = found.environ(
            "workflow_run", run_payload(found, "success"), inputs={"artifact-path": "r", "check-run": "true"}
        )
        (Path(environ["GITHUB_WORKSPACE"]) / "r").mkdir()
        (Path(environ["GITHUB_WORKSPACE"]) / "r" / "result.json").write_text(json.dumps(document), "utf-8")
        ran = found.run_prepared(environ)
        ours = found.run()  # the gate's own comment stands beside it
        bodies = found.comments()
        [check] = found.repository.check_runs.values()
    assert (ran.code, ours.code) == (0, 0)
    assert len(bodies) == 3
    advice = next(body for body in bodies if "Advice, not a check" in body)
    assert advice.startswith("### 💬 Advice, not a check")
    assert "### ✅" not in advice
    assert check.fields["name"].endswith("(advice)")
    assert check.fields["output"]["summary"].startswith("### 💬 Advice")
    assert ran.outputs["verdict"] == "advice"


def test_a_baseline_that_is_missing_skips_nothing_and_sends_no_key_to_heads_provider(tmp_path: Path) -> None:
    with scene(
        tmp_path,
        worse_at_head,
        config=CONFIG.replace("{{max_drop: 10%}}", "{{max_drop: 10%, min: 90%}}") + "when: {{paths: ['prompts/**']}}\n",
    ) as found:
        lose_base(found)
        ran = found.run(inputs={"on-missing-baseline": "warn"})
        assert (ran.code, ran.outputs["verdict"]) == (1, "fail")
    with scene(tmp_path / "keys") as found:
        without_config_on_main(found)
        lose_base(found)
        asked = len(found.provider.requests)
        ran = found.run(inputs={"on-missing-baseline": "warn"}, CI="true")
        assert ran.code == 2
        assert len(found.provider.requests) == asked


def lose_base(found: Scene) -> None:
    """GitHub has no merge, and names a merge base that its git server lost."""
    git(found.server.repository(NAME), "update-ref", "-d", f"refs/pull/{NUMBER}/merge")
    found.repository.commits.clear()
    gone = "e" * 40
    found.repository.add_commit(gone)
    found.repository.add_commit(found.sha("main"), parents=[gone])
    found.repository.add_commit(found.sha("change"), parents=[gone])


def test_a_key_that_a_provider_repeats_in_an_answer_is_struck(tmp_path: Path) -> None:
    def talkative(body: Any, number: int = 0) -> str:
        return "Authorization: Bearer k-secret-0123456789 and azstc2VjcmV0LTAxMjM0NTY3ODk"

    with scene(tmp_path, talkative) as found:
        ran = found.run(token=found.github.installation_token(PULL), STANDIN_KEY="k-secret-0123456789")
        texts = [ran.summary, *found.comments(), *(file.read_text("utf-8") for file in ran.report.iterdir())]
    assert not any("k-secret-0123456789" in text for text in texts)
    assert any("Bearer ***" in text or "Bearer \\*\\*\\*" in text for text in texts)


def test_a_policy_edit_is_evaluated_whatever_the_paths_say(tmp_path: Path) -> None:
    with scene(tmp_path, config=CONFIG + "when: {{paths: ['docs/**']}}\n") as found:
        config = (found.clone / "llm-eval-gate.yml").read_text("utf-8").replace("max_drop: 10%", "max_drop: 99%")
        git(found.clone, "reset", "--quiet", "--hard", "main")
        commit(found.clone, "lower the bar", notes_dot_txt="x", **{"llm-eval-gate_dot_yml": config})
        found.publish()
        ran = found.run()
        [body] = found.comments()
    assert ran.outputs["verdict"] == "pass"
    assert "changes how it is judged" in body


def test_classes_that_are_whole_answers_are_not_shown_where_outputs_are_not(tmp_path: Path) -> None:
    config = CONFIG.replace("scorers: [exact_match]", "scorers: [exact_match, classification]")
    with scene(tmp_path, worse_at_head, config=config, cases=12) as found:
        ran = found.run(inputs={"show-outputs": "false"})
        texts = [ran.summary, *found.comments(), *(file.read_text("utf-8") for file in ran.report.glob("re*"))]
    assert ran.code in (0, 1)
    assert not any("답 1" in text for text in texts)


def test_a_newer_push_is_what_counts(tmp_path: Path) -> None:
    with scene(tmp_path) as found, running(right):
        push_prompt(found, "second")
        assert found.run().outputs["head-sha"] == found.sha("change")


def test_a_config_that_nobody_merged_does_not_open_the_cage_of_its_own_app(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        without_config_on_main(found)
        text = (found.clone / "llm-eval-gate.yml").read_text("utf-8")
        text = text[: text.index("providers:")].replace(", provider: standin", "")
        opened = text.replace("{prompt: prompts/answer.prompt.yml}", "{command: python3 app.py}")
        commit(
            found.clone, "open", **{"llm-eval-gate_dot_yml": opened + "sandbox: {network: allow, env: [MY_SECRET]}\n"}
        )
        found.publish()
        ran = found.run(CI="true", MY_SECRET="x")
    assert ran.code == 2
    assert "opens the cage of its own app" in ran.summary
