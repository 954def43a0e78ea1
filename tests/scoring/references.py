"""The published definitions that our scorers must agree with, written again as plainly as possible."""

import string


def squad_normalise(text: str) -> str:
    """Rajpurkar et al. 2016, v1.1: lower case, no punctuation, no articles, single spaces."""
    kept = "".join(char for char in text.lower() if char not in set(string.punctuation))
    words = []
    word = ""
    for char in kept + " ":
        if char.isalnum() or char == "_":
            word += char
            continue
        words.append(" " if word in ("a", "an", "the") else word)
        words.append(char)
        word = ""
    return " ".join("".join(words).split())


def squad_exact_match(prediction: str, truth: str) -> float:
    return float(squad_normalise(prediction) == squad_normalise(truth))


def squad_f1(prediction: str, truth: str) -> float:
    found, wanted = squad_normalise(prediction).split(), squad_normalise(truth).split()
    left = list(wanted)
    shared = 0
    for token in found:
        if token in left:
            left.remove(token)
            shared += 1
    if shared == 0:
        return 0.0
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)
