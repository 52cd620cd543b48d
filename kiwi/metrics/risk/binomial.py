"""The binomial distribution, and bounds of a risk that follow from it."""

from __future__ import annotations

import math


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return the probability of at most ``k`` successes in ``n`` trials with the success probability ``p``.

    The terms are summed from the largest one on, so that the relative error stays near 1e-12.
    """
    if not 0 <= p <= 1 or n < 0:
        raise ValueError(f"found n = {n}, p = {p}; expected n >= 0 and p in [0, 1]")
    if k < 0:
        return 0.0
    if k >= n or p == 0:
        return 1.0
    if p == 1:
        return 0.0
    if k <= n * p:
        return min(1.0, _tail(k, n, p))
    return max(0.0, 1.0 - _tail(n - k - 1, n, 1 - p))


def _tail(k: int, n: int, p: float) -> float:
    """Return the lower tail of a binomial distribution, for ``k`` of at most about its mean."""
    log_term = (
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
    )
    odds = (1 - p) / p
    total = ratio = 1.0
    for i in range(k, 0, -1):
        ratio *= i / (n - i + 1) * odds
        total += ratio
        if ratio < 1e-17 * total:
            break
    return math.exp(log_term) * total


def is_at_most(p_value: float, level: float) -> bool:
    """Return whether a probability is at most a level, but for the rounding of floats: 1 - 0.9 is less than 0.1."""
    return p_value <= level * (1 + 1e-9)


def most_errors(n: int, risk: float, level: float) -> int:
    """Return the largest number of errors among approved translations that certifies a risk; -1 if none does.

    Args:
        n: the number of approved translations.
        risk: the largest accepted risk, in (0, 1).
        level: the largest probability of so few errors if the risk were larger, in (0, 1).
    """
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_at_most(binomial_cdf(middle, n, risk), level) else (low, middle)
    return low


def least_approved(risk: float, confidence: float) -> int:
    """Return the least number of approved translations, none of which is an error, that certifies a risk."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-risk) - 1e-9)


def upper_bound(errors: int, n: int, confidence: float) -> float:
    """Return the upper bound of a risk that was observed (Clopper and Pearson 1934), in [0, 1].

    Args:
        errors: the number of errors.
        n: the number of approved translations.
        confidence: the probability that the bound holds.
    """
    if errors >= n:
        return 1.0
    low, high = errors / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(errors, n, middle) > 1 - confidence else (low, middle)
    return high


def lower_bound(errors: int, n: int, confidence: float) -> float:
    """Return the lower bound of a risk; see :func:`upper_bound`."""
    return 1 - upper_bound(n - errors, n, confidence) if n else 0.0
