"""Mistakes that people make in a config file: each is named with its line, what was found and how to mend it."""

import pytest

from evaluator.config.loading import parse_config
from evaluator.config.objectives import bind_objectives
from evaluator.errors import ConfigError
from evaluator.records import Metric, MetricKind

GOOD = """\
version: 1
dataset: evals/golden.jsonl
target:
  prompt: prompts/answer.prompt.yml
  model: gpt-5-mini
judge:
  model: gpt-5
  scale: [1, 5]
scorers:
  - judge
  - f1
  - {regex: {pattern: 'A: (\\d+)'}}
objectives:
  judge: {min: 4.0, max_drop: 5%}
  cost_per_request: {max: $0.01, max_increase: 10%}
  latency_p95: {max: 2s}
budget:
  max_usd: 5
"""

METRICS = [
    Metric("judge", MetricKind.MEAN, low=1, high=5),
    Metric("f1", MetricKind.MEAN, low=0, high=1),
    Metric("accuracy", MetricKind.PROPORTION, unit="share", low=0, high=1),
    Metric("cost_per_request", MetricKind.MEAN, False, "usd", "cost", low=0),
    Metric("latency_p95", MetricKind.QUANTILE, False, "seconds", "latency", low=0, quantile=0.95),
    Metric("error_rate", MetricKind.PROPORTION, False, "share", low=0, high=1),
]

# (what is replaced, by what, line of the error, fragments that it must hold)
MISTAKES: list[tuple[str, str, int, tuple[str, ...]]] = [
    ("version: 1", "version: 2", 1, ("version", "expected 1", "found 2")),
    ("version: 1\n", "", 1, ("'version' is missing", "add `version: 1`")),
    ("version: 1", "verison: 1", 1, ("verison", "did you mean 'version'")),
    ("dataset: evals/golden.jsonl\n", "", 1, ("'dataset' is missing", "add `dataset:")),
    ("dataset: evals/golden.jsonl", "dataset: 7", 2, ("dataset", "found 7")),
    ("dataset: evals/golden.jsonl", "dataset: {pth: a.jsonl}", 2, ("'pth'", "did you mean 'path'")),
    ("dataset: evals/golden.jsonl", "dataset: [a.jsonl, b.jsonl]", 2, ("dataset",)),
    ("  prompt: prompts", "  promt: prompts", 4, ("'promt'", "did you mean 'prompt'")),
    ("  prompt: prompts/answer.prompt.yml\n", "", 3, ("exactly one of prompt, command", "none")),
    ("  model: gpt-5-mini", "  command: python app.py", 3, ("exactly one", "prompt and command")),
    ("  model: gpt-5-mini", "  modle: gpt-5-mini", 5, ("'modle'", "did you mean 'model'")),
    ("  model: gpt-5-mini", "  model: ''", 5, ("target.model",)),
    ("  model: gpt-5-mini", "  provider: 'my provider'", 5, ("target.provider", "my provider")),
    ("  model: gpt-5-mini", "\tmodel: gpt-5-mini", 5, ("not valid YAML", "indentation")),
    ("  scale: [1, 5]", "  scale: [5, 1]", 8, ("judge.scale", "ascending", "[5, 1]")),
    ("  scale: [1, 5]", "  scale: 5", 8, ("judge.scale", "found 5")),
    ("  scale: [1, 5]", "  repeats: 0", 8, ("judge.repeats", "found 0")),
    ("  model: gpt-5\n", "", 6, ("'judge.model' is missing",)),
    ("  - f1\n", "  - f2\n", 11, ("unknown scorer 'f2'", "did you mean 'f1'")),
    ("  - f1\n", "  - exactmatch\n", 11, ("unknown scorer", "did you mean 'exact_match'")),
    ("pattern: 'A", "patern: 'A", 12, ("'patern'", "did you mean 'pattern'")),
    ("  - f1\n", "  - {contains: {mode: some}}\n", 11, ("mode", "'any', 'all' or 'none'", "found 'some'")),
    ("  - f1\n", "  - {numeric: {absolute: -1}}\n", 11, ("absolute", "-1")),
    ("  - f1\n", "  - {similarity: {}}\n", 11, ("model' is missing",)),
    ("  - f1\n", "  - {f1: {name: 'not a name'}}\n", 11, ("name", "not a name")),
    ("max_drop: 5%}", "max_drop: 5 percent}", 14, ("objectives.judge.max_drop", "5 percent", "such as 5%")),
    ("max_drop: 5%}", "max_dorp: 5%}", 14, ("max_dorp", "did you mean 'max_drop'")),
    ("max_drop: 5%}", "max_drop: -5%}", 14, ("judge.max_drop", "positive amount", "-5%")),
    ("max_drop: 5%}", "max_drop: 5}", 14, ("judge.max_drop", "expected a unit", "5% of base")),
    ("max_drop: 5%}", "max_increase: 5%}", 14, ("higher is better", "only max_drop")),
    ("min: 4.0", "min: 4s", 14, ("judge.min", "expected a number in the metric's own points", "4s")),
    ("min: 4.0", "min: 40", 14, ("judge.min", "expected 1 to 5", "found 40")),
    ("  judge: {min: 4.0, max_drop: 5%}", "  judge: {}", 14, ("at least one of min, max, max_drop", "none")),
    ("  judge: {min: 4.0, max_drop: 5%}", "  jugde: {min: 4.0}", 14, ("'jugde'", "did you mean 'judge'")),
    ("  judge: {min: 4.0, max_drop: 5%}", "  accuracy: {min: 90}", 14, ("did you mean 90%",)),
    ("max: $0.01", "max: 0.01s", 15, ("cost_per_request.max", "money such as $0.01", "10ms")),
    ("max: $0.01", "max: $0.01 usd usd", 15, ("cost_per_request.max", "expected an amount")),
    ("max_increase: 10%", "max_drop: 10%", 15, ("lower is better", "only max_increase")),
    ("latency_p95: {max: 2s}", "latency_p95: {max: 2 hours}", 16, ("latency_p95.max", "2 hours")),
    ("latency_p95: {max: 2s}", "latency_p59: {max: 2s}", 16, ("latency_p59", "did you mean 'latency_p95'")),
    ("latency_p95: {max: 2s}", "latency_p95: {max: $2}", 16, ("a time such as 800ms", "$2")),
    ("latency_p95: {max: 2s}", "latency_p95: {max: .inf}", 16, ("finite",)),
    ("  max_usd: 5", "  max_usd: -5", 18, ("budget.max_usd", "$0.01", "-5")),
    (
        "  max_usd: 5",
        "  max_dollars: 5",
        18,
        ("'max_dollars'", "expected one of: max_calls, max_calls_per_case, max_time, max_usd"),
    ),
    ("budget:", "on_inconclusive: wran\nbudget:", 17, ("'wran'", "did you mean 'warn'")),
    ("budget:", "max_repeats: 1.5\nbudget:", 17, ("max_repeats", "1.5")),
    ("budget:", "judge: {model: x}\nbudget:", 17, ("'judge' is there twice", "first on line 6")),
    ("budget:", "prices: {m: {input: free, output: $1}}\nbudget:", 17, ("prices.m.input", "'free'")),
    ("budget:", "providers: {x: {base_url: example.com}}\nbudget:", 17, ("providers.x.base_url", "example.com")),
    ("budget:", "a: &x 1\nbudget:", 17, ("anchors and aliases are not allowed", "write the value out")),
    ("budget:", "objectives: {judge: {min: 1}\nbudget:", 18, ("not valid YAML",)),
]


