"""Finds numbers in text the way people write them, in any script's digits. It does not compare with an expected answer.

Read: signs (also the minus sign U+2212), decimals, thousands separators (1,234 and 12,34,567; also no-break and thin
spaces), scientific (1.5e-3, 1.5 x 10^3), a percent sign, currency signs beside the number, the scale words thousand,
million, billion and trillion, and the East Asian units of ten thousands ("3만 5천", "1.2億").
Not read: numbers in words ("five", "십팔"), fractions ("3/4"), decimal commas ("1,5"), digits glued to a Latin letter
before them ("H2O").
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

from evaluator.records import JsonValue

ARITHMETIC = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Exact for every number that people write; overflow gives infinity rather than an exception."""

MAX_CHARACTERS = 200_000
"""Of a longer text only the end is read."""
MAX_PLAIN_CHARACTERS = 400
"""A longer text is more than a number."""

# Repetitions are bounded so that no text makes the search slow.
_DIGITS = r"(?:\d{1,3}(?:,\d{2,3}){0,12},\d{3}(?!\d)|\d{1,3}(?:[\u00A0\u202F\u2009]\d{3}){1,12}(?!\d)|\d+)"
_PLAIN = rf"(?:{_DIGITS}(?:\.\d+)?|(?<!\.)\.\d+)"
_GATHERING_UNIT = 4  # from ten thousand on a unit multiplies all that stands before it: 3천5백만
_UNITS = {
    "조": 12, "兆": 12, "억": 8, "億": 8, "亿": 8, "만": 4, "万": 4, "萬": 4, "천": 3, "千": 3, "백": 2, "百": 2,
}  # fmt: skip
# "2만큼" (as much as 2), "3조각" (3 pieces) and "3조별" (by 3 groups) hold no unit.
_UNIT = f"(?:[{''.join(_UNITS)}](?![큼각별]))"
_WORDS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_CURRENCY = r"(?:US|CA|A|HK|NT|S)?[$€£¥₩₹￦￥]"
_NUMBER = re.compile(
    rf"(?<![A-Za-z_\d])(?<!\d\.)(?:(?<![\w)%])(?P<sign>[+-]))?(?:{_CURRENCY}[ ]?(?P<late_sign>[+-])?)?"
    rf"(?P<plain>{_PLAIN})"
    r"(?:[eE](?P<exponent>[+-]?\d{1,4})(?!\w|\.\d)|\s?[x×*·]\s?10\s?\^?\s?(?P<power>[+-]?\d{1,4})(?!\d))?"
    rf"(?P<asian>(?:{_UNIT}{{1,4}}(?:[ ]?{_PLAIN}{_UNIT}{{1,4}}){{0,6}}(?:[ ]?{_PLAIN}(?!{_UNIT}))?)?)"
    r"(?:[ ]?(?P<word>(?i:thousand|million|billion|trillion))\b)?"
    r"(?P<percent>[ ]?(?:%|(?i:percent\b)|퍼센트|프로(?![가-힣])))?"
)
_ASIAN_PART = re.compile(rf"(?P<plain>{_PLAIN})(?P<units>{_UNIT}{{0,4}})")
_SIGNS = str.maketrans(
    {"\u2212": "-", "\uff0d": "-", "\uff0b": "+", "\uff0e": ".", "\uff0c": ",", "\uff05": "%", "\uff04": "$"}
)
_POWER = re.compile(r"([x×*·]\s?10)([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was found in a text."""

    value: Decimal
    """As written: 50 for "50%"."""
    percent: bool
    """True if a percent sign follows."""


def find_numbers(text: str) -> list[Number]:
    """Give all numbers of a text in their order."""
    return [_read(match) for match in _NUMBER.finditer(_ascii_digits(text[-MAX_CHARACTERS:]))]


def plain_number(text: str) -> Number | None:
    """Give the number that the whole text is, but for white space and a closing full stop; None if it is not one."""
    match = _NUMBER.fullmatch(_ascii_digits(text[:MAX_PLAIN_CHARACTERS]).strip().removesuffix("."))
    return _read(match) if match and len(text) <= MAX_PLAIN_CHARACTERS else None


def same_plain_number(first: str, second: str) -> bool:
    """Say whether two texts are nothing but the same number."""
    left, right = plain_number(first), plain_number(second)
    return left is not None and left == right


def number_of(value: JsonValue) -> Number | None:
    """Give a JSON number, or the last number of a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        found = find_numbers(value)
        return found[-1] if found else None
    number = Decimal(repr(value))
    return Number(number, percent=False) if number.is_finite() else None


def _read(match: "re.Match[str]") -> Number:
    value = _decimal(match["plain"])
    if match["asian"]:
        value = _asian(match["plain"] + match["asian"])
    shift = int(match["exponent"] or match["power"] or 0) + _WORDS.get((match["word"] or "").lower(), 0)
    value = ARITHMETIC.scaleb(value, shift)
    if "-" in (match["sign"], match["late_sign"]):
        value = -value
    return Number(value, percent=match["percent"] is not None)


def _asian(text: str) -> Decimal:
    """Add up a number such as 1억2천만5백: small units (千, 百) gather until a large one (万, 億, 兆) takes them."""
    total = gathered = Decimal(0)
    for part in _ASIAN_PART.finditer(text):
        amount = _decimal(part["plain"])
        for unit in part["units"]:
            power = _UNITS[unit]
            if power >= _GATHERING_UNIT:
                total += ARITHMETIC.scaleb(gathered + amount, power)
                gathered = amount = Decimal(0)
            else:
                amount = ARITHMETIC.scaleb(amount, power)
        gathered += amount
    return total + gathered


def _decimal(text: str) -> Decimal:
    return Decimal(re.sub(r"[,\u00A0\u202F\u2009]", "", text))


def _ascii_digits(text: str) -> str:
    """Write digits of all scripts, fullwidth signs and superscripts after "x 10" in ASCII. Other superscripts stay."""
    text = _POWER.sub(lambda match: f"{match[1]}^{match[2].translate(_SUPERSCRIPTS)}", text).translate(_SIGNS)
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.digit(char)) if not char.isascii() and unicodedata.category(char) == "Nd" else char
        for char in text
    )
