"""Settings from outside that replace the file's own."""

import pytest

from evaluator.config.loading import LoadedConfig, parse_config
from evaluator.config.overrides import Overrides, with_overrides
from evaluator.errors import ConfigError

TEXT = """\
version: 1
dataset: a.jsonl
target: {prompt: p.yml, model: m}
judge: {model: small}
scorers: [judge, f1, {regex: {pattern: x}}]
objectives: {judge: {max_drop: 5%}}
budget: {max_calls: 9}
"""


def loaded(text: str = TEXT) -> LoadedConfig:
    return parse_config(text, "llm-eval-gate.yml")


def test_what_is_set_replaces_the_files_own_and_nothing_else() -> None:
    given = Overrides(
        dataset_path="b.jsonl", judge_model="large", max_repeats=5, concurrency=2, max_usd=1.5, on_inconclusive="fail",
        engine="ray",
    )  # fmt: skip
    config = with_overrides(loaded(), given).config
    assert (config.dataset.path, config.judge and config.judge.model, config.max_repeats) == ("b.jsonl", "large", 5)
    assert (config.concurrency, config.budget.max_usd, config.budget.max_calls) == (2, 1.5, 9)
    assert config.on_inconclusive == "fail"
    assert (config.engine, loaded().config.engine) == ("ray", "local")
    assert config.scorers == loaded().config.scorers
    assert with_overrides(loaded(), Overrides()) == loaded()


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(ConfigError, match="max_repeats"):
        with_overrides(loaded(), Overrides(max_repeats=99))
    without = TEXT.replace("judge: {model: small}\n", "").replace("[judge, ", "[").replace("{judge:", "{f1:")
    with pytest.raises(ConfigError, match="has no judge"):
        with_overrides(loaded(without), Overrides(judge_model="x"))
