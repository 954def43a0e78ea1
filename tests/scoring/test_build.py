"""All scorers can be built as the config writes them; names that clash are told."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.config.scorers import SCORER_TYPES, ScorerOptions
from evaluator.errors import ScorerError
from evaluator.records import Failure, FailureKind, MetricKind, Output, Usage
from evaluator.scoring.build import JudgeDefaults, build_scorers, no_workers
from evaluator.scoring.builtin import BUILTIN_METRICS, builtin_values
from evaluator.scoring.interface import Scorer
from evaluator.scoring.python import Worker
from evaluator.worker import JsonLinesWorker
from tests.scoring.conftest import OPTIONS
from tests.scoring.scripted_models import ScriptedModels

NEEDED: dict[str, dict[str, object]] = {
    "similarity": {"model": "m"},
    "python": {"path": "evals/own.py:score"},
    "json_schema": {"inline": {}},
}


def build(*written: dict[str, object]) -> list[Scorer]:
    def worker(arguments: object, seconds: float) -> Worker:
        return JsonLinesWorker(["true"], cwd=Path(), env={}, start_timeout_s=1, call_timeout_s=seconds)

    return build_scorers(
        [OPTIONS.validate_python(each) for each in written],
        judge=JudgeDefaults(model="m"),
        models=ScriptedModels(),
        read_file=lambda _: "text",
        worker_factory=worker,
        dataset_labels=("a", "b"),
    )


@pytest.mark.parametrize("kind", SCORER_TYPES)
def test_every_type_that_the_config_knows_can_be_built(kind: str) -> None:
    [scorer] = build({"type": kind, **NEEDED.get(kind, {})})
    assert scorer.metrics
    assert scorer.pairwise == (kind == "judge_pairwise")
    [named] = build({"type": kind, "name": "mine", **NEEDED.get(kind, {})})
    assert all(metric.name.startswith("mine") for metric in named.metrics)


def test_all_types_go_together() -> None:
    assert len(build(*({"type": kind, **NEEDED.get(kind, {})} for kind in SCORER_TYPES))) == len(SCORER_TYPES)


@pytest.mark.parametrize(
    "written",
    [
        [{"type": "f1"}, {"type": "f1"}],
        [{"type": "f1"}, {"type": "rouge_l", "name": "f1"}],
        [{"type": "classification"}, {"type": "f1", "name": "macro_f1"}],
        [{"type": "classification"}, {"type": "f1", "name": "classification_label"}],
        [{"type": "f1", "name": "latency_p95"}],
        [{"type": "f1", "name": "latency"}],
    ],
)
def test_two_metrics_of_one_name_are_refused_with_the_way_out(written: list[dict[str, object]]) -> None:
    with pytest.raises(ScorerError, match="two metrics are named") as caught:
        build(*written)
    assert "name: my_" in caught.value.hint


def test_two_scorers_of_one_type_work_with_names() -> None:
    scorers = build({"type": "classification"}, {"type": "classification", "name": "tone"})
    assert [scorer.name for scorer in scorers] == ["classification", "tone"]


def test_options_that_are_no_scorers_are_refused() -> None:
    with pytest.raises(ScorerError, match="no scorer for options of type ScorerOptions"):
        build_scorers([ScorerOptions()], judge=JudgeDefaults(), models=ScriptedModels(), read_file=str)


def test_without_workers_the_users_code_is_refused() -> None:
    with pytest.raises(ScorerError, match=r"own\.py:score"):
        no_workers(("child.py", "own.py", "score"), 1.0)


def test_building_imports_nothing_heavy_that_is_not_used() -> None:
    program = "import sys, evaluator.scoring.build; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"jinja2", "jsonschema", "regex", "openai", "numpy"} & set(done.stdout.split())


def test_builtin_values_of_an_output() -> None:
    output = Output(text="x", latency_s=0.5, cost_usd=0.01, usage=Usage(10, 5, 3))
    values = builtin_values(output)
    assert values == {"latency": 0.5, "cost": 0.01, "input_tokens": 10, "output_tokens": 5, "tokens": 15}
    assert {metric.source for metric in BUILTIN_METRICS} == {*values, "error_rate"}
    assert builtin_values(Output(text="x")) == {}
    assert builtin_values(Output(latency_s=9.0, failure=Failure(FailureKind.CRASH, "x"))) == {}


def test_builtin_metrics_are_all_better_when_lower() -> None:
    assert not any(metric.higher_is_better for metric in BUILTIN_METRICS)
    quantiles = {metric.name: metric.quantile for metric in BUILTIN_METRICS if metric.kind is MetricKind.QUANTILE}
    assert quantiles == {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}