@pytest.mark.parametrize(("found", "planted", "line", "fragments"), MISTAKES)
def test_a_planted_mistake_is_named_with_its_line_and_the_mend(
    found: str, planted: str, line: int, fragments: tuple[str, ...]
) -> None:
    assert found in GOOD
    with pytest.raises(ConfigError) as caught:
        loaded = parse_config(GOOD.replace(found, planted, 1), "llm-eval-gate.yml")
        bind_objectives(loaded.config.objectives, loaded.where, METRICS)
    said = str(caught.value)
    assert f"llm-eval-gate.yml:{line}:" in said
    for fragment in fragments:
        assert fragment in said, said


def test_the_config_without_mistakes_is_accepted() -> None:
    loaded = parse_config(GOOD, "llm-eval-gate.yml")
    bound = bind_objectives(loaded.config.objectives, loaded.where, METRICS)
    assert [objective.name for objective in bound] == ["judge", "cost_per_request", "latency_p95", "error_rate"]
    assert bound[-1].implied


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = GOOD.replace("version: 1", "version: 3").replace("- f1", "- f9").replace("  max_usd: 5", "  max_usd: x")
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yml")
    assert [line.split(":")[1] for line in caught.value.message.splitlines()] == ["1", "11", "18"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "found nothing"),
        ("- a\n- b\n", "found list"),
        ("a: [" * 60, "nested deeper"),
        ("x: " + "y" * 1_000_001, "larger than"),
        ("a: *nothing\n", "anchors and aliases"),
        ("<<: {a: 1}\n", "merge keys"),
        ("? [a]\n: 1\n", "plain text"),
        ("a: !!python/object:os.system x\n", "not valid YAML"),
        ("a: 2026-99-99\n", "cannot be read"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_yaml_that_is_no_config_is_refused_in_a_sentence(text: str, fragment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yml")
    assert fragment in str(caught.value)
    assert caught.value.hint
