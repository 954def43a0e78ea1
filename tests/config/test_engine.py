"""What an engine cannot run, or a target cannot tell, is a mistake in the config, told with its line before anything is asked."""

import pytest

from evaluator.config.loading import LoadedConfig, parse_config
from evaluator.config.overrides import Overrides, with_overrides
from evaluator.errors import ConfigError

GOOD = """\
version: 1
engine: batch
dataset: a.jsonl
target: {prompt: p.yml, model: m}
scorers: [judge]
judge: {model: j}
objectives:
  judge: {max_drop: 5%}
"""


def loaded(text: str) -> LoadedConfig:
    return parse_config(text, "llm-eval-gate.yml")


def test_prompts_and_judges_can_be_asked_in_batches() -> None:
    assert loaded(GOOD).config.engine == "batch"


@pytest.mark.parametrize(
    ("found", "planted", "line", "fragment"),
    [
        ("prompt: p.yml, model: m", "command: python app.py", 4, "runs `prompt` targets alone"),
        ("prompt: p.yml, model: m", "python: 'app:answer'", 4, "a program waits for the answer"),
        ("max_drop: 5%}", "max_drop: 5%}\n  latency_p95: {max: 2s}", 9, "latency_p95 cannot be bounded"),
        ("max_drop: 5%}", "max_drop: 5%}\n  latency_mean: {max_increase: 9%}", 9, "it tells no latency"),
        ("model: m}", "provider: local}", 4, "has no Batch API"),
        ("{model: j}", "{model: j, provider: local}", 6, "has no Batch API"),
        ("[judge]", "[{judge: {provider: local}}]", 5, "has no Batch API"),
        ("engine: batch", "engine: bach", 2, "did you mean 'batch'"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(found: str, planted: str, line: int, fragment: str) -> None:
    assert found in GOOD
    with pytest.raises(ConfigError, match=fragment) as caught:
        loaded(GOOD.replace(found, planted, 1))
    assert f"llm-eval-gate.yml:{line}:" in caught.value.message


def test_an_engine_from_the_command_line_is_checked_likewise() -> None:
    text = GOOD.replace("engine: batch\n", "").replace("max_drop: 5%}", "max_drop: 5%}\n  latency_p95: {max: 2s}")
    assert with_overrides(loaded(text), Overrides(engine="local")).config.engine == "local"
    with pytest.raises(ConfigError, match="latency_p95 cannot be bounded"):
        with_overrides(loaded(text), Overrides(engine="batch"))


def test_a_latency_that_the_first_answer_of_a_container_has_not_cannot_be_bounded() -> None:
    timed = GOOD.replace("engine: batch\n", "").replace("max_drop: 5%}", "max_drop: 5%}\n  latency_p95: {max: 2s}")
    with pytest.raises(ConfigError, match=r"llm-eval-gate.yml:8: latency_p95 cannot be bounded for a container"):
        loaded(timed.replace("{prompt: p.yml, model: m}", "{container: {build: .}}"))
    server = timed.replace("{prompt: p.yml, model: m}", "{container: {build: ., http: {answer: $.text}}}")
    assert loaded(server).config.target.container is not None
