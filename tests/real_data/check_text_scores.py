"""F1, exact match and ROUGE-L equal their references on real pairs of texts."""

import itertools
import re
import string
import unicodedata

import pytest
from rouge_score.rouge_scorer import RougeScorer

from evaluator.scoring.text.exact_match import exact_match
from evaluator.scoring.text.f1 import token_f1
from evaluator.scoring.text.rouge_l import rouge_l
from evaluator.scoring.text.tokens import rouge_tokens
from tests.real_data.conftest import Rows
from tests.scoring.references import squad_exact_match, squad_f1

Pairs = list[tuple[str, str]]
"""(answer, expected)."""
LEAST = 500


class OurTokens:
    """Our tokens in rouge-score's place for them."""

    def tokenize(self, text: str) -> list[str]:
        return list(rouge_tokens(text))


@pytest.fixture(scope="module")
def pairs(rows: Rows) -> Pairs:
    """Real pairs: sentences and their answers, questions and answers, and two real systems' solutions."""
    found: Pairs = []
    for row in rows("xquad_en_200.jsonl"):
        context, answer = row["input"]["context"], row["expected"][0]
        sentence = next((part for part in re.split(r"(?<=[.!?]) ", context) if answer in part), context)
        found += [(sentence, answer), (context, row["input"]["question"]), (answer, answer)]
    for row in rows("nq_open_200.jsonl"):
        found += [*itertools.pairwise(row["expected"]), (row["input"], row["expected"][0])]
    questions = {row["id"]: row["input"] for row in rows("gsm8k_test.jsonl")}
    others = {row["id"]: row["output"] for row in rows("gsm8k_outputs/6b_verification.jsonl")}
    for row in rows("gsm8k_outputs/6b_finetuning.jsonl")[:400]:
        found += [(row["output"], others[row["id"]]), (row["output"], questions[row["id"]])]
    return found


def test_all_three_equal_their_references_on_english(pairs: Pairs) -> None:
    english = [pair for pair in pairs if "".join(pair).isascii()]
    rouge = RougeScorer(["rougeL"])
    for answer, expected in english:
        assert token_f1(answer, expected) == pytest.approx(squad_f1(answer, expected), abs=1e-12)
        assert exact_match(answer, expected) == squad_exact_match(answer, expected)
        assert rouge_l(answer, expected) == pytest.approx(rouge.score(expected, answer)["rougeL"].fmeasure, abs=1e-12)
    print(f"{len(english)} of {len(english)} English pairs equal")
    assert len(english) >= LEAST
    values = [token_f1(*pair) for pair in english]
    assert len(set(values)) > LEAST / 5, "the pairs must spread over the scale"
    assert min(values) == 0
    assert max(values) == 1


def test_typographic_punctuation_and_accents_are_the_only_difference(pairs: Pairs) -> None:
    """Curly quotes and dashes are punctuation, Chinese characters are words, accented letters stay in their words."""
    others = [pair for pair in pairs if not "".join(pair).isascii()]
    rouge = RougeScorer(["rougeL"], tokenizer=OurTokens())
    assert len(others) > 100
    for answer, expected in others:
        assert token_f1(answer, expected) == pytest.approx(squad_f1(plain(answer), plain(expected)), abs=1e-12)
        assert rouge_l(answer, expected) == pytest.approx(rouge.score(expected, answer)["rougeL"].fmeasure, abs=1e-12)


def plain(text: str) -> str:
    """Write a text so that the SQuAD script sees what it would if it knew more than ASCII."""
    normal = unicodedata.normalize("NFKC", text).replace("\u200b", "")
    kept = (char for char in normal if char in string.punctuation or unicodedata.category(char)[0] != "P")
    return re.sub("([\u4e00-\u9fff])", r" \1 ", "".join(kept))
