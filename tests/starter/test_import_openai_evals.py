from pathlib import Path

import pytest
import yaml

from evaluator.starter.interface import Imported
from evaluator.starter.openai_evals import import_registry_file
from tests.starter.commands import Sample

REGISTRY = "evals/registry/evals/capitals.yaml"


@pytest.fixture
def evals(sample: Sample) -> list[Imported]:
    return import_registry_file(sample("openai_evals"), REGISTRY)


def test_each_eval_gives_cases(evals: list[Imported]) -> None:
    assert [len(found.cases) for found in evals] == [3, 2, 0, 0]
    assert [case.input for case in evals[1].cases] == ["환불 기간은 얼마인가요?", "배송은 며칠 걸리나요?"]
    assert [case.expected for case in evals[1].cases] == ["14일", ["이틀", "2일"]]
    assert evals[1].scorers == ({"type": "contains", "mode": "any", "ignore_case": False},)


def test_messages_that_never_change_stay_in_the_prompt(evals: list[Imported]) -> None:
    document = yaml.safe_load(evals[0].prompts[0].text or "")
    assert document["messages"] == [
        {"role": "system", "content": "Answer with the capital only."},
        {"role": "user", "content": "{{input}}"},
    ]


def test_text_like_a_template_comes_from_the_case_not_the_prompt(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    (folder / "evals").mkdir(parents=True)
    (folder / "data").mkdir()
    entry = {"a.v0": {"class": "x:Match", "args": {"samples_jsonl": "a.jsonl"}}}
    (folder / "evals" / "a.yaml").write_text(yaml.safe_dump(entry), "utf-8")
    row = '{"input": [{"role": "system", "content": "Say {{ x }}"}, {"role": "user", "content": "%s"}], "ideal": "y"}\n'
    (folder / "data" / "a.jsonl").write_text(row % "one" + row % "two", "utf-8")
    [found] = import_registry_file(tmp_path, "registry/evals/a.yaml")
    assert "Say" not in (found.prompts[0].text or "")
    assert found.cases[0].input == {"system_1": "Say {{ x }}", "user_2": "one"}


@pytest.mark.parametrize(
    "words", ["samples.jsonl:3", "samples.jsonl:5", "samples.jsonl:6", "num_few_shot", "gs://bucket", "etc/passwd"]
)
def test_what_cannot_be_carried_over_is_listed(words: str, evals: list[Imported]) -> None:
    assert words in "\n".join(f"{note.where}: {note.what}: {note.reason}" for found in evals for note in found.left_out)


def test_a_file_without_evals_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: 1\n", "utf-8")
    [found] = import_registry_file(tmp_path, "x.yaml")
    assert "describes no eval" in found.left_out[0].reason
