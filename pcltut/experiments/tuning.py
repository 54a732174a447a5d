"""Tuning: equally many quasi-random trials of each method, then both learning rates refined around the best of them.

Trials and refinement are judged by one criterion, validation log-evidence at the end of the run.
"""

import dataclasses
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import qmc

from pcltut.experiments.budgets import points_of
from pcltut.experiments.declaration import EvaluationBudget, Experiment, Method, Value
from pcltut.experiments.measurement import METRICS
from pcltut.experiments.results import ResultError, to_json
from pcltut.experiments.run import Run

CRITERION = "log_evidence"
RATES = ("learning_rate", "encoder_learning_rate")
FACTORS = (2.0, 0.5)
NOTHING = EvaluationBudget(num_images=0, num_samples=0)  # spent on the test split

Results = Mapping[tuple[str, int], Mapping[str, Any]]  # by method and trial, or by method and point


def trial_runs(experiment: Experiment) -> dict[tuple[str, int], Run]:
    """All trials by method and number: the first of every method, the second of every method, and so on.

    They depend on the method's key alone, never on results, so that runs can go in any order, in parallel, and on from
    where they were stopped.
    """
    if not experiment.num_trials:
        return {}
    draws = {method.key: draw_trials(method, experiment.num_trials) for method in experiment.methods}
    return {
        (method.key, trial): _run(experiment, method, draws[method.key][trial], experiment.tuning_seed)
        for trial in range(experiment.num_trials)
        for method in experiment.methods
    }


def draw_trials(method: Method, num_trials: int) -> list[dict[str, Value]]:
    """Hyperparameters of a method's trials: the first points of a scrambled Sobol sequence (Sobol, 1967; Owen, 1998).

    The sequence is seeded by the CRC-32 of the method's key; more trials begin with the same ones.
    """
    sequence = qmc.Sobol(len(method.search), scramble=True, rng=zlib.crc32(method.key.encode()))
    points = sequence.random_base2(math.ceil(math.log2(num_trials)))[:num_trials]
    return [
        {
            **method.guess,
            **{name: _value(name, method.search[name], u) for name, u in zip(method.search, point, strict=True)},
            **method.fixed,
        }
        for point in points.tolist()
    ]


def refinement_runs(experiment: Experiment, trials: Results) -> dict[tuple[str, int], Run]:
    """At one more seed, each method's best trial (point 0) and its neighbors; they may leave the declared range.

    Args:
        trials: results; a method without any is left out.
    """
    points = {
        method.key: neighbors(method, found[_best(found)]["run"]["hyperparameters"])
        for method in experiment.methods
        if (found := _of(method, trials))
    }
    most = max(map(len, points.values()), default=0)
    return {
        (key, point): _run(experiment, experiment.method(key), points[key][point], experiment.refinement_seed)
        for point in range(most)
        for key in points
        if point < len(points[key])
    }


def neighbors(method: Method, hyperparameters: Mapping[str, Value]) -> list[dict[str, Value]]:
    """The point itself, and it with each searched learning rate doubled and halved."""
    return [
        dict(hyperparameters),
        *({**hyperparameters, name: hyperparameters[name] * factor} for name in _rates(method) for factor in FACTORS),
    ]


def choose(experiment: Experiment, trials: Results, refinement: Results) -> dict[str, Any]:
    """The search as it is committed: all its runs, and each method's choice, the best point of its refinement.

    Beside it, what a choice among the trials by another metric, a Fréchet distance, would have been.
    """
    choices = {}
    for method in experiment.methods:
        tried, refined = _of(method, trials), _of(method, refinement)
        if not tried:
            continue
        best, chosen = _best(tried), _best(refined)
        choices[method.key] = {
            **_declared(method),
            "trials": [_entry(run) for run in tried],
            "best_trial": best,
            "refinement": [_entry(run) for run in refined],
            "chosen": chosen,
            "not_settled": not_settled(method, chosen),
            "hyperparameters": refined[chosen]["run"]["hyperparameters"],
            "best_trial_by": {
                metric: best_of(list(map(_last_row, tried)), metric)
                for metric in METRICS
                if metric.startswith("frechet") and any(metric in _last_row(run) for run in tried)
            },
        }
    origins = [result["provenance"] for result in (*trials.values(), *refinement.values())]
    return {
        "experiment": experiment.name,
        "declaration": declaration(experiment),
        "sampler": "scipy.stats.qmc.Sobol, scrambled, seeded by the CRC-32 of the method's key",
        "criterion": f"highest {CRITERION} on the validation split at the end of the run: of the trials, then of the "
        "best trial with each learning rate doubled and halved, at another seed",
        "provenance": {
            "device": sorted({origin["device"] for origin in origins}),
            "commit": sorted({origin["commit"] for origin in origins}),
            "versions": origins[0]["versions"],
        },
        "claim": claim_of(choices, experiment.claimants),
        "methods": choices,
    }


