"""Paths into an answer lead to one value or say where they end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.records import JsonValue
from evaluator.target.json_path import fill, read_path

WHOLE: JsonValue = {
    "text": "답",
    "choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}],
    "a key": {"x-y": 1},
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", WHOLE),
        ("$.text", "답"),
        ("$.choices[0].message.content", "a"),
        ("$.choices[-1].message.content", "b"),
        ("$.choices[*].message.content", ["a", "b"]),
        ("$['a key']['x-y']", 1),
        ('$["a key"].x-y', 1),
        ("$.none", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, found: JsonValue) -> None:
    assert read_path(path).find(WHOLE) == found


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("$.tekst", '$ has no \'tekst\'; it has "text", "choices"'),
        ("$.text.more", "$.text is text, expected an object with 'more'"),
        ("$.choices[2]", "$.choices has 2 elements, expected one at 2"),
        ("$.choices[*].text", "$.choices[0] has no 'text'"),
        ("$.text[0]", "$.text is text, expected a list"),
        ("$.none.x", "$.none is null"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(path: str, told: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  # what it says is looked at below
        read_path(path).find(WHOLE)
    assert told in str(raised.value)


@pytest.mark.parametrize("path", ["", "text", "$text", "$.", "$[", "$[a]", "$..x", "$.a b", "$[?(@.x)]", "$[1:2]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected a path"):
        read_path(path)


def test_a_template_takes_the_cases_values() -> None:
    values: dict[str, JsonValue] = {"input": {"q": "x", "n": [1, 2]}, "metadata": {}, "case": "c", "repeat": 0}
    template: JsonValue = {
        "question": "$.input.q",
        "rest": ["$.input.n[1]", "$5 off", "$$.input", 3],
        "all": "$.metadata",
    }
    assert fill(template, values) == {"question": "x", "rest": [2, "$5 off", "$.input", 3], "all": {}}
    with pytest.raises(ValueError, match="has no 'city'"):
        fill({"city": "$.input.city"}, values)


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_none(text: str) -> None:
    try:
        found = read_path("$" + text)
    except ValueError:
        return
    assert found.text == "$" + text
