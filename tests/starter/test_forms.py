"""Properties of the written forms: patterns mean their checks, YAML and JSON Lines read back as they were."""

import re
import tempfile
from pathlib import Path
from typing import Literal

import yaml
from hypothesis import given
from hypothesis import strategies as st

from evaluator.dataset.load import load_cases
from evaluator.records import JsonValue
from evaluator.starter.checks import TextCheck, to_pattern
from evaluator.starter.golden import fitting_scorers, golden_text
from evaluator.starter.interface import NewCase
from evaluator.starter.prompt_text import file_stem, prompt_yaml
from evaluator.starter.render import yaml_flow

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
WORDS = st.text(alphabet="abAB.*( 한\n", min_size=1, max_size=4)


def holds(check: TextCheck, answer: str) -> bool:
    def fits(value: str) -> bool:
        value, text = (value.lower(), answer.lower()) if check.ignore_case else (value, answer)
        return {
            "equals": text.strip() == value.strip(),
            "contains": value in text,
            "starts_with": text.startswith(value) or text.lstrip().startswith(value),
            "ends_with": text.endswith(value) or text.rstrip().endswith(value),
        }[check.kind]

    found = [fits(value) for value in check.values]
    return (all(found) if check.every else any(found)) != check.negated


CHECKS = st.builds(
    TextCheck,
    kind=st.sampled_from(["equals", "contains"]),
    values=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    every=st.booleans(),
    ignore_case=st.booleans(),
    negated=st.booleans(),
)


@given(st.lists(CHECKS, min_size=1, max_size=3), st.text(alphabet="abAB.*( 한\n", max_size=12))
def test_a_pattern_is_found_exactly_where_all_checks_hold(checks: list[TextCheck], answer: str) -> None:
    assert (re.search(to_pattern(checks), answer) is not None) == all(holds(check, answer) for check in checks)


@given(
    st.sampled_from(["starts_with", "ends_with"]),
    st.text("ab.한", min_size=1, max_size=3),
    st.text("ab.한 ", max_size=8),
)
def test_beginnings_and_ends_are_found_past_white_space(
    kind: Literal["starts_with", "ends_with"], value: str, answer: str
) -> None:
    check = TextCheck(kind, (value,))
    assert (re.search(to_pattern([check]), answer) is not None) == holds(check, answer)


@given(VALUES)
def test_any_value_reads_back_from_one_line_of_yaml(value: JsonValue) -> None:
    text = yaml_flow(value)
    assert "\n" not in text
    assert yaml.safe_load(f"key: {text}\n") == {"key": value}


@given(VALUES, TEXTS)
def test_rows_read_back_as_they_were_written(given_input: JsonValue, expected: str) -> None:
    cases = [NewCase(given_input if given_input is not None else "x", expected, metadata={"note": expected})]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text(golden_text(cases), "utf-8")
        [case] = load_cases(path)
    assert (case.input, case.expected, case.metadata) == (cases[0].input, expected, {"note": expected})


def test_rows_with_the_same_input_get_ids_and_equal_rows_stand_once(tmp_path: Path) -> None:
    cases = [NewCase("a", "1"), NewCase("a", "2"), NewCase("a", "2"), NewCase("a", "1"), NewCase("b", "1")]
    (tmp_path / "x.jsonl").write_text(golden_text(cases), "utf-8")
    assert [(case.input, case.expected) for case in load_cases(tmp_path / "x.jsonl")] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
    ]


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=60), min_size=1, max_size=3))
def test_a_prompt_reads_back_as_it_was_written(contents: list[str]) -> None:
    messages = [("user", content) for content in contents]
    document = yaml.safe_load(prompt_yaml("x", messages))
    assert [(message["role"], message["content"]) for message in document["messages"]] == messages


@given(TEXTS)
def test_file_names_stay_in_their_folder(name: str) -> None:
    stem = file_stem(name)
    assert 0 < len(stem) <= 60
    assert "/" not in stem
    assert not stem.startswith(".")


def scorer_for(*expected: JsonValue) -> object:
    return fitting_scorers([NewCase(str(number), value) for number, value in enumerate(expected)])[0]["type"]


def test_scorers_fit_the_expected_answers() -> None:
    assert scorer_for("1", 2, "3.5") == "numeric"
    assert scorer_for(*["환불", "배송", "기타"] * 4) == "classification"
    assert scorer_for(*["Yes", "yes", "no"] * 4) == "exact_match"
    assert scorer_for("Paris", "Rome", "Seoul") == "exact_match"
    assert scorer_for("A long answer that says much.", "Another one, as long as the first.") == "f1"
    assert scorer_for(None, None) == "judge"
    assert scorer_for({"tool": "x"}, "y") == "judge"