def claim_of(choices: Mapping[str, Mapping[str, Any]], claimants: Sequence[str]) -> str | None:
    """The claimant whose chosen point has the best validation log-evidence; None where there are none."""
    found = {key: _last_row(choices[key]["refinement"][choices[key]["chosen"]]) for key in claimants if key in choices}
    return list(found)[best_of(list(found.values()))] if found else None


def covers(search: Mapping[str, Any], experiment: Experiment, method: Method) -> bool:
    """Whether a recorded search is the one that the experiment and the method declare."""
    found = search.get("methods", {}).get(method.key, {})
    same = all(found.get(name) == value for name, value in _declared(method).items())
    return same and search.get("declaration") == declaration(experiment)


def check_search(search: Mapping[str, Any], experiment: Experiment) -> None:
    """Refuse a recorded search that broke the rules: unequal numbers of trials, or a choice by anything else.

    Raises:
        ResultError: it names the method and the rule.
    """
    for key, found in search["methods"].items():
        method = experiment.method(key)
        trials, refinement = found["trials"], found["refinement"]
        best, chosen = best_of(list(map(_last_row, trials))), best_of(list(map(_last_row, refinement)))
        points = neighbors(method, trials[found["best_trial"]]["hyperparameters"])
        for rule, kept in {
            f"{experiment.num_trials} trials": len(trials) == experiment.num_trials,
            f"the best trial by {CRITERION}": found["best_trial"] == best,
            "the best trial and its neighbors": [entry["hyperparameters"] for entry in refinement] == points,
            f"the best point by {CRITERION}": found["chosen"] == chosen,
            "the chosen hyperparameters": found["hyperparameters"] == points[chosen],
            "the unsettled rates": found["not_settled"] == not_settled(method, chosen),
        }.items():
            if not kept:
                raise ResultError(f"got a search of {key} without {rule}, expected the declared rules; search again")
    claim = claim_of(search["methods"], experiment.claimants)
    if len(search["methods"]) == len(experiment.methods) and search["claim"] != claim:
        raise ResultError(f"got a search with the claim of {search['claim']!r}, expected {claim!r}; search again")


def declaration(experiment: Experiment) -> dict[str, Any]:
    """What a search depends on; another declaration needs another search."""
    setting = to_json(dataclasses.asdict(_untested(experiment)))
    names = ("updates", "seconds", "num_trials", "tuning_seed", "refinement_seed")
    return {**{name: getattr(experiment, name) for name in names}, "setting": setting}


def best_of(rows: Sequence[Mapping[str, Any]], metric: str = CRITERION) -> int:
    """Index of the best row; runs that failed come last, and if all did it is the first."""
    sign = 1.0 if METRICS[metric].larger_is_better else -1.0
    values = [-math.inf if row.get(metric) is None else sign * row[metric] for row in rows]
    return values.index(max(values))


def not_settled(method: Method, chosen: int) -> list[str]:
    """The learning rate whose neighbor won, if one did: a better one may lie beyond."""
    return [_rates(method)[(chosen - 1) // len(FACTORS)]] if chosen else []


def _run(experiment: Experiment, method: Method, hyperparameters: Mapping[str, Value], seed: int) -> Run:
    """A tuning run: it has no budgets, so that it reads no test image."""
    points = points_of(experiment, method, hyperparameters)
    return Run(_untested(experiment), method.algorithm, hyperparameters, seed, points)


def _untested(experiment: Experiment) -> Any:
    """The setting without what is spent on the test split, which no search depends on."""
    return dataclasses.replace(experiment.setting, test=NOTHING)


def _of(method: Method, results: Results) -> list[Mapping[str, Any]]:
    return [results[key, number] for key, number in sorted(results) if key == method.key]


def _best(runs: Sequence[Mapping[str, Any]]) -> int:
    return best_of(list(map(_last_row, runs)))


def _last_row(run: Mapping[str, Any]) -> Mapping[str, Any]:
    return run["curve"][-1] if run["failed"] is None and run["curve"] else {}


def _entry(run: Mapping[str, Any]) -> dict[str, Any]:
    return {"hyperparameters": run["run"]["hyperparameters"], "failed": run["failed"], "curve": run["curve"]}


def _declared(method: Method) -> dict[str, Any]:
    return {name: to_json(dict(getattr(method, name))) for name in ("fixed", "guess", "search")}


def _rates(method: Method) -> list[str]:
    return [name for name in RATES if name in method.search]


def _value(name: str, values: Sequence[Value], u: float) -> Value:
    """The point of a range, or the choice, at a number from 0 to 1; a float to three digits."""
    if not values:
        raise ValueError(f"got no values to search for {name}, expected choices or (low, high, 'log'); give some")
    if len(values) == 3 and values[-1] == "log":
        low, high, _ = values
        return float(f"{low * (high / low) ** u:.3g}")
    return values[int(u * len(values))]
