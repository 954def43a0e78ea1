"""exact_match, f1 and rouge_l agree with their published definitions, and treat every script with sense."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from evaluator.records import MetricKind, Output
from evaluator.scoring.text.exact_match import exact_match
from evaluator.scoring.text.f1 import token_f1
from evaluator.scoring.text.rouge_l import common_subsequence_length, rouge_l
from tests.scoring.conftest import Value, make_scorer, score_of
from tests.scoring.references import squad_exact_match, squad_f1

WORDS = st.sampled_from(
    [
        "the",
        "a",
        "an",
        "cat",
        "Cat",
        "cat's",
        "U.S.",
        "well-known",
        "$5",
        "1.5",
        "_x",
        "The-end",
        "(b)",
        "x\ty",
        "\n",
        "-",
        "",
    ]
)
ENGLISH = st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.text(st.characters(max_codepoint=127), max_size=40))
ROUGE = RougeScorer(["rougeL"])


@given(ENGLISH, ENGLISH)
def test_exact_match_and_f1_equal_the_squad_script_on_english(answer: str, expected: str) -> None:
    assert exact_match(answer, expected) == squad_exact_match(answer, expected)
    if answer.strip() or expected.strip():
        assert token_f1(answer, expected) == pytest.approx(squad_f1(answer, expected), abs=1e-12)


@given(ENGLISH, ENGLISH)
def test_rouge_l_equals_rouge_score_on_english(answer: str, expected: str) -> None:
    if answer.strip() or expected.strip():
        assert rouge_l(answer, expected) == pytest.approx(ROUGE.score(expected, answer)["rougeL"].fmeasure, abs=1e-12)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_common_subsequence_equals_the_textbook_table(first: list[str], second: list[str]) -> None:
    row = [0] * (len(second) + 1)
    for token in first:
        above = row[:]
        for index, other in enumerate(second):
            row[index + 1] = above[index] + 1 if token == other else max(above[index + 1], row[index])
    assert common_subsequence_length(first, second) == row[-1]


@given(st.text(), st.text())
def test_any_text_scores_between_0_and_1_and_itself_1(answer: str, expected: str) -> None:
    for compare in (exact_match, token_f1, rouge_l):
        assert 0 <= compare(answer, expected) <= 1
        assert compare(answer, expected) == compare(expected, answer)
    assert exact_match(answer, answer) == 1


def test_two_blank_texts_agree_and_one_alone_does_not() -> None:
    for compare in (exact_match, token_f1, rouge_l):
        assert compare(" ", "") == 1
        assert compare("", "word") == compare("word", "") == 0


@pytest.mark.parametrize(
    ("answer", "expected", "f1"),
    [
        ("서울은", "서울", 0.8),  # a particle costs a syllable, not the word
        ("세종대왕이", "세종대왕을", 0.8),
        ("서울", "부산", 0.0),
        ("東京都", "東京", 0.8),
        ("ラーメン", "ラーメン。", 1.0),
        ("東京、大阪", "東京大阪", 1.0),
        ("北京", "上海", 0.0),
        ("กรุงเทพ", "กรุงเทพ", 1.0),
        ("Москва", "москва!", 1.0),
        ("ＡＢＣ　１２３", "abc 123", 1.0),
        ("“Zürich”", "zürich", 1.0),
        ("1990–2000", "1990-2000", 1.0),
    ],
)
def test_f1_in_other_scripts(answer: str, expected: str, f1: float) -> None:
    assert token_f1(answer, expected) == pytest.approx(f1)
    assert rouge_l(answer, expected) > 0 if f1 else rouge_l(answer, expected) == 0


def test_korean_decomposed_as_by_macos_equals_the_composed_form() -> None:
    word = "대한민국"
    assert exact_match(unicodedata.normalize("NFD", word), word) == 1
    assert token_f1(unicodedata.normalize("NFD", word), word) == 1


def test_the_best_of_several_acceptable_answers_counts(value: Value) -> None:
    assert value("exact_match", "NYC", ["New York", "nyc"]) == 1
    assert value("f1", "New York City", ["Boston", "New York"]) == pytest.approx(0.8)


def test_without_expected_the_metric_does_not_apply(value: Value) -> None:
    for scorer in ("exact_match", "f1", "rouge_l"):
        assert value(scorer, "anything") is None
        assert value(scorer, "anything", []) is None
        assert value(scorer, "anything", [None]) is None


def test_exact_match_without_normalisation_keeps_case_and_punctuation(value: Value) -> None:
    strict = {"exact_match": {"normalize": False}}
    assert value(strict, " Yes. ", "Yes.") == 1
    assert value(strict, "yes", "Yes") == 0


def test_a_field_of_a_json_answer_is_compared(value: Value) -> None:
    scorer = {"f1": {"field": "result.0.name"}}
    assert value(scorer, '{"result": [{"name": "Seoul"}]}', "seoul") == 1
    assert value(scorer, Output(data={"result": [{"name": "Seoul"}]}), "seoul") == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Seoul", "not JSON"),
        ("{}", "no 'result'"),
        ('{"result": []}', "no item '0'"),
        ('{"result": [{"name": null}]}', "null"),
        ('{"result": 3}', "neither an object nor a list"),
        ("NaN", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_missing_field_is_a_wrong_answer_with_a_reason(answer: str, reason: str) -> None:
    score = score_of({"f1": {"field": "result.0.name"}}, answer, "seoul")
    assert score.values == {"f1": 0.0}
    assert reason in score.reason


def test_a_field_is_followed_in_an_expected_object_too(value: Value) -> None:
    scorer = {"exact_match": {"field": "city"}}
    assert value(scorer, '{"city": "Seoul"}', {"city": ["seoul", "서울"], "country": "Korea"}) == 1
    assert value(scorer, '{"city": "Seoul"}', {"country": "Korea"}) is None


def test_metrics_say_how_they_are_summarised() -> None:
    [exact] = make_scorer("exact_match").metrics
    [f1] = make_scorer({"f1": {"name": "answer_f1"}}).metrics
    assert (exact.name, exact.kind, exact.unit, exact.low, exact.high) == (
        "exact_match",
        MetricKind.PROPORTION,
        "share",
        0,
        1,
    )
    assert (f1.name, f1.kind) == ("answer_f1", MetricKind.MEAN)
