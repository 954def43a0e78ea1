from pathlib import Path

import pytest

from evaluator.errors import EvalGateError
from evaluator.starter.github_models import import_prompt_file
from tests.starter.commands import Sample

SUPPORT = "prompts/support.prompt.yml"


def write(root: Path, text: str) -> str:
    (root / "x.prompt.yml").write_text(text, "utf-8")
    return "x.prompt.yml"


def test_test_data_becomes_cases(sample: Sample) -> None:
    found = import_prompt_file(sample("github"), SUPPORT)
    assert [case.input for case in found.cases] == [
        "Where is my parcel?",
        "환불은 언제 되나요?",
        "Kann ich die Rechnung ändern?",
    ]
    assert [case.expected for case in found.cases] == ["tracking", "환불", "Rechnung"]
    assert found.cases[1].metadata == {"topic": "refund"}
    assert found.prompts[0].text is None


def test_evaluators_become_scorers(sample: Sample) -> None:
    found = import_prompt_file(sample("github"), SUPPORT)
    assert {"type": "contains", "mode": "all", "ignore_case": True} in found.scorers
    assert [scorer["type"] for scorer in found.scorers] == ["regex", "contains", "judge"]
    assert (found.provider, found.model) == ("github", "openai/gpt-4.1-mini")
    assert found.judge == ("github", "openai/gpt-4.1")
    assert "the ANSWER" in (found.rubric or "")
    assert "{{" not in (found.rubric or "")


def test_what_has_no_counterpart_is_listed(sample: Sample) -> None:
    found = import_prompt_file(sample("github"), SUPPORT)
    listed = "\n".join(f"{note.where} {note.what} {note.reason}" for note in found.left_out)
    assert "groundedness" in listed
    assert "acme/tone" in listed


def test_equals_compares_exactly_and_only_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "messages: [{role: user, content: '{{input}}'}]\n"
        "testData: [{input: a, expected: Yes!}, {input: b, expected: No!}]\n"
        "evaluators: [{name: same, string: {equals: '{{expected}}'}}]\n",
    )
    found = import_prompt_file(tmp_path, path)
    assert found.scorers == ({"type": "exact_match", "normalize": False},)
    assert [case.expected for case in found.cases] == ["Yes!", "No!"]


def test_a_row_that_does_not_fill_the_prompt_is_left_out_with_its_number(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "messages: [{role: user, content: '{{question}} in {{language}}'}]\n"
        "testData: [{question: a}, {question: b, language: 한국어}, 3]\n",
    )
    found = import_prompt_file(tmp_path, path)
    assert [case.input for case in found.cases] == [{"question": "b", "language": "한국어"}]
    assert ["testData 1" in note.where or "testData 3" in note.what for note in found.left_out] == [True, True]


def test_a_file_without_messages_gives_a_reason(tmp_path: Path) -> None:
    found = import_prompt_file(tmp_path, write(tmp_path, "name: x\n"))
    assert not found.prompts
    assert "messages" in found.left_out[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nmessages: [*a, *a]\n",
        "messages: " + "[" * 60 + "]" * 60,
        "messages: !!python/object/apply:os.system ['touch /tmp/owned']\n",
        "messages: [",
        "x" * 1_100_000,
    ],
)
def test_a_hostile_file_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(EvalGateError):
        import_prompt_file(tmp_path, write(tmp_path, text))


def test_a_template_is_only_parsed_never_worked_out(tmp_path: Path) -> None:
    found = import_prompt_file(
        tmp_path, write(tmp_path, "messages: [{role: user, content: \"{{ 9**9**9 }} {{ 'a' * 10**10 }} {{input}}\"}]\n")
    )
    assert found.prompts[0].variables == ("input",)
