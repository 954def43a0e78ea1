"""Cuts text of any language into the tokens that F1, exact match and ROUGE-L compare.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces, so each character is a token. Korean has
spaces, but particles stick to the words ("서울은" against "서울"), so word tokens would share nothing; each syllable is
a token, as in the F1 of KorQuAD 1.0 (Lim, Kim and Lee 2019) and KLUE-MRC. Letters of other scripts are cut into words.
"""

import string
import unicodedata
from functools import lru_cache

import regex

_BY_CHARACTER = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30FC\uFF70\u3006"
)
_TOKEN = regex.compile(rf"[{_BY_CHARACTER}]\p{{M}}*|[^\s{_BY_CHARACTER}]+")
_LETTER = rf"(?:(?![{_BY_CHARACTER}])[\p{{L}}\p{{N}}]\p{{M}}*)"
_ROUGE_TOKEN = regex.compile(rf"(?=[\p{{L}}\p{{N}}])[{_BY_CHARACTER}]\p{{M}}*|{_LETTER}+")
# Several scorers cut the same few texts; more would hold long answers in memory.
_REMEMBERED = 64
_ARTICLE = regex.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = regex.compile(rf"[\p{{P}}\u00AD\u200B\uFEFF{regex.escape(string.punctuation, special_only=False)}]")
# Wide punctuation stands between words without a space beside it; the Western kind is deleted, as SQuAD does.
_WIDE_PUNCTUATION = regex.compile(
    r"[\u3001-\u3003\u3008-\u3011\u3014-\u301F\u3030\u30A0\u30FB\uFF01-\uFF03\uFF05-\uFF0A\uFF1A-\uFF20\uFF3B-\uFF40"
    r"\uFF5B-\uFF65]|(?<!\d)[\uFF0C\uFF0E]|[\uFF0C\uFF0E](?!\d)"
)


@lru_cache(maxsize=_REMEMBERED)
def squad_tokens(text: str) -> tuple[str, ...]:
    """Normalise a text as the SQuAD v1.1 script does and cut it into tokens.

    Lower-cased, punctuation removed, the articles a, an and the dropped, cut at white space (Rajpurkar et al. 2016).
    Beyond that script, and without effect on ASCII text: Unicode form NFKC, punctuation of all scripts, and one token
    for each character of the scripts named above.
    """
    lowered = unicodedata.normalize("NFKC", _WIDE_PUNCTUATION.sub(" ", text)).lower()
    bare = _ARTICLE.sub(" ", _PUNCTUATION.sub("", lowered))
    return tuple(_TOKEN.findall(" ".join(bare.split())))


@lru_cache(maxsize=_REMEMBERED)
def rouge_tokens(text: str) -> tuple[str, ...]:
    """Cut a text as ROUGE does: lower-cased runs of letters and digits, without stemming.

    On ASCII text these are the tokens of the rouge-score package. Beyond it: letters of all scripts are kept rather
    than dropped, one token for each character of the scripts named above.
    """
    return tuple(_ROUGE_TOKEN.findall(unicodedata.normalize("NFKC", text).lower()))


def fold(text: str, *, ignore_case: bool) -> str:
    """Bring a text into Unicode form NFKC, and fold its case if asked to."""
    normal = unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", normal.casefold()) if ignore_case else normal
