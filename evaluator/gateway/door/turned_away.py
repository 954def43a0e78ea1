"""Counts what an app asked for and was not given, because nobody knows what it costs; for a note in the report."""

from collections import Counter
from dataclasses import dataclass, field

MOST_PATHS = 20
"""Different requests of a side that are counted each by itself: an app can think of any number of them."""
_SHOWN = 3
_LONGEST = 60


@dataclass(slots=True)
class TurnedAway:
    """The requests of one side that were refused as not metered, by method and path."""

    _asked: dict[str, Counter[str]] = field(default_factory=dict)
    """By what would have opened them."""
    _others: Counter[str] = field(default_factory=Counter)

    def add(self, why: str, method: str, path: str) -> None:
        """Count one.

        Args:
            why: What would have opened it, as a note may say it.
            method: Of HTTP. Untrusted.
            path: Without the query. Untrusted.
        """
        counted = self._asked.setdefault(why, Counter())
        asked = f"{method[:10]} {path[:_LONGEST]}"
        if asked in counted or len(counted) < MOST_PATHS:
            counted[asked] += 1
        else:
            self._others[why] += 1

    def notes(self) -> tuple[str, ...]:
        """What people should be told of it; a line for each reason."""
        return tuple(self._note(why, counted) for why, counted in self._asked.items())

    def _note(self, why: str, counted: Counter[str]) -> str:
        total = counted.total() + self._others[why]
        shown = ", ".join(f"{ascii(asked)[1:-1]} ({count})" for asked, count in counted.most_common(_SHOWN))
        more = ", ..." if len(counted) > _SHOWN else ""
        one = "1 request was" if total == 1 else f"{total} requests were"
        return f"{one} refused as not metered (403): {shown}{more}; {why}"
