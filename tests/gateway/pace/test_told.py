"""What providers tell of their limits, as they write it and as they should not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.gateway.pace.told import NOTHING, Left, duration_s, read_told, retry_after_s

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360), ("1s", 1), ("120ms", 0.12), ("2m59.56s", 179.56), ("1h2m3s", 3723), ("1d", 86400), ("7", 7),
        ("0", 0), ("17.5", 17.5), (f"{NOW + 9:.0f}", 9), ("2026-09-21T14:13:30Z", 10), ("2026-09-21T16:13:30+02:00", 10),
        ("2026-09-21T14:00:00Z", 0), ("", None), (None, None), ("soon", None), ("1s!", None), ("nan", None), ("-1", 0),
    ],
)  # fmt: skip
def test_times_to_a_reset_are_read_as_providers_write_them(text: str | None, seconds: float | None) -> None:
    assert duration_s(text, NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7), ({"Retry-After": "1.5"}, 1.5), ({"Retry-After": "Mon, 21 Sep 2026 14:13:50 GMT"}, 30),
        ({"Retry-After": "7", "retry-after-ms": "250"}, 0.25), ({"Retry-After": "7", "retry-after-ms": "x"}, 7),
        ({"Retry-After": "Mon, 21 Sep 2026 14:00:00 GMT"}, 0), ({"Retry-After": "-3"}, 0), ({}, None),
        ({"Retry-After": "later"}, None), ({"Retry-After": "inf"}, None), ({"Retry-After": "Mon, 21 Sep 99999"}, None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


def test_openais_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "5000", "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms", "x-ratelimit-limit-tokens": "160000",
        "x-ratelimit-remaining-tokens": "159976", "x-ratelimit-reset-tokens": "9ms",
    }  # fmt: skip
    told = read_told(headers, NOW)
    requests, tokens = told.left
    assert requests == Left("requests", 5000, 4999, 0.012)
    assert (tokens.kind, tokens.limit, tokens.remaining) == ("tokens", 160_000, 159_976)
    assert tokens.reset_s == pytest.approx(0.009)
    assert told.retry_after_s is None


def test_anthropics_headers() -> None:
    kinds = {"requests": 50, "tokens": 90_000, "input-tokens": 80_000, "output-tokens": 10_000}
    headers = {"retry-after": "12", "Retry-After": "12"}
    for kind, limit in kinds.items():
        headers |= {
            f"anthropic-ratelimit-{kind}-limit": str(limit),
            f"anthropic-ratelimit-{kind}-remaining": "10",
            f"anthropic-ratelimit-{kind}-reset": "2026-09-21T14:14:20Z",
        }
    told = read_told(headers, NOW)
    assert [(left.kind, left.limit, left.reset_s) for left in told.left] == [
        ("requests", 50, 60.0), ("tokens", 90_000, 60.0), ("input", 80_000, 60.0), ("output", 10_000, 60.0),
    ]  # fmt: skip
    assert told.retry_after_s == 12


def test_numbers_that_make_no_sense_are_not_believed() -> None:
    azure = {"x-ratelimit-limit-tokens": "-1", "x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"}
    assert read_told(azure, NOW) is NOTHING
    assert read_told({"x-ratelimit-remaining-requests": "12"}, NOW) is NOTHING  # of how many?


def test_without_limits_nothing_is_made() -> None:
    assert read_told({"Content-Type": "application/json"}, NOW) is NOTHING


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "Retry-After", "retry-after-ms", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
                "x-ratelimit-reset-tokens", "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
            ]
        ),
        st.one_of(st.text(max_size=30), st.floats().map(str), st.integers().map(str)),
    )
)  # fmt: skip
def test_whatever_is_written_there_what_is_read_is_finite(headers: dict[str, str]) -> None:
    told = read_told(headers, NOW)
    assert told.retry_after_s is None or 0 <= told.retry_after_s < math.inf
    for left in told.left:
        assert 0 < left.limit < math.inf
        assert 0 <= left.remaining <= left.limit
        assert 0 <= left.reset_s < math.inf
