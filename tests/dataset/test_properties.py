"""What holds for any content: round trips, stable ids, and no bytes that make a reader fail but by a DatasetError."""

import json
import tempfile
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.dataset import load_cases
from evaluator.dataset.excerpts import quote
from evaluator.dataset.formats import READERS
from evaluator.dataset.identity import SeenNames, input_id
from evaluator.dataset.names import NameProblem, name_of
from evaluator.errors import DatasetError
from evaluator.records import Case, JsonValue

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
letters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf"])
name = st.text(letters, min_size=1, max_size=30).filter(str.strip)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalar = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | finite | text
value: st.SearchStrategy[JsonValue] = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
case = st.builds(
    Case,
    id=name,
    input=value.filter(lambda found: found is not None),
    expected=value,
    tags=st.lists(name, max_size=3, unique=True).map(tuple),
    metadata=st.dictionaries(text, value, max_size=3),
    cluster=st.none() | name,
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(case, min_size=1, max_size=5, unique_by=lambda one: one.id), st.booleans(), st.sampled_from(["\n", "\r\n"])
)
def test_any_cases_written_as_json_lines_load_back_equal(cases: list[Case], ascii_only: bool, ending: str) -> None:
    rows = [
        {
            "id": c.id,
            "input": c.input,
            "expected": c.expected,
            "tags": list(c.tags),
            "metadata": c.metadata,
            "cluster": c.cluster,
        }
        for c in cases
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "golden.jsonl"
        content = "".join(json.dumps(row, ensure_ascii=ascii_only) + ending for row in rows)
        path.write_text(content, encoding="utf-8", newline="")
        loaded = load_cases(path)
    assert [c.line for c in loaded] == list(range(1, len(cases) + 1))
    assert [Case(c.id, c.input, c.expected, c.tags, c.metadata, c.cluster) for c in loaded] == cases


def shuffled(found: JsonValue, form: Literal["NFC", "NFD"]) -> JsonValue:
    """Reverse the keys of every object and bring all text into another normal form."""
    if isinstance(found, str):
        return unicodedata.normalize(form, found)
    if isinstance(found, list):
        return [shuffled(item, form) for item in found]
    if isinstance(found, dict):
        return {unicodedata.normalize(form, key): shuffled(found[key], form) for key in reversed(list(found))}
    return found


def keys_stay_distinct(found: JsonValue) -> bool:
    """Tell whether no two keys of an object are the same text in different normal forms."""
    if isinstance(found, list):
        return all(keys_stay_distinct(item) for item in found)
    if isinstance(found, dict):
        folded = {unicodedata.normalize("NFC", key) for key in found}
        return len(folded) == len(found) and all(keys_stay_distinct(item) for item in found.values())
    return True


@given(value.filter(keys_stay_distinct))
def test_ids_do_not_depend_on_key_order_or_normal_form(found: JsonValue) -> None:
    assert input_id(found) == input_id(shuffled(found, "NFD")) == input_id(shuffled(found, "NFC"))


def test_a_made_id_is_the_same_for_ever() -> None:
    assert input_id("환불 언제 되나요?") == input_id(unicodedata.normalize("NFD", "환불 언제 되나요?"))
    assert input_id({"b": 1, "a": ["x", None, True, 0.5]}) == "h-7181fb8627c5"


@given(
    st.lists(value, min_size=2, max_size=20, unique_by=lambda found: json.dumps(shuffled(found, "NFC"), sort_keys=True))
)
def test_different_inputs_get_different_ids(values: list[JsonValue]) -> None:
    distinct = [found for found in values if keys_stay_distinct(found)]
    assert len({input_id(found) for found in distinct}) == len(distinct)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=4000))
def test_seen_names_answers_like_a_dictionary(numbers: list[int]) -> None:
    seen, known = SeenNames(), dict[str, int]()
    for line, number in enumerate(numbers, start=1):
        identity = f"case-{number}"
        assert seen.first_line(identity, line) == known.get(identity)
        known.setdefault(identity, line)


def test_seen_names_survives_growing() -> None:
    seen = SeenNames()
    assert all(seen.first_line(str(number), number) is None for number in range(1, 20_001))
    assert all(seen.first_line(str(number), 0) == number for number in range(1, 20_001, 7))


@given(st.text(max_size=300))
def test_quoted_text_is_printable_short_and_commands_nothing(found: str) -> None:
    shown = quote(found)
    assert shown.replace("\u3000", "").isprintable()
    assert len(shown) <= 80 + 3 + 3 * found.count("##[")
    assert "##[" not in shown


@given(st.text(max_size=250))
def test_only_a_blank_long_or_unprintable_text_is_refused_as_a_name(found: str) -> None:
    try:
        assert name_of(found, "id") == found
    except NameProblem:
        assert not found.strip() or len(found) > 200 or not found.isprintable()


PIECES = [
    r'{"input": "x"}',
    r"input",
    r"- ",
    r": ",
    r'"',
    r"'",
    r",",
    r"[",
    r"]",
    r"{",
    r"}",
    r"&a ",
    r"*a",
    r"!!str ",
    r"NaN",
    r"1e999",
    r"\ud800",
    r"cases",
    r"#",
    r"? ",
    r"9999",
]
CONTROL = ["\r", "\0", "\t", "\n", "---\n", "|\n  ", "\ufeff", "9" * 5000]
fragment = st.sampled_from([*(piece.encode() for piece in PIECES + CONTROL), b"\xff"])


@pytest.mark.parametrize("suffix", sorted(READERS))
@settings(max_examples=60, deadline=None)
@given(content=st.lists(fragment, max_size=25).map(b"".join) | st.binary(max_size=60))
def test_no_content_fails_otherwise_than_by_a_dataset_error(suffix: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"golden{suffix}"
        path.write_bytes(content)
        try:
            told = [f"golden:{case.line}" for case in load_cases(path, name="golden")]
        except DatasetError as error:
            told = error.message.splitlines()
    assert told
    assert all(line.startswith(("golden:", "... and ")) for line in told)
