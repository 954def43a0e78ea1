"""In which order cases are asked, and after which of them the gate looks. Knows no values."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evaluator.records import Side
from evaluator.stats import IntArray

FIRST_LOOK = 30
"""Cases before the first look."""
EVERY = 10
"""Cases between looks."""
_PORTION = 50
"""Cases handed out together where nobody looks in between."""


class Request(NamedTuple):
    """One answer that is wanted."""

    side: Side
    case: int
    """Index of the case, from 0."""
    repeat: int
    """From 0."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Cases that are handed out together."""

    repeat: int
    start: int
    end: int
    """Places in the order, from `start` up to, but without, `end`."""
    look: bool
    """Whether the gate looks when all of it, and all before, is known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of cases and the portions of every repeat."""

    order: IntArray
    """(cases,): indices of cases in random order, those of a cluster together."""
    portions: tuple[Portion, ...]
    """Of all repeats, one repeat after the other."""
    largest: int
    """Cases in the largest cluster."""

    @property
    def cases(self) -> int:
        """How many there are."""
        return len(self.order)

    @property
    def looks(self) -> list[int]:
        """Numbers of cases of the first repeat after which the gate looks, all cases included."""
        return [portion.end for portion in self.portions if portion.look and portion.repeat == 0]


def make_plan(cases: int, repeats: int, clusters: IntArray | None, rng: np.random.Generator, *, early: bool) -> Plan:
    """Draw the order and lay out the portions.

    Args:
        cases: How many.
        repeats: At most.
        clusters: Codes 0..G-1 (cases,), or None.
        rng: Source of the order, by which alone looks on the way are valid.
        early: Whether to look before the first repeat is complete.
    """
    order = rng.permutation(cases)
    ends = np.arange(1, cases + 1)
    largest = 1
    if clusters is not None:
        # Clusters in random order, and the cases of each in random order.
        place = rng.permutation(int(clusters.max()) + 1)
        order = order[np.argsort(place[clusters[order]], kind="stable")]
        sizes = np.bincount(clusters)
        ends = np.cumsum(sizes[np.argsort(place)])
        largest = int(sizes.max())
    portions = _first(cases, ends, early=early)
    for repeat in range(1, repeats):
        starts = range(0, cases, _PORTION)
        portions += [
            Portion(repeat, start, min(start + _PORTION, cases), look=start + _PORTION >= cases) for start in starts
        ]
    return Plan(order, tuple(portions), largest)


def _first(cases: int, ends: IntArray, *, early: bool) -> list[Portion]:
    """The first repeat: portions end with a cluster, and, where looks are wanted, at the looks."""
    portions, start = [], 0
    while start < cases:
        least = start + (_PORTION if not early else FIRST_LOOK if start == 0 else EVERY)
        end = int(ends[min(int(np.searchsorted(ends, least)), len(ends) - 1)])
        portions.append(Portion(0, start, end, look=early or end == cases))
        start = end
    return portions
