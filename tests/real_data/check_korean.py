"""The text scores make sense on real Korean sentences."""

import statistics

import pytest

from evaluator.dataset.load import load_cases
from evaluator.scoring.text.exact_match import exact_match
from evaluator.scoring.text.f1 import token_f1
from evaluator.scoring.text.rouge_l import rouge_l
from tests.real_data.conftest import DataFile

PARTICLES = ("은", "는", "이", "가", "을", "를", "의", "에", "도")


@pytest.fixture(scope="module")
def sentences(data_file: DataFile) -> list[tuple[str, str, str]]:
    """(premise, hypothesis, relation) of KLUE-NLI."""
    found = []
    for case in load_cases(data_file("klue_nli_300.jsonl")):
        assert isinstance(case.input, dict)
        found.append((str(case.input["premise"]), str(case.input["hypothesis"]), str(case.expected)))
    assert len(found) == 300
    return found


def test_a_sentence_equals_itself_whatever_its_spacing_and_punctuation(sentences: list[tuple[str, str, str]]) -> None:
    for premise, _, _ in sentences:
        loose = f" {premise.rstrip('.')} "
        assert exact_match(loose, premise) == token_f1(loose, premise) == rouge_l(loose, premise) == 1


def test_particles_cost_little(sentences: list[tuple[str, str, str]]) -> None:
    changed = 0
    for premise, _, _ in sentences:
        words = premise.split()
        bare = [word[:-1] if len(word) > 1 and word.endswith(PARTICLES) else word for word in words]
        for word, stem in zip(words, bare, strict=True):
            if word != stem:
                assert token_f1(stem, word) > 0.5
                changed += 1
        assert token_f1(" ".join(bare), premise) > 0.75
    assert changed > 300


def test_sentences_on_the_same_matter_score_higher_than_strangers(sentences: list[tuple[str, str, str]]) -> None:
    for score in (token_f1, rouge_l):
        together = statistics.fmean(score(hypothesis, premise) for premise, hypothesis, _ in sentences)
        apart = statistics.fmean(
            score(sentences[index - 1][1], premise) for index, (premise, _, _) in enumerate(sentences)
        )
        print(f"{score.__name__}: {together:.2f} together, {apart:.2f} apart")
        assert together > 2 * apart
