"""Word-level difference of two answers, with a bound on the work that an unlucky pair of texts can cause."""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

# Words of alphabets and of Hangul stand whole; Chinese and Japanese write without spaces, so each character is a word.
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|\s+|[^\w\s]")
MAX_TOKENS = 3_000
MAX_PAIRS = 40_000
"""Most pairs of equal tokens that are searched: what SequenceMatcher's time hangs on."""
ALIKE = 0.3
"""Texts that share less than this are shown as rewritten: a diff of unrelated texts is noise."""

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that both sides share, or that one of them has alone."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Both texts in pieces. `rewritten` says that they share too little (or are too long) to be told apart by words."""

    base: tuple[Piece, ...]
    head: tuple[Piece, ...]
    rewritten: bool = False


def difference(base: str, head: str) -> Difference:
    """Compare two texts word by word. The pieces of each side, joined, are its text again."""
    if base == head:
        same = (Piece("same", base),) if base else ()
        return Difference(same, same)
    first, second = _TOKEN.findall(base), _TOKEN.findall(head)
    if "".join(first) != base or "".join(second) != head:  # pragma: no cover - the pattern covers every character
        return _rewritten(base, head)
    start = _common(first, second)
    end = _common(first[start:][::-1], second[start:][::-1])
    left, right = first[start : len(first) - end], second[start : len(second) - end]
    counts = Counter(right)
    if max(len(left), len(right)) > MAX_TOKENS or sum(counts[token] for token in left) > MAX_PAIRS:
        return _rewritten(base, head)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    opcodes = matcher.get_opcodes()
    shared = sum(len("".join(left[i:j]).strip()) for tag, i, j, _, _ in opcodes if tag == "equal")
    shared += len("".join(first[:start])) + len("".join(first[len(first) - end :]))
    if shared < ALIKE * max(len(base), len(head)):
        return _rewritten(base, head)
    before = [Piece("same", "".join(first[:start]))]
    after = [Piece("same", "".join(first[:start]))]
    for tag, i, j, k, m in opcodes:
        before.append(Piece("same" if tag == "equal" else "gone", "".join(left[i:j])))
        after.append(Piece("same" if tag == "equal" else "new", "".join(right[k:m])))
    tail = "".join(first[len(first) - end :])
    return Difference(_tidy([*before, Piece("same", tail)]), _tidy([*after, Piece("same", tail)]))


def _common(first: list[str], second: list[str]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


def _rewritten(base: str, head: str) -> Difference:
    return Difference((Piece("same", base),) if base else (), (Piece("same", head),) if head else (), rewritten=True)


def _tidy(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Drop empty pieces, and join neighbours of one kind; a lone space between two changes joins them."""
    joined: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if joined and joined[-1].kind == piece.kind:
            joined[-1] = Piece(piece.kind, joined[-1].text + piece.text)
        elif len(joined) > 1 and piece.kind != "same" and joined[-1].text.isspace() and joined[-2].kind == piece.kind:
            gap = joined.pop().text
            joined[-1] = Piece(piece.kind, joined[-1].text + gap + piece.text)
        else:
            joined.append(piece)
    return tuple(joined)
