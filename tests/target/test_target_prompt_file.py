"""A prompt file is read as it is meant, and a wrong one is named with file, line and what was expected."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator.errors import EvalGateError, TargetError
from evaluator.target import PromptFile, PromptMessage, load_prompt

GOOD = """\
name: 티켓 분류
description: Routes tickets
model: openai/gpt-4o-mini
modelParameters:
  temperature: 0.5
  maxTokens: 100
  topP: 1
  maxCompletionTokens: 5
messages:
  - role: system
    content: You route tickets.
  - role: user
    content: |
      티켓: {{input}}
      {% for item in items %}{{ item }}{% endfor %}
responseFormat: json_schema
jsonSchema: |-
  {"name": "route", "strict": true, "schema": {"type": "object"}}
testData:
  - input: x
evaluators:
  - name: y
"""


def load(tmp_path: Path, text: str | bytes, name: str = "p.prompt.yml") -> PromptFile:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_prompt(path, name=name)


def test_a_file_in_the_github_models_format_is_read(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    assert prompt.model == "openai/gpt-4o-mini"
    assert prompt.params == {"temperature": 0.5, "max_tokens": 100, "top_p": 1, "max_completion_tokens": 5}
    assert prompt.messages[0] == PromptMessage("system", "You route tickets.", 11)
    assert prompt.messages[1].line == 14
    assert prompt.messages[1].template.startswith("티켓: {{input}}\n")
    assert prompt.variables == ("input", "item", "items")
    assert prompt.description == "Routes tickets"
    assert prompt.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "route", "strict": True, "schema": {"type": "object"}},
    }


@pytest.mark.parametrize("name", ["p.txt", "p.jinja", "p.j2", "p.md", "prompt"])
def test_any_other_file_is_one_user_message(tmp_path: Path, name: str) -> None:
    prompt = load(tmp_path, b"\xef\xbb\xbfSay:\r\n{{ input }}\n", name)
    assert prompt.messages == (PromptMessage("user", "Say:\n{{ input }}\n", 1),)
    assert (prompt.model, prompt.response_format, prompt.params) == (None, None, {})


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", None),
        ("responseFormat: text", None),
        ("responseFormat: json_object", {"type": "json_object"}),
        (
            "responseFormat: json_schema\njsonSchema: {type: object}",
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        ),
        (
            "responseFormat: json_schema\njsonSchema: {schema: {type: object}}",
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        ),
    ],
)
def test_response_formats(tmp_path: Path, extra: str, expected: object) -> None:
    assert load(tmp_path, f"messages: [{{role: user, content: hi}}]\n{extra}\n").response_format == expected


MESSAGES = "messages: [{role: user, content: hi}]\n"
WRONG = [
    ("", ":1: expected a mapping", "messages"),
    ("- a", ":1: expected a mapping", "messages"),
    ("model: x\n", ":1: expected `messages`", "role: user"),
    ("mesages: []\n", ":1: key 'mesages' is not known", "did you mean messages?"),
    (MESSAGES + "temperature: 0\n", ":2: key 'temperature' is not known", "modelParameters"),
    (MESSAGES + "model_parameters: {}\n", ":2: key", "did you mean modelParameters?"),
    ("messages: []\n", ":1: expected `messages`", ""),
    ("messages:\n  - hi\n", ":2: a message must have", ""),
    ("messages:\n  - role: usr\n    content: x\n", ":2: role 'usr'", "did you mean user?"),
    ("messages:\n  - role: user\n    contents: x\n", ":3: key 'contents'", "did you mean content?"),
    ("messages:\n  - role: user\n", ":2: content must be text, found None", "quotes"),
    ("messages:\n  - role: user\n    content: 3\n", ":3: content must be text, found 3", "quotes"),
    ("messages:\n  - role: user\n    content: {{input}}\n", ":3: ", ""),
    (MESSAGES + "model: [a]\n", ":2: `model` must be text", ""),
    (MESSAGES + "model: ''\n", ":2: `model` must be text", ""),
    (MESSAGES + "modelParameters: [a]\n", ":2: `modelParameters` must be a mapping", ""),
    (MESSAGES + "modelParameters:\n  temprature: 0\n", ":3: parameter 'temprature'", "did you mean temperature?"),
    (MESSAGES + "modelParameters:\n  temperature: hot\n", ":3: temperature is 'hot', expected a number from 0", ""),
    (MESSAGES + "modelParameters:\n  temperature: 3\n", ":3: temperature is '3'", ""),
    (MESSAGES + "modelParameters:\n  maxTokens: true\n", ":3: maxTokens is 'True'", ""),
    (MESSAGES + "modelParameters:\n  maxTokens: 1.5\n", ":3: maxTokens", ""),
    (MESSAGES + "modelParameters:\n  stream: true\n", ":3: parameter 'stream'", ""),
    (MESSAGES + "modelParameters:\n  topP: 1\n  top_p: 1\n", ":4: top_p is there twice", ""),
    (MESSAGES + "responseFormat: json\n", ":2: responseFormat is 'json'", ""),
    (MESSAGES + "responseFormat: json_schema\n", ":2: json_schema needs", ""),
    (MESSAGES + "jsonSchema: '{}'\n", ":2: jsonSchema has no effect", "responseFormat: json_schema"),
    (MESSAGES + "responseFormat: json_schema\njsonSchema: '{'\n", ":3: jsonSchema is not JSON", ""),
    (MESSAGES + "responseFormat: json_schema\njsonSchema: '[]'\n", ":3: jsonSchema must be an object", ""),
    (MESSAGES + "responseFormat: json_schema\njsonSchema: {name: 'a b', schema: {}}\n", ":3: the schema's name", ""),
    (MESSAGES + "responseFormat: json_schema\njsonSchema: {schema: 1}\n", ":3: `schema`", ""),
    ("messages: &a\n  - *a\n", ":1: YAML anchors", ""),
    ("messages: !!python/object/apply:os.system [id]\n", "", ""),
    ("a: 1\na: 2\n", ":2: key 'a' is there twice", ""),
    ("messages:\n  - role: user\n    content: |\n      one\n      {% if %}\n", ":5: not a Jinja2 template", "raw"),
    ("messages:\n  - role: user\n    content: '{{ a | upperr }}'\n", ":3: there is no filter 'upperr'", ""),
    ("messages:\n  - role: user\n    content: '{{ [1]|random }}'\n", ":3: there is no filter 'random'", ""),
    ("messages:\n  - role: user\n    content: \"{% include '/etc/passwd' %}\"\n", ":3: a prompt cannot include", ""),
]


@pytest.mark.parametrize(("text", "message", "hint"), WRONG)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(TargetError) as caught:
        load(tmp_path, text)
    assert caught.value.message.startswith("p.prompt.yml")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the prompt is empty"),
        (b" \n", "the prompt is empty"),
        (b"one\ncaf\xe9", "p.txt:2: not UTF-8"),
        (b"x" * 1_000_001, "expected at most 1000000"),
        (b"one\n\n{{ input", "p.txt:3: not a Jinja2 template"),
        (b"{{ " + b"(" * 5_000, "p.txt:1: "),
    ],
)
def test_a_wrong_text_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(TargetError) as caught:
        load(tmp_path, content, "p.txt")
    assert message in caught.value.message


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="No such file"):
        load_prompt(tmp_path / "missing.txt", name="missing.txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.text(alphabet="{}%#|:-[]'\"\n abc&*!", max_size=60), st.booleans())
def test_any_text_is_a_prompt_or_an_error_of_ours(tmp_path: Path, text: str, yaml: bool) -> None:
    try:
        prompt = load(tmp_path, text, "p.prompt.yml" if yaml else "p.txt")
    except EvalGateError:
        return
    assert prompt.messages
