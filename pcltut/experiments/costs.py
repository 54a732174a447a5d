"""What an iteration and a measurement cost: measured in one process, and estimated before an experiment."""

import dataclasses
import statistics
import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from pcltut.experiments.declaration import Experiment
from pcltut.experiments.measurement import measure
from pcltut.experiments.results import provenance
from pcltut.experiments.run import Run
from pcltut.experiments.tuning import draw_trials
from pcltut.samplers import ChainDiverged

ROUNDS, ITERATIONS = 9, 6
STEPS = (1, 2, 5, 10, 20)  # lengths of chains whose batches are timed
ENDLESS = 10_000  # batches of a schedule that does not end while it is timed


def seconds_an_iteration(
    runs: Mapping[str, Run],
    *,
    device: str = "cpu",
    root: Any = None,
    rounds: int = ROUNDS,
    iterations: int = ITERATIONS,
) -> dict[str, float]:
    """Median seconds of an iteration of each run, all runs in turn in one process.

    They take turns, so that whatever else the machine does falls on all of them alike. The first iteration of a turn
    is left out: it warms up, or measures the chain's stability. A run whose chains diverge at once has no entry.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            state = run.build(device=device, root=root)
            try:
                times = [_timed(state.step, device) for _ in range(iterations)]
            except ChainDiverged:
                continue
            found[name] += times[1:]
    return {name: statistics.median(times) for name, times in found.items() if times}


def batch_costs(experiment: Experiment, *, device: str = "cpu", root: Any = None) -> dict[str, Any]:
    """Median seconds of a batch of each method for several lengths of chains, with their origin.

    Budgets in seconds are turned into batches by it once, and runs have so many, however fast the machine then is.
    """
    runs = {}
    for method in experiment.methods:
        first = {**draw_trials(method, 1)[0], "learning_rate": 1e-4, "encoder_learning_rate": 1e-4}
        if "step_size" in first:
            first["step_size"] = method.search["step_size"][0]
        for num_steps in STEPS if "num_steps" in method.search else (first.get("num_steps", 1),):
            values = {**first, "num_steps": num_steps} if "num_steps" in first else first
            runs[method.key, num_steps] = Run(experiment.setting, method.algorithm, values, 0, (ENDLESS,))
    named = {f"{key} {num_steps}": run for (key, num_steps), run in runs.items()}
    seconds = seconds_an_iteration(named, device=device, root=root)
    table: dict[str, dict[str, float]] = {}
    for key, num_steps in runs:
        table.setdefault(key, {})[str(num_steps)] = seconds[f"{key} {num_steps}"]
    return {"seconds_a_batch": table, "provenance": provenance(device)}


def _timed(step: Any, device: str) -> float:
    start = time.perf_counter()
    step()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def seconds_a_measurement(run: Run, split: str, *, device: str = "cpu", root: Any = None) -> float:
    """Seconds of one measurement, from two with few bridges: AIS costs in proportion to them, the rest is fixed."""
    state = run.build(device=device, root=root)
    budget = getattr(run.setting, split)
    part = max(1, budget.num_bridges // 20)

    def timed(num_bridges: int) -> float:
        short = dataclasses.replace(run.setting, validation=dataclasses.replace(budget, num_bridges=num_bridges))
        start = time.perf_counter()
        measure(short, state.model, state.encoder, "validation", seed=0, device=device, root=root)
        return time.perf_counter() - start

    timed(1)  # loads what is kept in memory
    few, more = timed(part), timed(2 * part)
    return few + max(more - few, 0.0) * (budget.num_bridges / part - 1)


def estimate_hours(runs: Iterable[Run], workers: int, *, device: str = "cpu", root: Any = None) -> float:
    """Rough hours of runs that are still to be done, from a probe of a few seconds.

    Each kind of run is timed once; another number of steps of a chain is scaled from it. Measurements are timed once.
    """
    runs = list(runs)
    if not runs:
        return 0.0
    kinds: dict[str, Run] = {}
    for run in runs:
        kinds.setdefault(_kind(run), run)
    seconds = seconds_an_iteration(kinds, device=device, root=root, rounds=1, iterations=4)
    slowest = max(seconds.values(), default=0.0)
    validation = seconds_a_measurement(runs[0], "validation", device=device, root=root)
    test = seconds_a_measurement(runs[0], "test", device=device, root=root) if any(r.budgets for r in runs) else 0.0
    total = 0.0
    for run in runs:
        steps, known = (each.hyperparameters.get("num_steps", 1) for each in (run, kinds[_kind(run)]))
        total += run.points[-1] * seconds.get(_kind(run), slowest) * steps / known + len(run.points) * validation
        total += (len(run.budgets) + 1) * test if run.budgets else 0.0
    return total / max(workers, 1) / 3600


def _kind(run: Run) -> str:
    """What decides an iteration's cost, but for the length of a chain."""
    sizes = {name: run.hyperparameters.get(name) for name in ("num_samples", "num_leapfrog")}
    return f"{run.algorithm} {sizes} {[value for value in run.hyperparameters.values() if isinstance(value, str)]}"


def measure_costs(runs: Mapping[str, Run], *, device: str = "cpu", root: Any = None) -> dict[str, Any]:
    """Median seconds an iteration of each run with their origin, as they are committed."""
    return {
        "seconds_an_iteration": seconds_an_iteration(runs, device=device, root=root),
        "provenance": provenance(device),
    }
