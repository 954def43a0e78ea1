"""Quantiles and distribution functions of the normal, Student-t, beta and binomial distributions, for scalars.

Written here because scipy would double the size of the action's image. Tests hold every function against scipy.
Not a general library: only what the intervals of this package need.
"""

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300
_EPSILON = 1e-16
_MAX_TERMS = 200_000
_HALF = 0.5


def normal_cdf(x: float) -> float:
    """P(Z <= x) of the standard normal distribution."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def normal_quantile(p: float) -> float:
    """The x with P(Z <= x) = p, for 0 < p < 1 (Wichura 1988, as in Python's `statistics`)."""
    return _NORMAL.inv_cdf(p)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), by the modified Lentz method."""
    numerator = 1.0
    denominator = 1.0 - (a + b) * x / (a + 1.0)
    denominator = 1.0 / (denominator if abs(denominator) > _TINY else _TINY)
    fraction = denominator
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        step = 1.0
        for term in (even, odd):
            denominator = 1.0 + term * denominator
            denominator = 1.0 / (denominator if abs(denominator) > _TINY else _TINY)
            numerator = 1.0 + term / numerator
            numerator = numerator if abs(numerator) > _TINY else _TINY
            step = numerator * denominator
            fraction *= step
        if abs(step - 1.0) < _EPSILON * 10:
            break
    return fraction


def _log_beta_density_factor(a: float, b: float, x: float) -> float:
    """Log of x^a (1-x)^b / B(a, b)."""
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(X <= x) of the beta distribution with shapes a, b > 0: the regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(_log_beta_density_factor(a, b, x))
    # The fraction converges fast on one side of the mean only; the other side is its mirror image.
    if x < (a + 1.0) / (a + b + 2.0):
        return min(1.0, front * _continued_fraction(a, b, x) / a)
    return max(0.0, 1.0 - front * _continued_fraction(b, a, 1.0 - x) / b)


@lru_cache(maxsize=4096)
def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with P(X <= x) = p of the beta distribution with shapes a, b > 0, for 0 <= p <= 1.

    Newton's steps, kept inside a bracket that every step narrows; a bisection where Newton leaves it.
    """
    if p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    low, high = 0.0, 1.0
    x = a / (a + b)
    for _ in range(400):
        error = beta_cdf(x, a, b) - p
        if error == 0.0:
            return x
        if error > 0:
            high = x
        else:
            low = x
        density = math.exp(_log_beta_density_factor(a, b, x)) / (x * (1.0 - x))
        following = x - error / density if density > 0.0 else -1.0
        if not low < following < high:
            # Shapes far below 1 put the quantile within a hair of 0: halve the exponent there, not the value.
            following = math.sqrt(low * high) if low > 0.0 and high < _HALF else (low + high) / 2.0
        if following in (low, high) or abs(following - x) <= 1e-15 * x:
            return following
        x = following
    return x


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) of Student's t with `df` > 0 degrees of freedom."""
    if math.isinf(t):
        return 0.0 if t < 0 else 1.0
    square = t * t
    # Two forms of one tail: whichever keeps its argument away from 1, where digits are lost.
    if square < df:
        tail = _HALF * (1.0 - beta_cdf(square / (df + square), _HALF, df / 2.0))
    else:
        tail = _HALF * beta_cdf(df / (df + square), df / 2.0, _HALF)
    return tail if t < 0 else 1.0 - tail


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p of Student's t with `df` > 0 degrees of freedom; -inf at p = 0, inf at p = 1."""
    if p <= 0.0:
        return -math.inf
    if p >= 1.0:
        return math.inf
    tails = 2.0 * min(p, 1.0 - p)
    if tails < _HALF:
        x = beta_quantile(tails, df / 2.0, _HALF)
        size = math.sqrt(df * (1.0 - x) / x)
    else:
        y = beta_quantile(1.0 - tails, _HALF, df / 2.0)
        size = math.sqrt(df * y / (1.0 - y))
    return size if p > _HALF else -size


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) of the binomial distribution of n trials with chance p each."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return beta_cdf(1.0 - p, n - k, k + 1.0)
