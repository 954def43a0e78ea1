"""The workflows are sound: two linters find nothing, every action is pinned, and what they say to our action is true."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluator.github.inputs import INPUTS, read_inputs
from evaluator.starter.render import render

ROOT = Path(__file__).parents[2]
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent
REUSABLE = ROOT / ".github" / "workflows" / "llm-eval-gate.yml"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
NOT_IN_THE_REUSABLE_WORKFLOW = {
    "api-key",  # a secret there
    "github-token",  # the job's own
    "app-env",  # a called workflow gets no environment
    "check-run",  # needs checks: write, which every caller would have to grant
    "check-name",
    "artifact-path",
}
STARTERS = {
    "openai": ["OPENAI_API_KEY"],
    "github": ["GITHUB_TOKEN"],
    "local": [],
}


def read(path: Path) -> dict[Any, Any]:
    found = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found = read(path)["jobs"]
    assert isinstance(found, dict)
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


def findings(*files: Path) -> str:
    """What actionlint and zizmor say of some files; empty if nothing."""
    names = [str(path) for path in files]
    lint = [str(BIN / "actionlint"), "-no-color", *(name for name in names if not name.endswith("action.yml"))]
    config = str(ROOT / ".github" / "zizmor.yml")
    audit = [str(BIN / "zizmor"), "--offline", "--pedantic", "--quiet", "--no-progress", "--config", config, *names]
    said = ""
    for command in (lint, audit):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        said += f"{done.stdout}{done.stderr}" if done.returncode else ""
    return said


def test_linters_find_nothing_in_the_action_the_workflows_and_the_examples() -> None:
    assert len(OURS) == 3
    assert len(EXAMPLES) == 10
    assert findings(ROOT / "action.yml", *OURS, *EXAMPLES) == ""


@pytest.mark.parametrize("provider", list(STARTERS))
def test_linters_find_nothing_in_the_workflow_that_init_writes(tmp_path: Path, provider: str) -> None:
    path = tmp_path / "llm-eval-gate.yml"
    path.write_text(render("workflow.yml.j2", provider=provider, secrets=STARTERS[provider]), "utf-8")
    assert findings(path) == ""


def test_the_linters_do_find_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "planted.yml"
    good = (ROOT / "examples" / "workflows" / "on-the-runner.yml").read_text("utf-8")
    assert "run: llm-eval-gate action" in good
    path.write_text(good.replace("llm-eval-gate action", "echo ${{ github.event.pull_request.title }}"), "utf-8")
    said = findings(path)
    assert "potentially untrusted" in said  # actionlint
    assert "template-injection" in said  # zizmor


@pytest.mark.parametrize("path", OURS + EXAMPLES, ids=lambda path: path.name)
def test_a_workflow_is_bounded(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}, "each job has its own"
    assert "concurrency" in workflow or all("concurrency" in job for job in jobs(path).values())
    for job in jobs(path).values():
        assert job["timeout-minutes"]
        assert job["permissions"]
        assert "write-all" not in str(job["permissions"])
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", OURS + EXAMPLES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_hash_with_its_version_beside_it(path: Path) -> None:
    for line in path.read_text("utf-8").splitlines():
        if "uses:" in line and "uses: org/llm-eval-gate@v1" not in line and "uses: ./" not in line:
            assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_one_action_has_one_pin_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in OURS + EXAMPLES:
        for name, pin in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40} # \S+)", path.read_text("utf-8")):
            pins.setdefault(name, set()).add(pin)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_explained_and_has_no_filter_that_leaves_a_check_pending(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 50
    assert text.startswith("# ")
    assert f"(../examples/workflows/{path.name})" in (ROOT / "docs" / "action.md").read_text("utf-8")
    assert not re.search(r"paths(-ignore)?:|branches-ignore:|pull_request_target", str(read(path)[True]))


@pytest.mark.parametrize("path", OURS + EXAMPLES, ids=lambda path: path.name)
def test_what_a_workflow_tells_our_action_is_what_it_reads(path: Path) -> None:
    environ: dict[str, str] = {}
    for step in steps(path):
        given = {}
        if step.get("uses") in ("./", "org/llm-eval-gate@v1"):
            given = {f"INPUT_{name.upper()}": value for name, value in step.get("with", {}).items()}
        given |= {name: value for name, value in step.get("env", {}).items() if name.startswith("INPUT_")}
        unknown = {name for name in given if name[6:].lower().replace("_", "-") not in {entry.name for entry in INPUTS}}
        assert not unknown
        # GitHub hands `true` and `50` on as text. What an expression gives is known on GitHub only.
        texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
        environ |= {name: value for name, value in texts.items() if "${{" not in value}
        minutes = texts.get("INPUT_TIMEOUT-MINUTES", texts.get("INPUT_TIMEOUT_MINUTES", ""))
        job = next(job for job in jobs(path).values() if step in job["steps"])
        if minutes.isdigit():
            assert int(minutes) < job["timeout-minutes"], "no time to say how far it got"
    assert read_inputs(environ).warnings == ()


def test_folders_that_our_own_workflows_name_are_there() -> None:
    named = [step["with"]["working-directory"] for path in OURS for step in steps(path) if step.get("uses") == "./"]
    assert named
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_the_reusable_workflow_hands_every_input_and_output_on() -> None:
    call = read(REUSABLE)[True]["workflow_call"]
    names = {entry.name for entry in INPUTS} - NOT_IN_THE_REUSABLE_WORKFLOW
    assert set(call["inputs"]) == names | {"runs-on", "job-timeout-minutes"}
    assert set(call["secrets"]) == {"api-key"}
    [job] = jobs(REUSABLE).values()
    action = job["steps"][0]
    expected = {name: f"${{{{ inputs.{name} }}}}" for name in names} | {"api-key": "${{ secrets.api-key }}"}
    assert action["with"] == expected
    outputs = set(read(ROOT / "action.yml")["outputs"]) - {"report-path", "result-path", "check-run-url"}
    assert set(call["outputs"]) == set(job["outputs"]) == outputs
    assert all(job["outputs"][name] == f"${{{{ steps.gate.outputs.{name} }}}}" for name in outputs)
    assert all(call["outputs"][name]["value"] == f"${{{{ jobs.gate.outputs.{name} }}}}" for name in outputs)


def test_both_halves_of_the_pair_for_forks_fit_and_the_first_has_no_secret() -> None:
    evaluate, publish = (ROOT / "examples" / "workflows" / f"fork-{half}.yml" for half in ("evaluate", "publish"))
    assert read(publish)[True]["workflow_run"]["workflows"] == [read(evaluate)["name"]]
    assert "secrets." not in evaluate.read_text("utf-8")
    assert "write" not in [level for job in jobs(evaluate).values() for level in job["permissions"].values()]
    [uploaded] = [step["with"] for step in steps(evaluate) if "upload-artifact" in step.get("uses", "")]
    [downloaded] = [step["with"] for step in steps(publish) if "download-artifact" in step.get("uses", "")]
    [published] = [step["with"] for step in steps(publish) if "llm-eval-gate" in step.get("uses", "")]
    assert uploaded["name"] == downloaded["name"]
    assert downloaded["path"] == published["artifact-path"]
    assert not any("checkout" in step.get("uses", "") or "run" in step for step in steps(publish))


def test_the_merge_queue_and_the_pull_request_give_a_check_of_one_name() -> None:
    names = [
        [job["name"] for job in jobs(ROOT / "examples" / "workflows" / name).values()]
        for name in ("pull-request.yml", "merge-queue.yml")
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize(("digest", "code"), [("sha256:" + "0a" * 32, 0), ("sha256:short", 1), ("", 1)])
def test_the_release_points_action_yml_at_the_image_by_its_digest(tmp_path: Path, digest: str, code: int) -> None:
    [step] = [step for step in steps(RELEASE) if step.get("name") == "Point action.yml at the image"]
    before = (ROOT / "action.yml").read_text("utf-8")
    shutil.copy(ROOT / "action.yml", tmp_path)
    environ = {"PATH": os.environ["PATH"], "IMAGE": "ghcr.io/org/llm-eval-gate", "DIGEST": digest}
    # As the runner starts a step without `shell:`.
    done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=environ, check=False)
    after = (tmp_path / "action.yml").read_text("utf-8")
    assert done.returncode == code
    image = f"docker://ghcr.io/org/llm-eval-gate@{digest}"
    expected = before.replace("  image: Dockerfile\n", f"  image: {image}\n") if code == 0 else before
    assert after == expected
    assert yaml.safe_load(after)["runs"]["image"] == (image if code == 0 else "Dockerfile")
