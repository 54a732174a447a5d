"""Numbers of the tables: intervals over seeds, differences paired by seed, and how soon a target is reached."""

from collections.abc import Mapping
from typing import Any

from pcltut.experiments.statistics import Interval, paired_interval, t_interval


def values_by_seed(results: Mapping[str, Any], method: str, at: str | int, name: str) -> dict[int, float]:
    """A measure on the test split by seed, for the runs that have it.

    Args:
        at: a budget in iterations, or "best" for the best point by validation.
        name: of the measure, such as "log_evidence".
    """
    found = {}
    for run in results["runs"]:
        value = run["test"].get(str(at), {}).get(name)
        if run["method"] == method and value is not None:
            found[run["seed"]] = value
    return found


def summarize(results: Mapping[str, Any], method: str, at: str | int, name: str) -> Interval:
    """Mean and 95 % t interval of a measure over seeds."""
    return t_interval(list(values_by_seed(results, method, at, name).values()))


def difference(results: Mapping[str, Any], method: str, at: str | int, name: str, baseline: str = "") -> Interval:
    """Mean and 95 % t interval of a measure's differences from the baseline, over the seeds that both have."""
    values = values_by_seed(results, method, at, name)
    others = values_by_seed(results, baseline or results["baseline"], at, name)
    seeds = sorted(values.keys() & others.keys())
    return paired_interval([values[seed] for seed in seeds], [others[seed] for seed in seeds])


def curves(results: Mapping[str, Any], method: str, column: str) -> tuple[list[int], list[list[float | None]]]:
    """Iterations, and one curve of a column for each seed, from validation."""
    runs = [run["curve"] for run in results["runs"] if run["method"] == method]
    longest = max((curve["iteration"] for curve in runs), key=len, default=[])
    return longest, [curve.get(column, [None] * len(curve["iteration"])) for curve in runs]


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
