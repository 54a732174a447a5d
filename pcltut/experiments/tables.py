"""Results as data frames."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pcltut.experiments.intervals import (
    Interval,
    difference,
    reach_baseline,
    summarize,
    t_interval,
    values_by_seed,
)
from pcltut.experiments.measurement import METRICS, NETWORKS, SAMPLERS
from pcltut.experiments.samples import CURVES
from pcltut.experiments.single import END

COMPARED = ("log_evidence", "bits_per_dimension", "frechet", "frechet_extrapolated", "density", "coverage")
SHOWN = (*COMPARED, "encoder_scale", "sigma")
NONE = "-"  # in cells without a value
SEARCHED = {
    "learning_rate": "rate",
    "encoder_learning_rate": "encoder's",
    "num_steps": "T",
    "step_size": "step",
    "temperature": "tau",
}


def summary_frame(results: Mapping[str, Any]) -> pd.DataFrame:
    """All intervals as numbers, tidy: one row for each point, method and metric of the test split.

    Columns are the mean over `num_seeds` seeds with half the width of its 95 % interval, and the same of the
    difference from the baseline, paired by seed.
    """
    rows = []
    for at in points_of(results):
        for key, method in results["methods"].items():
            for metric in METRICS:
                mean, other = (f(results, key, at, metric) for f in (summarize, difference))
                if mean.count:
                    rows.append((at, key, method["name"], metric, *mean, *other[:2]))
    names = ["at", "method", "name", "metric", "mean", "half_width", "num_seeds", "difference", "difference_half_width"]
    return pd.DataFrame(rows, columns=names)


def means_table(results: Mapping[str, Any], at: str | int, columns: Sequence[str] = SHOWN) -> pd.DataFrame:
    """One row a method, one column a metric, as text: mean and half width of its interval; references below.

    Args:
        at: a budget in iterations, or "best" for the best point by validation.
        columns: names of metrics.
    """
    names = [name for name in columns if any(_value(run, at, name) is not None for run in results["runs"])]
    rows, counts = {}, {}
    for key, method in results["methods"].items():
        cells = [summarize(results, key, at, name) for name in names]
        if counted := max((cell.count for cell in cells), default=0):
            counts[method["name"]] = str(counted)
            rows[method["name"]] = [_interval(*pair) for pair in zip(cells, names, strict=True)]
    for title, values in results.get("references", {}).items():
        rows[title] = [_number(values.get(name), METRICS[name].decimals) for name in names]
    frame = frame_of(rows, [METRICS[name].title for name in names], title_of(at))
    if len(set(counts.values())) > 1:  # else the header names the seeds
        frame.insert(0, "n", pd.Series(counts))
    return frame.fillna("")


def differences_table(results: Mapping[str, Any], at: str | int, columns: Sequence[str] = COMPARED) -> pd.DataFrame:
    """One row a method, paired differences from the baseline as text; a star marks intervals without zero."""
    names = [name for name in columns if any(_value(run, at, name) is not None for run in results["runs"])]
    rows = {}
    for key, method in results["methods"].items():
        cells = [difference(results, key, at, name) for name in names]
        if key != results["baseline"] and any(cell.count for cell in cells):
            rows[method["name"]] = [_difference(*pair) for pair in zip(cells, names, strict=True)]
    baseline = results["methods"][results["baseline"]]["name"]
    return frame_of(rows, [METRICS[name].title for name in names], f"minus {baseline}")


def verdict(results: Mapping[str, Any], method: str, at: str | int, columns: Sequence[str] = COMPARED) -> str:
    """A sign for each metric: "+" better than the baseline outside the 95 % interval, "-" worse, "." undecided."""
    signs = ""
    for name in columns:
        found = difference(results, method, at, name)
        better = (found.mean > 0) == METRICS[name].larger_is_better
        signs += "." if not found.excludes_zero else "+" if better else "-"
    return signs


def reach_table(results: Mapping[str, Any], at: int | None = None) -> pd.DataFrame:
    """When each method has the baseline's validation log-evidence, and its share of the baseline's updates and time.

    Args:
        at: iteration at which the baseline sets the target; its best point if not given.
    """
    seconds = results.get("costs", {}).get("seconds_an_iteration", {})
    rows = {}
    for key, method in results["methods"].items():
        needed, share, missed = reach_baseline(results, key, at)
        if needed.count or missed:
            time = share.mean * seconds.get(key, math.nan) / seconds.get(results["baseline"], math.nan)
            rows[method["name"]] = [_number(needed.mean, 0), _number(share.mean, 2), _number(time, 2), str(missed)]
    title = "at its best" if at is None else title_of(at)
    return frame_of(rows, ["iterations", "share of them", "of the time", "seeds that never did"], title)


def search_table(search: Mapping[str, Any]) -> pd.DataFrame:
    """One row a method: what its search chose, and log-evidence (worst, best) and encoder std (range) of its trials."""
    rows = {}
    for key, found in search["methods"].items():
        chosen = found["hyperparameters"]
        last = [trial["curve"][-1] for trial in found["trials"] if not trial["failed"]]
        ranges = []
        for name, spec in (("log_evidence", ".0f"), ("encoder_scale", ".3g")):
            values = [row[name] for row in last if row.get(name) is not None]
            ranges.append(f"{min(values):{spec}} to {max(values):{spec}}" if values else "")
        rows[key] = [*(f"{chosen[name]:g}" if name in chosen else "" for name in SEARCHED), *ranges]
    return frame_of(rows, [*SEARCHED.values(), "log-evidence", "encoder std"])


def choices_table(search: Mapping[str, Any]) -> pd.DataFrame:
    """One row a method: its best trial by the criterion, and what a choice by the Fréchet distance would have given."""
    rows = {}
    for key, found in search["methods"].items():
        picked = (found["best_trial"], found["best_trial_by"].get("frechet", found["best_trial"]))
        last = [(found["trials"][trial]["curve"] or [{}])[-1] for trial in picked]
        rows[key] = [_number(row.get(name), 1) for name in ("log_evidence", "frechet") for row in last]
    return frame_of(rows, ["log-evidence", "if by Fréchet", "Fréchet", "if by Fréchet "])


def ranks_table(results: Mapping[str, Any], at: str | int) -> pd.DataFrame:
    """Places by Fréchet distance and coverage, by either sampler and on both networks; 1 is the best."""
    columns, titles = [], []
    for metric in ("frechet_extrapolated", "coverage"):
        for sampler, sampler_title in SAMPLERS.items():
            for network, network_title in NETWORKS.items():
                means = {
                    key: summarize(results, key, at, f"{metric}{sampler}{network}").mean for key in results["methods"]
                }
                if not all(map(math.isfinite, means.values())):
                    continue
                order = sorted(means, key=means.get, reverse=bool(METRICS[metric].larger_is_better))
                columns.append({key: str(order.index(key) + 1) for key in means})
                titles.append(f"{METRICS[metric].title}, {sampler_title}{network_title}")
    rows = {method["name"]: [column[key] for column in columns] for key, method in results["methods"].items()}
    return frame_of(rows if columns else {}, titles)


def scales_table(results: Mapping[str, Any], at: str | int) -> pd.DataFrame:
    """Samples at draws of N(0, s^2 I), with the s whose Fréchet distance on validation is the lowest, seed by seed."""
    rows = {}
    for key, method in results["methods"].items():
        found = [best_scale(curve) for curve in values_by_seed(results, key, at, "over_scales").values()]
        if found:
            rows[method["name"]] = [
                _interval(t_interval([each[name] for each in found]), name)
                if name in METRICS
                else ", ".join(f"{each['scale']:g}" for each in found)
                for name in ("scale", *CURVES)
            ]
    return frame_of(rows, ["s", *(METRICS[name].title for name in CURVES)])


def best_scale(curve: Mapping[str, Any]) -> dict[str, float]:
    """The scale with the lowest Fréchet distance on validation, and the test split's metrics there."""
    validation = [math.inf if value is None else value for value in curve["validation"]["frechet"]]
    best = validation.index(min(validation))
    return {"scale": curve["scale"][best], **{name: curve["test"][name][best] for name in CURVES}}


