"""Tuning: the same number of random draws for each method, known before the first of them runs."""

import dataclasses
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pcltut.experiments.declaration import Experiment, Method, Value
from pcltut.experiments.measurement import METRICS
from pcltut.experiments.results import to_json
from pcltut.experiments.run import Run

CRITERIA = ("log_evidence", "frechet", "density", "coverage")
MAX_DRAWS = 1000


def tuning_runs(experiment: Experiment) -> dict[tuple[str, int], Run]:
    """All tuning runs by method and trial, trial by trial.

    Trial 0 of a method is its guess, the others are independent random draws from its search space, different from one
    another. They depend on the method's key alone, never on results, so that runs can go in any order, in parallel,
    and on from where they were stopped.
    """
    draws = {method.key: draw_trials(method, experiment.num_trials) for method in experiment.methods}
    return {
        (method.key, trial): Run(
            experiment.setting,
            method.algorithm,
            draws[method.key][trial],
            experiment.tuning_seed,
            experiment.tuning_points,
        )
        for trial in range(experiment.num_trials)
        for method in experiment.methods
        if trial < len(draws[method.key])
    }


def draw_trials(method: Method, num_trials: int) -> list[dict[str, Value]]:
    """Hyperparameters of a method's trials, by optuna's random sampler; fewer if its space has no more points."""
    if num_trials == 0:
        return []
    optuna = _import_optuna()
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.RandomSampler(seed=zlib.crc32(method.key.encode()))
        study = optuna.create_study(sampler=sampler)
        space = {name: _distribution(optuna, name, values) for name, values in method.search.items()}
        trials = [{**method.guess, **method.fixed}]
        for _ in range(MAX_DRAWS):
            if len(trials) >= num_trials:
                break
            drawn = {name: _short(value) for name, value in study.ask(space).params.items()}
            drawn = {**method.guess, **drawn, **method.fixed}
            if drawn not in trials:
                trials.append(drawn)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return trials


def choose(experiment: Experiment, results: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """The search as it is committed: all trials with their metrics, and each method's choice.

    Chosen is the lowest mean rank in log-evidence, Frechet distance, density and coverage at the last tuning point
    (ties: log-evidence); a run that failed ranks last.

    Args:
        results: of tuning runs, by method and trial.
    """
    choices = {}
    for method in experiment.methods:
        runs = [results[key, trial] for key, trial in sorted(results) if key == method.key]
        if not runs:
            continue
        best = best_trial([_last_row(run) for run in runs])
        choices[method.key] = {
            **_searched(method),
            "trials": [
                {"hyperparameters": run["run"]["hyperparameters"], "failed": run["failed"], "curve": run["curve"]}
                for run in runs
            ],
            "chosen": best,
            "hyperparameters": runs[best]["run"]["hyperparameters"],
        }
    origins = [result["provenance"] for result in results.values()]
    return {
        "experiment": experiment.name,
        "declaration": declaration(experiment),
        "sampler": "optuna RandomSampler, seeded by the CRC-32 of the method's key; trial 0 is the declared guess",
        "criterion": f"lowest mean rank over {', '.join(CRITERIA)} on the validation split at the last point",
        "provenance": {
            "device": sorted({origin["device"] for origin in origins}),
            "commit": sorted({origin["commit"] for origin in origins}),
            "versions": origins[0]["versions"],
        },
        "methods": choices,
    }


def declaration(experiment: Experiment) -> dict[str, Any]:
    """What a search depends on; another declaration needs another search."""
    return {
        "tuning_seed": experiment.tuning_seed,
        "tuning_points": list(experiment.tuning_points),
        "num_trials": experiment.num_trials,
        "setting": to_json(dataclasses.asdict(experiment.setting)),
    }


def covers(search: Mapping[str, Any], experiment: Experiment, method: Method) -> bool:
    """Whether a recorded search is the one that the experiment and the method declare."""
    found = search.get("methods", {}).get(method.key, {})
    same = all(found.get(name) == value for name, value in _searched(method).items())
    return same and search.get("declaration") == declaration(experiment)


def _searched(method: Method) -> dict[str, Any]:
    return {name: to_json(dict(getattr(method, name))) for name in ("fixed", "guess", "search")}


def best_trial(rows: Sequence[Mapping[str, Any]]) -> int:
    """Index of the row with the lowest mean rank over the criteria; ties go to the higher log-evidence.

    Where all runs failed it is the first, the declared guess, so that the tables show the failure.
    """
    signs = pd.Series({name: -1.0 if METRICS[name].larger_is_better else 1.0 for name in CRITERIA})
    costs = pd.DataFrame(list(rows), columns=list(CRITERIA), dtype=float) * signs
    costs = costs.dropna(axis="columns", how="all").fillna(math.inf)
    ranks = costs.rank(method="min").sum(axis="columns")
    first = costs.iloc[:, 0] if costs.size else ranks
    return min(range(len(rows)), key=lambda i: (ranks[i], first[i], i))


def _last_row(run: Mapping[str, Any]) -> Mapping[str, Any]:
    finished = run["failed"] is None and run["curve"]
    return run["curve"][-1] if finished else dict.fromkeys(CRITERIA)


def _distribution(optuna: Any, name: str, values: Sequence[Value]) -> Any:
    if len(values) == 3 and values[-1] == "log":
        return optuna.distributions.FloatDistribution(values[0], values[1], log=True)
    if not values:
        raise ValueError(f"got no values to search for {name}, expected choices or (low, high, 'log'); give some")
    return optuna.distributions.CategoricalDistribution(tuple(values))


def _short(value: Value) -> Value:
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ValueError(
            "tuning needs the library optuna; run `python -m pip install optuna` (runs with committed hyperparameters "
            "do not need it)"
        ) from error
    return optuna
