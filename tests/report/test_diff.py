"""Word diffs: both texts come back whole, changes are marked by words, and no pair of texts takes long."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.report.diff import difference
from tests.report.strategies import texts

WORDS = st.lists(st.sampled_from(["the", "app", "asks", "환불", "です", "要", " ", "\n", "."]), max_size=40).map(
    "".join
)


@given(texts | WORDS, texts | WORDS)
def test_the_pieces_of_each_side_are_its_text(base: str, head: str) -> None:
    found = difference(base, head)
    assert "".join(piece.text for piece in found.base) == base
    assert "".join(piece.text for piece in found.head) == head
    assert {piece.kind for piece in found.base} <= {"same", "gone"}
    assert {piece.kind for piece in found.head} <= {"same", "new"}


@given(WORDS, WORDS)
def test_what_is_the_same_is_the_same_on_both_sides(base: str, head: str) -> None:
    found = difference(base, head)
    if not found.rewritten:
        kept = ["".join("".join(p.text.split()) for p in side if p.kind == "same") for side in (found.base, found.head)]
        assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("base", "head", "gone", "new"),
    [
        ("Please refund one payment.", "Please refund two payments.", ["one payment"], ["two payments"]),
        ("결제를 취소해 주세요.", "결제를 환불해 주세요.", ["취소해"], ["환불해"]),
        ("請求書の宛名を変更", "請求書の住所を変更", ["宛名"], ["住所"]),
    ],
)
def test_words_are_marked(base: str, head: str, gone: list[str], new: list[str]) -> None:
    found = difference(base, head)
    assert [piece.text for piece in found.base if piece.kind == "gone"] == gone
    assert [piece.text for piece in found.head if piece.kind == "new"] == new


def test_unrelated_texts_are_called_rewritten() -> None:
    assert difference("alpha beta gamma", "one two three").rewritten


@pytest.mark.parametrize("words", [1, 2, 20, 500, 5000])
def test_no_pair_of_texts_takes_long(words: int) -> None:
    chance = random.Random(words)
    texts = [" ".join(str(chance.randrange(words)) for _ in range(4000)) for _ in range(2)]
    started = time.process_time()
    difference(*texts)
    assert time.process_time() - started < 5
