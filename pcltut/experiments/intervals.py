"""Means over seeds with t intervals, differences paired by seed and by image, and how soon a target is reached."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

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


def t_interval(values: Sequence[float | int]) -> Interval:
    r"""Mean and half width :math:`t_{.975, n-1}\, s / \sqrt{n}`: the interval of normal values of unknown variance."""
    count = len(values)
    mean = float(np.mean(values)) if count else math.nan
    if count < 2:
        return Interval(mean, math.nan, count)
    return Interval(mean, float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * stats.sem(values)), count)


def paired_interval(values: Sequence[float | int], baseline: Sequence[float | int]) -> Interval:
    """The interval of the differences `values - baseline`, of the same seeds in the same order.

    See :eq:`eq-paired-interval`.
    """
    return t_interval([value - other for value, other in zip(values, baseline, strict=True)])


def crossed_interval(values: npt.ArrayLike, baseline: npt.ArrayLike) -> Interval:
    r"""The interval of the mean difference `values - baseline`, where every seed has a value for every image.

    Seeds and images are crossed: both are samples, and a difference varies over both. With :math:`d_{si}` the
    difference of seed s and image i,

    .. math::
        \bar d \pm t_{.975, S-1} \sqrt{\frac{\mathrm{Var}_s(\bar d_{s\cdot})}{S} +
        \frac{\mathrm{Var}_i(\bar d_{\cdot i})}{I}},

    with S seeds and I images. The noise within a seed and an image is counted in both terms, so it errs on the wide
    side; t with the seeds' degrees of freedom does as well. Bootstraps of so few seeds are too narrow.

    Args:
        values: one row a seed, one column an image.
        baseline: the same seeds and images.
    """
    differences = np.asarray(values, dtype=float) - np.asarray(baseline, dtype=float)
    if differences.ndim != 2 or not differences.size:
        raise ValueError(f"got differences of shape {differences.shape}, expected (seeds, images); stack the seeds")
    count, num_images = differences.shape
    mean = float(differences.mean())
    if count < 2 or num_images < 2:
        return Interval(mean, math.nan, count)
    of_seeds, of_images = (differences.mean(axis).var(ddof=1) for axis in (1, 0))
    quantile = stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)
    return Interval(mean, float(quantile * math.sqrt(of_seeds / count + of_images / num_images)), count)


def values_by_seed(results: Mapping[str, Any], method: str, at: str | int, name: str) -> dict[int, Any]:
    """A metric on the test split by seed, for the runs that have it.

    Args:
        at: a budget in iterations, "best" for the best point by validation, or "end" where runs have one point.
        name: of the metric, such as "log_evidence".
    """
    found = {}
    for run in results["runs"]:
        value = run["test"].get(str(at), {}).get(name)
        if run["method"] == method and value is not None:
            found[run["seed"]] = value
    return found


def summarize(results: Mapping[str, Any], method: str, at: str | int, name: str) -> Interval:
    """Mean and 95 % t interval of a metric over seeds."""
    return t_interval(list(values_by_seed(results, method, at, name).values()))


def difference(results: Mapping[str, Any], method: str, at: str | int, name: str, baseline: str = "") -> Interval:
    """Mean and 95 % interval of a metric's differences from the baseline, over the seeds that both have.

    Where the metric was kept for each image, images are paired, too: see `crossed_interval`.
    """
    interval = paired_interval
    if values_by_seed(results, method, at, f"{name}_each"):
        name, interval = f"{name}_each", crossed_interval
    values = values_by_seed(results, method, at, name)
    others = values_by_seed(results, baseline or results["baseline"], at, name)
    seeds = sorted(values.keys() & others.keys())
    if not seeds:
        return t_interval([])
    return interval([values[seed] for seed in seeds], [others[seed] for seed in seeds])


def iterations_to_reach(curve: Mapping[str, list], target: float, column: str = "log_evidence") -> float | None:
    """The first iteration at which a validation curve crosses the target, straight between its points.

    None if it never does. Before the first point nothing is known: a curve that begins above the target has its first
    point's iteration.
    """
    before: tuple[float, float] | None = None
    for iteration, value in zip(curve["iteration"], curve[column], strict=True):
        if value is None:
            continue
        if value >= target:
            if before is None:
                return float(iteration)
            share = (target - before[1]) / (value - before[1])
            return before[0] + share * (iteration - before[0])
        before = (iteration, value)
    return None


def reach_baseline(results: Mapping[str, Any], method: str, at: int | None = None) -> tuple[Interval, Interval, int]:
    """How soon a method has the validation log-evidence that the baseline of the same seed has.

    Gives its iterations, their share of the baseline's, and how many seeds never got there.

    Args:
        at: iteration at which the baseline sets the target; its best point if not given.
    """
    runs = {(run["method"], run["seed"]): run["curve"] for run in results["runs"]}
    needed, shares, missed = [], [], 0
    for (key, seed), curve in runs.items():
        other = runs.get((results["baseline"], seed))
        if key != method or other is None:
            continue
        points = dict(zip(other["iteration"], other.get("log_evidence", []), strict=False))
        points = {iteration: value for iteration, value in points.items() if value is not None}
        if not points or "log_evidence" not in curve:
            continue
        set_at = max(points, key=points.__getitem__) if at is None else at
        reached = iterations_to_reach(curve, points[set_at])
        if reached is None:
            missed += 1
        else:
            needed.append(reached)
            shares.append(reached / set_at)
    return t_interval(needed), t_interval(shares), missed
