"""Quantities the way people write them: `5%`, `2pp`, `$0.01`, `800ms`; parsed into plain floats.

Shares are 0 to 1, money is US dollars, times are seconds.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["%", "pp", "$", "s", "pt", ""]
"""`%` a share, `pp` percentage points, `$` US dollars, `s` seconds, `pt` points of a score, "" a bare number."""

_NUMBER = r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_AMOUNT = re.compile(
    rf"^\s*(?P<dollar>\$)?\s*(?P<number>{_NUMBER})\s*(?P<unit>%|pp|pts?|points?|usd|ms|s|sec|m|min|h|d)?\s*$", re.I
)
_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
EXAMPLES = "5%, 2pp, $0.01, 800ms, 2s or 4.0"
_MOST_SHARE = 3.0


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with its unit; `value` is already a share, dollars, seconds or points."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        """Write it back as people would."""
        if self.unit == "%":
            return f"{self.value * 100:g}%"
        if self.unit == "pp":
            return f"{self.value * 100:g}pp"
        if self.unit == "$":
            return f"${self.value:g}"
        if self.unit == "s":
            return f"{self.value * 1000:g}ms" if abs(self.value) < 1 else f"{self.value:g}s"
        return f"{self.value:g}{self.unit}"


def parse_amount(found: object) -> Amount:
    """Parse a number, or a string with a unit.

    Raises:
        ValueError: If it is neither; the message says what was found and what is expected.
    """
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise ValueError(f"expected an amount such as {EXAMPLES}, found {type(found).__name__}")
    if isinstance(found, int | float):
        return _finite(Amount(float(found), ""), found)
    match = _AMOUNT.match(found)
    if match is None:
        raise ValueError(f"expected an amount such as {EXAMPLES}, found {found[:40]!r}")
    number = float(match["number"].replace("_", ""))
    unit = (match["unit"] or "").lower()
    if match["dollar"]:
        if unit not in ("", "usd"):
            raise ValueError(f"two units in {found[:40]!r}; write one, such as {EXAMPLES}")
        return _finite(Amount(number, "$"), found)
    if unit == "usd":
        return _finite(Amount(number, "$"), found)
    if unit in ("%", "pp"):
        return _finite(Amount(number / 100, "%" if unit == "%" else "pp"), found)
    if unit in _SECONDS:
        return _finite(Amount(number * _SECONDS[unit], "s"), found)
    return _finite(Amount(number, "pt" if unit else ""), found)


def _finite(amount: Amount, found: object) -> Amount:
    if not math.isfinite(amount.value):
        raise ValueError(f"expected a finite amount such as {EXAMPLES}, found {str(found)[:40]}")
    return amount


def parse_money(found: object) -> float:
    """Parse US dollars: `$0.01` or a bare number.

    Raises:
        ValueError: If it has another unit or is negative.
    """
    amount = _amount(found)
    if amount is None or amount.unit not in ("$", "") or amount.value < 0:
        raise ValueError(f"expected an amount of money such as $0.01, found {_shown(found)}")
    return amount.value


def parse_duration(found: object) -> float:
    """Parse a time in seconds: `800ms`, `2s`, `1m`, `7d` or a bare number of seconds.

    Raises:
        ValueError: If it has another unit or is not above zero.
    """
    amount = _amount(found)
    if amount is None or amount.unit not in ("s", "") or amount.value <= 0:
        raise ValueError(f"expected a time such as 800ms, 2s, 12h or 7d, found {_shown(found)}")
    return amount.value


def parse_share(found: object) -> float:
    """Parse a share above zero: `60%` or `0.6`.

    Raises:
        ValueError: If it has another unit, is not above zero, or so large that a percent sign was forgotten.
    """
    amount = _amount(found)
    fits = amount is not None and amount.unit in ("%", "") and 0 < amount.value <= _MOST_SHARE
    if amount is None or not fits:
        forgotten = amount is not None and amount.unit == "" and amount.value > _MOST_SHARE
        meant = f"; did you mean {str(found)[:20]}%?" if forgotten else ""
        raise ValueError(
            f"expected a share such as 60% or 0.6, {_MOST_SHARE:.0%} at most, found {_shown(found)}{meant}"
        )
    return amount.value


def _amount(found: object) -> Amount | None:
    """As `parse_amount`, but None for what is none: the caller knows better which examples to give."""
    try:
        return parse_amount(found)
    except ValueError:
        return None


def _shown(found: object) -> str:
    return repr(str(found)[:40])
