"""A whole experiment: tuning, final runs, references and costs, each only as far as it is not on disk yet."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pcltut.experiments.costs import cost_table
from pcltut.experiments.declaration import Experiment, Job, Method, Value, check_data
from pcltut.experiments.measurement import feature_network, references
from pcltut.experiments.pool import Event, run_jobs
from pcltut.experiments.results import ResultError, collect, commit, read_json, read_run, results_folder, write_json
from pcltut.experiments.tuning import choose, covers, tuning_jobs
from pcltut.files import exclusive

SEARCH, REFERENCES, COSTS = "tuning.json", "references.json", "costs.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """An experiment, or a part of it, in a folder: what is there and what is still to be done.

    Args:
        folder: all files of the experiment lie below it.
        only: keys of methods; all if empty.
        seeds: of the final runs; the declared ones if empty.
        workers: runs that go on at the same time, one thread each.
        root: folder of the data sets.
    """

    experiment: Experiment
    folder: Path
    only: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    device: str = "cpu"
    workers: int = 1
    root: Any = None

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods that are run."""
        return tuple(map(self.experiment.method, self.only)) if self.only else self.experiment.methods

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out; only then references and costs are computed."""
        return not self.only and not self.seeds

    def search(self) -> dict[str, Any]:
        """The search of this folder, else the committed one; a method without its choice must be tuned.

        For an experiment with `tuned_in` it is that experiment's committed search.
        """
        experiment = self.experiment
        if experiment.tuned_in:
            path = results_folder() / f"{experiment.tuned_in}-tuning.json"
            return read_json(path, "restore it with git") if path.exists() else {}
        found: dict[str, Any] = {}
        for path in (results_folder() / f"{experiment.name}-tuning.json", self.folder / SEARCH):
            search = read_json(path, "restore it with git, or delete it to tune again") if path.exists() else {}
            if all(covers(search, experiment, method) for method in self.methods):
                found = search
        return found

    def tuning(self) -> list[Job]:
        """All tuning runs, none if the choices are known."""
        if self.experiment.num_trials == 0 or self.search():
            return []
        return [job for job in tuning_jobs(self.experiment) if job.method in self.methods]

    def final(self) -> list[Job]:
        """All final runs, seed by seed; before tuning with the declared guesses."""
        search, experiment = self.search(), self.experiment
        return [
            Job(experiment, method, hyperparameters(experiment, method, search), seed)
            for seed in self.seeds or experiment.seeds
            for method in self.methods
        ]

    def folder_of(self, job: Job) -> Path:
        """Where a job's result lies."""
        return self.folder / ("final" if job.is_final else "tuning")

    def unfinished(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs without a result; stops at a result that is damaged or has other settings."""
        return [job for job in jobs if read_run(self.folder_of(job) / f"{job.name}.json", job) is None]

    def check(self) -> None:
        """Stop before anything runs if data or the feature network are missing."""
        for method in self.methods:
            check_data(self.experiment.setting_of(method), self.root)
        if self.experiment.setting.features != "none":
            feature_network(self.experiment.setting.features, self.device)


def run_experiment(
    plan: Plan, *, tuning_only: bool = False, on_event: Callable[[Event], None] = lambda event: None
) -> dict[str, Any]:
    """Run what is not finished, tuning first, and give all results, as `load_results` does for committed ones.

    A process that is killed at any moment loses what it has trained since the last point of its runs' curves; the same
    call goes on from there, and ends with the same numbers (times excepted).
    """
    commit()
    plan.check()
    plan.folder.mkdir(parents=True, exist_ok=True)
    with exclusive(plan.folder):
        tuning = plan.tuning()
        if tuning:
            _run(plan, tuning, on_event)
            results = [read_run(plan.folder_of(job) / f"{job.name}.json", job) for job in tuning]
            write_json(plan.folder / SEARCH, choose(plan.experiment, plan.methods, results))
        if tuning_only:
            return {}
        jobs = plan.final()
        _run(plan, jobs, on_event)
        if plan.is_whole:
            _make(plan.folder / REFERENCES, lambda: references(plan.experiment.setting, plan.device, plan.root))
            first = [job for job in jobs if job.seed == jobs[0].seed]
            _make(plan.folder / COSTS, lambda: cost_table(first, device=plan.device, root=plan.root))
    return read_results(plan)


def read_results(plan: Plan) -> dict[str, Any]:
    """All finished final runs of a folder, as one JSON object."""
    found = [read_run(plan.folder_of(job) / f"{job.name}.json", job) for job in plan.final()]
    finished = [run for run in found if run is not None]
    if not finished:
        raise ResultError(
            f"got no finished run of {plan.experiment.name} in {plan.folder}; run "
            f"`python -m pcltut experiment {plan.experiment.name} --out {plan.folder}` first"
        )
    extras = {
        name.removesuffix(".json"): read_json(plan.folder / name, "delete it, the same command makes it again")
        for name in (REFERENCES, COSTS)
        if (plan.folder / name).exists()
    }
    return collect(plan.experiment, finished, extras)


def hyperparameters(experiment: Experiment, method: Method, search: Mapping[str, Any]) -> dict[str, Value]:
    """A method's hyperparameters: those chosen by a search, if there is one, else the declared guess."""
    key = (experiment.tuned_in and method.tuned_as) or method.key
    chosen = search.get("methods", {}).get(key, {}).get("hyperparameters", {})
    if experiment.tuned_in:
        return {**chosen, **method.guess, **method.fixed}
    return {**method.guess, **chosen, **method.fixed}


def _run(plan: Plan, jobs: Sequence[Job], on_event: Callable[[Event], None]) -> None:
    """Run the unfinished of the jobs, then tidy up after runs that were killed once they had finished."""
    if not jobs:
        return
    folder = plan.folder_of(jobs[0])
    unfinished = plan.unfinished(jobs)
    run_jobs(
        unfinished,
        folder,
        workers=min(plan.workers, max(len(unfinished), 1)),
        device=plan.device,
        root=plan.root,
        on_event=on_event,
    )
    remove_leftovers(folder, jobs)


def remove_leftovers(folder: Path, jobs: Sequence[Job]) -> None:
    """Remove the working files of finished jobs."""
    for job in jobs:
        shutil.rmtree(folder / "work" / job.name, ignore_errors=True)
    with contextlib.suppress(OSError):
        (folder / "work").rmdir()


def _make(path: Path, make: Callable[[], Mapping[str, Any]]) -> None:
    if not path.exists():
        write_json(path, make())
