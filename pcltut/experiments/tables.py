"""Results as text: one table for each budget, differences from the baseline, costs, and how to repeat a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pcltut.experiments.measurement import MEASURES
from pcltut.experiments.statistics import Interval
from pcltut.experiments.summary import difference, reach_baseline, summarize

COMPARED = ("log_evidence", "bits_per_dimension", "frechet", "frechet_extrapolated", "density", "coverage")
SHOWN = (*COMPARED, "encoder_scale", "sigma")
DECIMALS = {
    "log_evidence": 1,
    "bits_per_dimension": 3,
    "frechet": 1,
    "frechet_extrapolated": 1,
    "density": 3,
    "coverage": 3,
    "encoder_scale": 3,
    "sigma": 3,
}


def report_text(results: Mapping[str, Any]) -> str:
    """The whole report."""
    parts = [header(results)]
    for at in [*map(str, results["budgets"]), "best"]:
        title = "At each run's best point by validation" if at == "best" else f"After {int(at):,} iterations"
        parts.append(f"{title}, test split\n" + means_table(results, at))
        parts.append("Differences from the baseline, paired by seed (* outside the 95 % interval)\n")
        parts[-1] += differences_table(results, at)
    parts += [reach_table(results), cost_table(results), failures(results), repeat_lines(results)]
    return "\n\n".join(filter(None, parts))


def header(results: Mapping[str, Any]) -> str:
    """Question, origin and notes."""
    origin = results["provenance"]
    lines = [
        f"{results['experiment']}: {results['question']}",
        f"Seeds {', '.join(map(str, origin['seeds']))}; {'; '.join(origin['devices'])}; commit "
        f"{', '.join(origin['commits'])}; "
        + ", ".join(f"{name} {version}" for name, version in origin["versions"].items()),
        "Mean and half width of the 95 % t interval over seeds. Log-evidence in nats an image by AIS from the prior, "
        "for all methods alike.",
        f"Frechet distance, density and coverage of decoder means at prior draws, on {results['setting']['features']} "
        "features.",
        *results["notes"],
    ]
    return "\n".join(lines)


def means_table(results: Mapping[str, Any], at: str | int, columns: Sequence[str] = SHOWN) -> str:
    """One row a method, one column a measure; references below.

    Args:
        at: a budget in iterations, or "best" for the best point by validation.
        columns: names of measures.
    """
    names = _present(results, columns, str(at))
    rows = [("", "n", *(MEASURES[name][0] for name in names))]
    for key, method in results["methods"].items():
        cells = [summarize(results, key, at, name) for name in names]
        count = max((cell.count for cell in cells), default=0)
        if count:
            rows.append((method["name"], str(count), *(_interval(c, n) for c, n in zip(cells, names, strict=True))))
    if len({row[1] for row in rows[1:]}) == 1:  # the header names the seeds
        rows = [(row[0], *row[2:]) for row in rows]
    for name, values in results.get("references", {}).items():
        rows.append((name, *[""] * (len(rows[0]) - len(names) - 1), *(_number(values.get(n), n) for n in names)))
    return _table(rows)


def differences_table(results: Mapping[str, Any], at: str | int, columns: Sequence[str] = COMPARED) -> str:
    """One row a method, paired differences from the baseline; a star marks intervals without zero."""
    names = _present(results, columns, str(at))
    baseline = results["methods"][results["baseline"]]["name"]
    rows = [(f"minus {baseline}", *(MEASURES[name][0] for name in names))]
    for key, method in results["methods"].items():
        cells = [difference(results, key, at, name) for name in names]
        if key != results["baseline"] and any(cell.count for cell in cells):
            rows.append((method["name"], *(_difference(c, n) for c, n in zip(cells, names, strict=True))))
    return _table(rows) if len(rows) > 1 else "none"


def verdicts_table(results: Mapping[str, Any], columns: Sequence[str] = COMPARED) -> str:
    """One row a method: a sign for each measure, at each budget and at the best point; see `verdict`."""
    points = [*map(str, results["budgets"]), "best"]
    rows = [("", *points)]
    for key, method in results["methods"].items():
        if key != results["baseline"]:
            rows.append((method["name"], *(verdict(results, key, at, columns) for at in points)))
    return _table(rows)


def verdict(results: Mapping[str, Any], method: str, at: str | int, columns: Sequence[str] = COMPARED) -> str:
    """A sign for each measure: "+" better than the baseline outside the 95 % interval, "-" worse, "." undecided."""
    signs = ""
    for name in columns:
        found = difference(results, method, at, name)
        better = (found.mean > 0) == MEASURES[name][1]
        signs += "." if not found.excludes_zero else "+" if better else "-"
    return signs


def reach_table(results: Mapping[str, Any], at: int | None = None) -> str:
    """When each method has the baseline's validation log-evidence, and its share of the baseline's updates and time.

    Args:
        at: iteration at which the baseline sets the target; its best point if not given.
    """
    baseline = results["methods"][results["baseline"]]["name"]
    seconds = results.get("costs", {}).get("seconds_an_iteration", {})
    rows = [("", "iterations", "share of them", "of the time", "seeds that never did")]
    for key, method in results["methods"].items():
        needed, share, missed = reach_baseline(results, key, at)
        if needed.count or missed:
            time = share.mean * seconds.get(key, math.nan) / seconds.get(results["baseline"], math.nan)
            cells = (f"{needed.mean:.0f}", f"{share.mean:.2f}", f"{time:.2f}") if needed.count else ("-",) * 3
            rows.append((method["name"], *cells, str(missed)))
    when = "at its best" if at is None else f"after {at:,} iterations"
    title = f"To the validation log-evidence that {baseline} of the same seed has {when}\n"
    return title + _table(rows) if len(rows) > 1 else ""


def search_table(search: Mapping[str, Any]) -> str:
    """One row a method: what its search chose, and log-evidence (worst, best) and encoder std (range) of its trials."""
    short = {"learning_rate": "rate", "encoder_learning_rate": "encoder's", "num_steps": "T", "step_size": "step"}
    short["temperature"] = "tau"
    rows = [("", *short.values(), "log-evidence", "encoder std")]
    for key, found in search["methods"].items():
        chosen = found["hyperparameters"]
        last = [trial["curve"][-1] for trial in found["trials"] if not trial["failed"]]
        ranges = []
        for name, spec in (("log_evidence", ".0f"), ("encoder_scale", ".3g")):
            values = [row[name] for row in last if row.get(name) is not None]
            ranges.append(f"{min(values):{spec}} to {max(values):{spec}}" if values else "")
        rows.append((key, *(f"{chosen[name]:g}" if name in chosen else "" for name in short), *ranges))
    return _table(rows)


def cost_table(results: Mapping[str, Any]) -> str:
    """Seconds and decoder evaluations an iteration."""
    seconds = results.get("costs", {}).get("seconds_an_iteration", {})
    if not seconds:
        return ""
    unit = seconds.get(results["baseline"], math.nan)
    rows = [("", "ms an iteration", "relative", "decoder evaluations an iteration")]
    for key, method in results["methods"].items():
        if key in seconds:
            rows.append(
                (
                    method["name"],
                    f"{1000 * seconds[key]:.2f}",
                    f"{seconds[key] / unit:.2f}",
                    _evaluations_an_iteration(results, key),
                )
            )
    origin = results["costs"]["provenance"]["device"]
    return f"Cost: medians of one process in which the methods take turns\n({origin})\n" + _table(rows)


def failures(results: Mapping[str, Any]) -> str:
    """Runs that ended before their time."""
    names = results["methods"]
    lines = [
        f"{names[run['method']]['name']}, seed {run['seed']}: {run['failed']}"
        for run in results["runs"]
        if run["failed"]
    ]
    return "Runs that ended early\n" + "\n".join(lines) if lines else ""


def repeat_lines(results: Mapping[str, Any]) -> str:
    """The command that repeats one seed of each row."""
    name, seeds = results["experiment"], results["provenance"]["seeds"]
    present = {run["method"] for run in results["runs"]}
    width = max(len(method["name"]) for method in results["methods"].values())
    lines = [
        f"{method['name'].ljust(width)}  {repeat_command(name, key, seeds[0])}"
        for key, method in results["methods"].items()
        if key in present
    ]
    return "One seed of a row again\n" + "\n".join(lines)


def repeat_command(experiment: str, method: str, seed: int) -> str:
    """The command that repeats one run, and shows it beside the committed one."""
    return f"python -m pcltut experiment {experiment} --only {method} --seed {seed} --out runs/again"


def compare_text(results: Mapping[str, Any], committed: Mapping[str, Any]) -> str:
    """Runs beside the committed ones of the same method and seed, on the test split."""
    before = {(run["method"], run["seed"]): run for run in committed["runs"]}
    rows = [("", "seed", "at", "measure", "now", "committed")]
    for run in results["runs"]:
        other = before.get((run["method"], run["seed"]))
        for at, values in run["test"].items() if other else ():
            for name in COMPARED:
                if name in values:
                    pair = (_significant(each.get(name)) for each in (values, other["test"].get(at, {})))
                    rows.append((results["methods"][run["method"]]["name"], str(run["seed"]), at, name, *pair))
    return _table(rows) if len(rows) > 1 else ""


def _evaluations_an_iteration(results: Mapping[str, Any], key: str) -> str:
    for run in results["runs"]:
        curve = run["curve"]
        if run["method"] == key and curve.get("iteration"):
            return f"{curve['decoder_evaluations'][-1] / curve['iteration'][-1]:.1f}"
    return "-"


def _present(results: Mapping[str, Any], names: Sequence[str], at: str) -> list[str]:
    return [name for name in names if any(run["test"].get(at, {}).get(name) is not None for run in results["runs"])]


def _interval(interval: Interval, name: str) -> str:
    if interval.count == 0:
        return "-"
    decimals = DECIMALS[name]
    spread = f"±{interval.half_width:.{decimals}f}" if interval.count > 1 else ""
    return f"{interval.mean:.{decimals}f}{spread}"


def _difference(interval: Interval, name: str) -> str:
    if interval.count == 0:
        return "-"
    sign = "+" if interval.mean >= 0 else ""
    return f"{sign}{_interval(interval, name)} {'*' if interval.excludes_zero else ' '}"


def _number(value: float | None, name: str) -> str:
    return "-" if value is None else f"{value:.{DECIMALS[name]}f}"


def _significant(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
