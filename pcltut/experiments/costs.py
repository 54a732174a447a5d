"""What an iteration and a measurement cost: a table made by one process, and an estimate before an experiment."""

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from pcltut.experiments.builder import build
from pcltut.experiments.declaration import Job
from pcltut.experiments.measurement import load, measure
from pcltut.experiments.results import provenance
from pcltut.samplers import ChainDiverged
from pcltut.training import fit

ROUNDS, ITERATIONS = 9, 6


class _Timed:
    """An algorithm that notes when each call for gradients begins; nothing else changes."""

    def __init__(self, algorithm: Any, device: str) -> None:
        self.algorithm, self.device = algorithm, device
        self.times: list[float] = []

    @property
    def uses_encoder(self) -> bool:
        return self.algorithm.uses_encoder

    @property
    def keeps_chains(self) -> bool:
        return self.algorithm.keeps_chains

    @property
    def step_size(self) -> float:
        return self.algorithm.step_size

    def gradients(self, *arguments: Any) -> Any:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        return self.algorithm.gradients(*arguments)

    def stability_margin(self, *arguments: Any) -> float:
        return self.algorithm.stability_margin(*arguments)


def seconds_an_iteration(
    jobs: Sequence[Job], *, device: str = "cpu", root: Any = None, rounds: int = ROUNDS, iterations: int = ITERATIONS
) -> dict[str, float]:
    """Median seconds of an Adam step of each job's method, all methods in turn in one process.

    The methods take turns, so that whatever else the machine does falls on all of them alike. The first step of a turn
    is left out: it also measures the chain's stability. A method whose chains diverge at once has no entry.
    """
    found: dict[str, list[float]] = {job.method.key: [] for job in jobs}
    for _ in range(rounds):
        for job in jobs:
            setting = job.experiment.setting_of(job.method)
            images = load(setting.data, "train", device, root)[: setting.num_train]
            built = build(
                setting,
                job.method,
                job.hyperparameters,
                tuple(images.event_shape),
                seed=job.seed,
                last_iteration=job.points[-1],
                device=device,
            )
            timed = _Timed(built.algorithm, device)
            try:
                fit(
                    timed,
                    built.model,
                    images,
                    generator=built.generator,
                    num_iterations=iterations,
                    encoder=built.encoder,
                    batch_size=setting.batch_size,
                    learning_rate=built.learning_rate,
                    encoder_learning_rate=built.encoder_learning_rate,
                    progress=False,
                )
            except ChainDiverged:
                continue
            times = timed.times[1:]
            found[job.method.key] += [after - before for before, after in pairwise(times)]
    return {key: statistics.median(values) for key, values in found.items() if values}


def seconds_a_measurement(job: Job, split: str, *, device: str = "cpu", root: Any = None) -> float:
    """Seconds of one measurement, from two with few bridges: AIS costs in proportion to them, the rest is fixed."""
    setting = job.experiment.setting_of(job.method)
    images = load(setting.data, "validation", device, root)
    shape, hyperparameters = tuple(images.event_shape), job.hyperparameters
    built = build(setting, job.method, hyperparameters, shape, seed=job.seed, last_iteration=1, device=device)
    effort = setting.test if split == "test" else setting.validation
    part = max(1, effort.num_bridges // 20)

    def timed(num_bridges: int) -> float:
        short = dataclasses.replace(setting, validation=dataclasses.replace(effort, num_bridges=num_bridges))
        start = time.perf_counter()
        measure(short, built.model, built.encoder, "validation", seed=0, device=device, root=root)
        return time.perf_counter() - start

    timed(1)  # loads what is kept in memory
    few, more = timed(part), timed(2 * part)
    return few + max(more - few, 0.0) * (effort.num_bridges / part - 1)


def estimate_hours(jobs: Sequence[Job], workers: int, *, device: str = "cpu", root: Any = None) -> float:
    """Rough hours of jobs that are still to be run, from a probe of a few seconds.

    Each method is timed at the first of its jobs; another number of steps of a chain is scaled from it. Measurements
    are timed once.
    """
    if not jobs:
        return 0.0
    first: dict[str, Job] = {}
    for job in jobs:
        first.setdefault(job.method.key, job)
    seconds = seconds_an_iteration(list(first.values()), device=device, root=root, rounds=1, iterations=4)
    slowest = max(seconds.values(), default=0.0)
    validation = seconds_a_measurement(jobs[0], "validation", device=device, root=root)
    test = seconds_a_measurement(jobs[0], "test", device=device, root=root) if any(j.is_final for j in jobs) else 0.0
    total = 0.0
    for job in jobs:
        key = job.method.key
        steps, known = (each.hyperparameters.get("num_steps", 1) for each in (job, first[key]))
        total += job.points[-1] * seconds.get(key, slowest) * steps / known + len(job.points) * validation
        total += (len(job.experiment.budgets) + 1) * test if job.is_final else 0.0
    return total / max(workers, 1) / 3600


def cost_table(jobs: Sequence[Job], *, device: str = "cpu", root: Any = None) -> Mapping[str, Any]:
    """Median seconds an iteration of each method's first job, with their origin, as they are committed."""
    first: dict[str, Job] = {}
    for job in jobs:
        first.setdefault(job.method.key, job)
    seconds = seconds_an_iteration(list(first.values()), device=device, root=root)
    return {"seconds_an_iteration": seconds, "provenance": provenance(device)}
