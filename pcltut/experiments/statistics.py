"""Means over seeds with t intervals, and differences paired by seed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean over `count` seeds, and half the width of its 95 % t interval (NaN for fewer than two)."""

    mean: float
    half_width: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval; never for fewer than two seeds."""
        return abs(self.mean) > self.half_width


def t_quantile(probability: float, degrees: int) -> float:
    r"""The quantile of Student's t with a whole number of degrees of freedom, by bisection of its CDF.

    The CDF has a closed form in :math:`\theta = \arctan(t / \sqrt{\nu})` (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError(
            f"got probability={probability} and degrees={degrees}, expected 0.5 <= probability < 1 and degrees >= 1; "
            "use the symmetry below one half"
        )
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _t_cdf(middle, degrees) < probability else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def t_interval(values: Sequence[float]) -> Interval:
    r"""Mean and half width :math:`t_{.975, n-1}\, s / \sqrt{n}`: the interval of normal values of unknown variance."""
    count = len(values)
    mean = math.fsum(values) / count if count else math.nan
    if count < 2:
        return Interval(mean, math.nan, count)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return Interval(mean, t_quantile(0.5 + CONFIDENCE / 2, count - 1) * math.sqrt(variance / count), count)


def paired_interval(values: Sequence[float], baseline: Sequence[float]) -> Interval:
    """The interval of the differences `values - baseline`, of the same seeds in the same order.

    See :eq:`eq-paired-interval`.
    """
    return t_interval([value - other for value, other in zip(values, baseline, strict=True)])


def _t_cdf(theta: float, degrees: int) -> float:
    """P(T <= sqrt(degrees) tan(theta)) for theta in [0, pi / 2)."""
    sine, cosine = math.sin(theta), math.cos(theta)
    term, total = (cosine, 0.0) if degrees % 2 else (1.0, 0.0)
    first = 1 if degrees % 2 else 0
    for power in range(first, degrees - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    central = 2 / math.pi * (theta + sine * total) if degrees % 2 else sine * total
    return 0.5 + 0.5 * central