def classes_table(results: Mapping[str, Any], at: str | int) -> pd.DataFrame:
    """Shares of the classes among samples, in percent, mean over seeds."""
    rows = {}
    for ending, title in (("", "N(0, I)"), ("_fitted", "fitted")):
        for key, method in results["methods"].items():
            shares = list(values_by_seed(results, key, at, f"classes{ending}").values())
            if shares:
                rows[f"{method['name']}, {title}"] = [
                    f"{100 * sum(each) / len(shares):.1f}" for each in zip(*shares, strict=True)
                ]
    return frame_of(rows, [str(label) for label in range(10)])


def cost_table(results: Mapping[str, Any]) -> pd.DataFrame:
    """Time and decoder evaluations of an iteration, medians of one process in which the methods take turns."""
    seconds = results.get("costs", {}).get("seconds_an_iteration", {})
    unit = seconds.get(results["baseline"], math.nan)
    rows = {
        method["name"]: [
            _number(1000 * seconds[key], 2),
            _number(seconds[key] / unit, 2),
            _number(_evaluations_an_iteration(results, key), 1),
        ]
        for key, method in results["methods"].items()
        if key in seconds
    }
    return frame_of(rows, ["ms", "relative", "decoder evaluations"], "an iteration")


def repetition_table(results: Mapping[str, Any], committed: Mapping[str, Any]) -> pd.DataFrame:
    """Runs beside the committed ones of the same method and seed, on the test split, to three digits."""
    before = {(run["method"], run["seed"]): run for run in committed["runs"]}
    rows = [
        (results["methods"][run["method"]]["name"], run["seed"], at, name, *map(_significant, (values[name], other)))
        for run in results["runs"]
        if (run["method"], run["seed"]) in before
        for at, values in run["test"].items()
        for name in COMPARED
        if name in values
        for other in [_value(before[run["method"], run["seed"]], at, name)]
    ]
    return pd.DataFrame(rows, columns=["", "seed", "at", "metric", "now", "committed"])


