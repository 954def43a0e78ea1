"""Near-duplicates: found in any script, told apart where they differ, in time that grows with the number of cases."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.dataset.near_duplicates import near_duplicates
from evaluator.records import JsonValue

ENGLISH = "I would like to know when the refund for my cancelled order number will arrive on my bank account, please."
KOREAN = "지난주에 취소한 주문의 환불 금액이 제 은행 계좌로 언제 들어오는지 알고 싶습니다. 확인 부탁드립니다."
JAPANESE = "先週キャンセルした注文の返金がいつ銀行口座に入るのか教えてください。よろしくお願いします。"


@pytest.mark.parametrize("text", [ENGLISH, KOREAN, JAPANESE])
def test_a_small_edit_is_found_in_every_script(text: str) -> None:
    middle = len(text) // 2
    edited = text[:middle] + text[middle + 1 :] + "!"
    others: list[JsonValue] = [ENGLISH, KOREAN, JAPANESE]
    assert near_duplicates([*others, edited]) == [[others.index(text), 3]]


def test_case_width_and_spacing_make_no_difference() -> None:
    assert near_duplicates(["Hello  World, how are you?", "other", "hello world, \uff48ow are you?"]) == [[0, 2]]


def test_questions_about_one_document_are_told_apart() -> None:
    inputs: list[JsonValue] = [
        {"context": KOREAN * 20, "question": f"{word}?"} for word in ("언제", "어디서", "누가 왜")
    ]
    assert near_duplicates(inputs) == []
    assert near_duplicates([*inputs, {"context": KOREAN * 20 + "!", "question": "언제?"}]) == [[0, 3]]


def test_objects_with_other_keys_and_short_texts_are_told_apart() -> None:
    assert near_duplicates([{"q": ENGLISH}, {"question": ENGLISH}, "a", "b", "", 1, 2, None, [1], [2]]) == []
    assert near_duplicates(["hi", "bye", "HI "]) == [[0, 2]]


def test_chains_of_near_duplicates_form_one_group() -> None:
    words = ENGLISH.split()
    chain: list[JsonValue] = [" ".join([*words, *("x" * n for n in range(1, count))]) for count in range(1, 5)]
    assert near_duplicates([*chain, KOREAN]) == [[0, 1, 2, 3]]


def jaccard(first: str, second: str) -> float:
    """Similarity of the five-letter runs of two plain ASCII texts, by definition."""
    one, two = ({text[at : at + 5] for at in range(len(text) - 4)} for text in (first, second))
    return len(one & two) / len(one | two)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_a_pair_is_found_if_and_only_if_its_similarity_reaches_the_threshold(seed: int, edits: int) -> None:
    generator = random.Random(seed)
    letters = [generator.choice("abcdefgh") for _ in range(120)]
    first = "".join(letters)
    for _ in range(edits):
        letters[generator.randrange(120)] = "z"
    second = "".join(letters)
    assert near_duplicates([first, second]) == ([[0, 1]] if jaccard(first, second) >= 0.8 else [])


def test_five_thousand_cases_take_a_few_seconds_even_with_one_shared_template() -> None:
    generator = random.Random(3)
    words = ["".join(generator.choices("가나다라마바사아자차카타파하", k=3)) for _ in range(2000)]
    template = "You are a helpful assistant of a bank. Answer the customer's question in a short polite sentence. "
    inputs: list[JsonValue] = [template + " ".join(generator.choices(words, k=8)) for _ in range(5_000)]
    inputs[4_999] = f"{inputs[17]}."
    started = time.process_time()
    groups = near_duplicates(inputs)
    assert time.process_time() - started < 15, "takes about 1.5 s on an idle core"
    assert [17, 4_999] in groups
