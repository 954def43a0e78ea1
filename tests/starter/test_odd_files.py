"""Whatever another tool's file holds, it is imported, listed or refused with a reason; there is never a traceback."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.dataset.load import load_cases
from evaluator.errors import EvalGateError
from evaluator.records import JsonValue
from evaluator.starter.golden import golden_text
from evaluator.starter.interface import Imported
from evaluator.starter.promptfoo_asserts import assertion_from_text
from evaluator.starter.scan import scan

WORDS = st.sampled_from(
    ["", "input", "{{q}}", "{{ q | upper }}", "{% if", "file://x.txt", "file://../x", "file:///etc/passwd", "x.csv",
     "openai:gpt-5-mini", "a,b", "한국어", "\u202e", "a\nb", "([", "assistant", "user", "system", "github/similarity"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["prompts", "providers", "tests", "defaultTest", "assert", "type", "value", "threshold", "vars", "options",
     "metadata", "description", "id", "config", "provider", "raw", "path", "q", "messages", "role", "content",
     "testData", "evaluators", "string", "contains", "equals", "llm", "prompt", "choices", "uses", "expected", "input",
     "name", "model", "modelId", "class", "args", "samples_jsonl", "ideal", "temperature"]
)  # fmt: skip
TYPES = st.sampled_from(["equals", "contains-any", "not-contains", "regex", "is-json", "llm-rubric", "similar", "cost"])
LEAVES = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats() | WORDS | TYPES
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
ASSERTIONS = st.fixed_dictionaries({"type": TYPES}, optional={"value": ANYTHING, "threshold": LEAVES})
TESTS = st.fixed_dictionaries({}, optional={"vars": ANYTHING, "assert": st.lists(ASSERTIONS | ANYTHING, max_size=3)})
PROMPTFOO = st.fixed_dictionaries(
    {"prompts": st.just(["{{q}}"]) | ANYTHING, "tests": st.lists(TESTS | ANYTHING, max_size=4)},
    optional={"providers": ANYTHING, "defaultTest": TESTS | ANYTHING},
)
EVALUATORS = st.fixed_dictionaries({}, optional={"name": WORDS, "string": ANYTHING, "llm": ANYTHING, "uses": ANYTHING})
GITHUB = st.fixed_dictionaries(
    {"messages": st.just([{"role": "user", "content": "{{input}}"}]) | ANYTHING},
    optional={
        "testData": st.lists(st.dictionaries(KEYS, LEAVES, max_size=4) | ANYTHING, max_size=4),
        "evaluators": st.lists(EVALUATORS | ANYTHING, max_size=3),
        "model": LEAVES,
    },
)
SAMPLES = st.lists(st.fixed_dictionaries({"input": WORDS | ANYTHING}, optional={"ideal": ANYTHING}), max_size=4)


def check(root: Path) -> None:
    """Scan, and see that what is found can be written and read back."""
    found = scan(root)
    for choice in found.choices:
        imported = choice.imported or Imported("", "")
        if imported.cases:
            (root / "golden.jsonl").write_text(golden_text(imported.cases), "utf-8")
            assert load_cases(root / "golden.jsonl")
        for note in (*imported.left_out, *imported.adapted):
            assert (note.where + note.what + note.reason).isprintable()


def text_of(value: object) -> str:
    return json.dumps(value).replace("Infinity", "9e99").replace("NaN", "0")


@settings(deadline=None)
@given(PROMPTFOO | ANYTHING)
def test_any_promptfoo_config(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "promptfooconfig.json").write_text(text_of(value), "utf-8")
        (Path(folder) / "x.txt").write_text("text {{q}}", "utf-8")
        (Path(folder) / "x.csv").write_text("q,__expected\na,contains: b\n", "utf-8")
        check(Path(folder))


@settings(deadline=None)
@given(GITHUB | ANYTHING)
def test_any_prompt_file(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.prompt.yml").write_text(text_of(value), "utf-8")
        check(Path(folder))


@settings(deadline=None)
@given(SAMPLES, st.sampled_from(["Match", "Includes", "FuzzyMatch", "JsonMatch", "Own"]), ANYTHING)
def test_any_samples_of_an_eval(samples: list[object], kind: str, other: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("evals", "data"):
            (Path(folder) / "registry" / name).mkdir(parents=True)
        entry = {"a.v0": {"class": f"x:{kind}", "args": {"samples_jsonl": "a.jsonl"}}, "b.v0": other}
        (Path(folder) / "registry/evals/a.yaml").write_text(text_of(entry), "utf-8")
        lines = "".join(text_of(sample) + "\n" for sample in samples)
        (Path(folder) / "registry/data/a.jsonl").write_text(lines, "utf-8")
        check(Path(folder))


@given(st.text(max_size=40) | st.from_regex(r"\A(not-)?(contains|similar|regex)(\([0-9.]{1,4}\))?:.{0,9}\Z"))
def test_any_cell_is_an_assertion(text: str) -> None:
    found = assertion_from_text(text)
    assert isinstance(found["type"], str)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("note: this is text", {"type": "equals", "value": "note: this is text"}),
        ("not-contains: 몰라요", {"type": "not-contains", "value": "몰라요"}),
        ("similar(0.8): Hello", {"type": "similar", "value": "Hello", "threshold": 0.8}),
        ("grade: is polite", {"type": "llm-rubric", "value": "is polite"}),
        ("fn: output", {"type": "javascript", "value": "output"}),
        ("file://check.py", {"type": "javascript", "value": "check.py"}),
    ],
)
def test_short_assertions_are_read(cell: str, expected: dict[str, JsonValue]) -> None:
    assert assertion_from_text(cell) == expected


def test_a_row_in_a_cyclic_folder_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "promptfooconfig.yaml").write_text("prompts: ['{{q}}']\ntests: file://loop/**/*.csv\n", "utf-8")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "again").symlink_to(tmp_path / "loop")
    found = scan(tmp_path)
    assert not found.choices[0].imported or not found.choices[0].imported.cases
    with pytest.raises(EvalGateError):
        load_cases(tmp_path / "golden.jsonl")
