"""The bound on calls at once: comes down when told to, once a window, and goes up again."""

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.gateway.pace.window import SMALLEST, Window


def fill(window: Window, now: float, most: int = 64) -> list[int]:
    """Send as many as may be; the number of the window of each."""
    sent: list[int] = []
    while len(sent) < most and window.wait_s(now) <= 0:
        window.sent()
        sent.append(window.number)
    return sent


def end(window: Window, now: float, numbers: list[int], turned_away: int = 0) -> None:
    """End the calls, the first of them turned away."""
    for index, number in enumerate(numbers):
        window.ended(now, number, answered=index >= turned_away, turned_away=index < turned_away, took_s=1.0)


def test_there_is_no_bound_before_something_is_turned_away() -> None:
    window = Window()
    end(window, 1.0, fill(window, 0.0))
    assert (window.size, window.number) == (math.inf, 0)


@pytest.mark.parametrize(("turned_away", "left"), [(64, 32.0), (32, 48.0), (1, 63.5)])
def test_a_window_shrinks_by_half_of_the_share_that_was_turned_away(turned_away: int, left: float) -> None:
    window = Window()
    end(window, 1.0, fill(window, 0.0), turned_away)
    assert window.size == pytest.approx(left)


def test_calls_sent_before_a_decrease_cause_no_other() -> None:
    window = Window()
    sent = fill(window, 0.0)
    for number in sent[:20]:
        window.ended(1.0, number, answered=True, turned_away=False, took_s=1.0)
        window.sent()  # the place of each that ends is taken again, in the same window
    end(window, 2.0, sent[20:] + [0] * 20, turned_away=64)
    assert (window.size, window.number) == (32, 1)
    late = [0] * 30
    for _ in late:
        window.sent()
    end(window, 3.0, late, turned_away=30)
    assert (window.size, window.number) == (32, 1)


def test_the_place_of_a_call_that_is_turned_away_stays_empty_until_the_window_ends() -> None:
    window = Window(most=10)
    sent = fill(window, 0.0)
    end(window, 0.1, sent[:3], turned_away=3)
    assert fill(window, 0.2) == []
    end(window, 1.0, sent[3:])
    assert len(fill(window, 1.1)) == 8  # 10, less half of three in ten


def test_it_grows_by_one_a_window_when_it_is_full_and_never_beyond_what_the_config_says() -> None:
    window = Window(most=20)
    end(window, 1.0, fill(window, 0.0), turned_away=20)
    assert window.size == 10
    sizes = []
    fill(window, 1.0)
    for now in range(2, 30):
        for _ in range(int(window.size)):
            end(window, float(now), [window.number])
            fill(window, float(now))
        sizes.append(window.size)
    assert sizes[0] == pytest.approx(11, abs=0.2)
    assert sizes == sorted(sizes)
    assert sizes[-1] == 20


def test_below_one_call_at_once_the_pause_grows() -> None:
    window = Window()
    now = 0.0
    pauses = []
    for _ in range(200):
        now += 1
        end(window, now, fill(window, now), turned_away=64)
        pauses.append(window.wait_s(now))
        now += pauses[-1]
    assert pauses[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1 / SMALLEST - 1  # of calls that take a second


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_before_a_provider_that_takes_so_many_at_once_it_stays_near(places: int, seed: int) -> None:
    """Whatever the order in which calls end: most of what is there is used, little is turned away."""
    import random

    dice = random.Random(seed)
    window, now = Window(), 0.0
    under_way: deque[tuple[float, int]] = deque()
    answered = turned_away = 0
    for _ in range(4000):
        while len(under_way) < 64 and window.wait_s(now) <= 0:
            window.sent()
            taken = len([1 for _, number in under_way if number >= 0])
            if taken < places:
                under_way.append((now + dice.uniform(0.8, 1.2), window.number))
            else:
                turned_away += 1
                window.ended(now + 0.01, window.number, answered=False, turned_away=True, took_s=0.01)
                now += 0.01
        if not under_way:
            now += max(0.01, window.wait_s(now))
            continue
        under_way = deque(sorted(under_way))
        now, number = under_way.popleft()
        window.ended(now, number, answered=True, turned_away=False, took_s=1.0)
        answered += 1
    assert answered >= 0.7 * places * now
    assert turned_away <= 0.15 * (answered + turned_away)
    assert SMALLEST <= window.size <= 64