def points_of(results: Mapping[str, Any]) -> tuple[str, ...]:
    """How tests are named in results: the budgets and "best", or "end" where runs have one point."""
    return (*map(str, results["budgets"]), "best") if results["budgets"] else (END,)


def title_of(at: str | int) -> str:
    """A point in words."""
    names = {"best": "best by validation", END: "at the end of the budget"}
    return names.get(str(at)) or f"after {int(at):,} iterations"


def as_text(frame: pd.DataFrame) -> str:
    """A frame as aligned text, without spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in frame.to_string().splitlines())


def frame_of(rows: Mapping[str, Sequence[str]], columns: Sequence[str], title: str = "") -> pd.DataFrame:
    """A frame of text with the names of methods as its index, and a title in its corner."""
    frame = pd.DataFrame.from_dict(dict(rows), orient="index", columns=list(columns))
    frame.columns.name = title or None
    return frame


def _value(run: Mapping[str, Any], at: str | int, name: str) -> float | int | None:
    return run["test"].get(str(at), {}).get(name)


def _evaluations_an_iteration(results: Mapping[str, Any], key: str) -> float | None:
    for run in results["runs"]:
        curve = run["curve"]
        if run["method"] == key and curve.get("iteration"):
            return curve["decoder_evaluations"][-1] / curve["iteration"][-1]
    return None


def _interval(interval: Interval, name: str) -> str:
    decimals = METRICS[name].decimals
    spread = f"±{interval.half_width:.{decimals}f}" if interval.count > 1 else ""
    return _number(interval.mean, decimals) + spread


def _difference(interval: Interval, name: str) -> str:
    if not interval.count:
        return NONE
    sign = "+" if interval.mean >= 0 else ""
    return f"{sign}{_interval(interval, name)} {'*' if interval.excludes_zero else ' '}"


def _number(value: float | None, decimals: int) -> str:
    return NONE if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def _significant(value: float | None) -> str:
    return NONE if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
