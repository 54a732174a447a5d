"""A whole experiment: tuning, final runs, references and costs, each only as far as it is not on disk yet."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pcltut.data import DataError, available
from pcltut.experiments.costs import measure_costs
from pcltut.experiments.declaration import Experiment, Method, Value
from pcltut.experiments.executor import Event, Executor
from pcltut.experiments.measurement import feature_network, references
from pcltut.experiments.results import ResultError, collect, read_json, read_run, write_json
from pcltut.experiments.run import Run
from pcltut.experiments.single import working_file
from pcltut.experiments.tuning import choose, covers, tuning_runs
from pcltut.files import exclusive, expanded, package_commit, results_folder

SEARCH, REFERENCES, COSTS = "tuning.json", "references.json", "costs.json"


@dataclasses.dataclass(frozen=True)
class Plan:
    """An experiment, or a part of it, in a folder: what is there and what is still to be done.

    Runs are named by the method's key and a seed or the number of a trial.

    Args:
        folder: all files of the experiment lie below it.
        only: keys of methods; all if empty.
        seeds: of the final runs; the declared ones if empty.
        workers: runs that go on at the same time, one thread each.
        scheduler: address of a dask cluster that runs them instead.
        root: folder of the data sets.
    """

    experiment: Experiment
    folder: Path
    only: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    device: str = "cpu"
    workers: int = 1
    scheduler: str | None = None
    root: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", expanded(self.folder))

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

    def tuning(self) -> dict[tuple[str, int], Run]:
        """All tuning runs by method and trial, none if the choices are known."""
        if self.experiment.num_trials == 0 or self.search():
            return {}
        keys = {method.key for method in self.methods}
        return {(key, trial): run for (key, trial), run in tuning_runs(self.experiment).items() if key in keys}

    def final(self) -> dict[tuple[str, int], Run]:
        """All final runs by method and seed, seed by seed; before tuning with the declared guesses."""
        search, experiment = self.search(), self.experiment
        return {
            (method.key, seed): final_run(experiment, method, seed, search)
            for seed in self.seeds or experiment.seeds
            for method in self.methods
        }

    def path(self, kind: str, method: str, number: int) -> Path:
        """The result of a "seed" or a "trial" of a method."""
        return self.folder / {"seed": "final", "trial": "tuning"}[kind] / f"{method}.{kind}-{number}.json"

    def results(self, kind: str, runs: Mapping[tuple[str, int], Run]) -> dict[tuple[str, int], dict[str, Any]]:
        """The results that are there; stops at one that is damaged or has other settings."""
        found = {key: read_run(self.path(kind, *key), run.to_json()) for key, run in runs.items()}
        return {key: result for key, result in found.items() if result is not None}

    def unfinished(self, kind: str, runs: Mapping[tuple[str, int], Run]) -> dict[str, Run]:
        """The runs without a result, by name."""
        finished = self.results(kind, runs)
        return {self.path(kind, *key).stem: run for key, run in runs.items() if key not in finished}

    def check(self) -> None:
        """Stop before anything runs if data or the feature network are missing: nothing is downloaded by itself."""
        name, features = self.experiment.setting.data, self.experiment.setting.features
        present = {info.name: info.present for info in available(self.root)}
        if name not in present:
            raise DataError(f"data: got {name!r}, expected one of {', '.join(present)}", "choose one of them")
        if not present[name]:
            raise DataError(f"{name}: not found", f"run `python -m pcltut data get {name}` first")
        if features != "none":
            feature_network(features, self.device)


def final_run(experiment: Experiment, method: Method, seed: int, search: Mapping[str, Any]) -> Run:
    """The run that counts for the tables: with the hyperparameters chosen by a search, else the declared guess."""
    key = (experiment.tuned_in and method.tuned_as) or method.key
    chosen = search.get("methods", {}).get(key, {}).get("hyperparameters", {})
    layers = (chosen, method.guess) if experiment.tuned_in else (method.guess, chosen)
    values: dict[str, Value] = {**layers[0], **layers[1], **method.fixed}
    return Run(experiment.setting, method.algorithm, values, seed, experiment.points(method), experiment.budgets)


def run_experiment(
    plan: Plan, *, tuning_only: bool = False, on_event: Callable[[Event], None] = lambda event: None
) -> dict[str, Any]:
    """Run what is not finished, tuning first, and give all results, as `load_results` does for committed ones.

    A process that is killed at any moment loses what it has trained since the last point of its runs' curves; the same
    call goes on from there, and ends with the same numbers (times excepted).
    """
    package_commit()
    plan.check()
    executor = Executor(plan.workers, plan.scheduler, device=plan.device, root=plan.root, on_event=on_event)
    with exclusive(plan.folder), executor:
        if tuning := plan.tuning():
            _finish(plan, "trial", tuning, executor)
            write_json(plan.folder / SEARCH, choose(plan.experiment, plan.results("trial", tuning)))
        if tuning_only:
            return {}
        final = plan.final()
        _finish(plan, "seed", final, executor)
        if plan.is_whole:
            _make(plan.folder / REFERENCES, lambda: references(plan.experiment.setting, plan.device, plan.root))
            first = {key: run for (key, seed), run in final.items() if seed == plan.experiment.seeds[0]}
            _make(plan.folder / COSTS, lambda: measure_costs(first, device=plan.device, root=plan.root))
    return read_results(plan)


def read_results(plan: Plan) -> dict[str, Any]:
    """All finished final runs of a folder, as one JSON object."""
    finished = plan.results("seed", plan.final())
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


def _finish(plan: Plan, kind: str, runs: Mapping[tuple[str, int], Run], executor: Executor) -> None:
    """Finish the runs, then tidy up after processes that were killed: beginnings of finished runs, parts of files."""
    paths = [plan.path(kind, *key) for key in runs]
    executor.execute(plan.unfinished(kind, runs), paths[0].parent)
    folder, work = paths[0].parent, working_file(paths[0]).parent
    for path in [*map(working_file, paths), *folder.glob(".partial-*"), *work.glob(".partial-*")]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        work.rmdir()


def _make(path: Path, make: Callable[[], Mapping[str, Any]]) -> None:
    if not path.exists():
        write_json(path, make())
