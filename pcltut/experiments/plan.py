"""A whole experiment: tuning, final runs, references and costs, each only as far as it is not on disk yet."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pcltut.data import DataError, available
from pcltut.experiments.budgets import points_of
from pcltut.experiments.costs import measure_costs
from pcltut.experiments.declaration import Experiment, Method, Value
from pcltut.experiments.executor import Event, Executor
from pcltut.experiments.results import ResultError, collect, read_json, write_json
from pcltut.experiments.run import Run
from pcltut.experiments.samples import references
from pcltut.experiments.single import read_run, weights_file, working_file
from pcltut.experiments.sources import feature_network
from pcltut.experiments.tuning import check_search, choose, covers, draw_trials, refinement_runs, trial_runs
from pcltut.files import exclusive, expanded, package_commit, results_folder

SEARCH, REFERENCES, COSTS = "tuning.json", "references.json", "costs.json"
FOLDERS = {"trial": "tuning", "refined": "tuning", "seed": "final"}  # of the kinds of runs


@dataclasses.dataclass(frozen=True)
class Plan:
    """An experiment, or a part of it, in a folder: what is there and what is still to be done.

    Runs are named by the method's key and their kind: a "trial" or a "refined" point with its number, or a "seed". A
    search goes on from what is finished here or committed, in book/results/NAME/tuning.

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
            if search and all(covers(search, experiment, method) for method in self.methods):
                check_search(search, experiment)
                found = search
        return found

    def trials(self) -> dict[tuple[str, int], Run]:
        """All trials by method and number, none if the choices are known."""
        if self.experiment.num_trials == 0 or self.search():
            return {}
        return trial_runs(dataclasses.replace(self.experiment, methods=self.methods, baseline=self.methods[0].key))

    def refinement(self) -> dict[tuple[str, int], Run]:
        """The runs around the best trials by method and point, none if the choices are known.

        They are final once all trials are finished; before, each method's best so far stands for its best, or its
        first where none is finished.
        """
        trials = self.trials()
        begun = {key: {"run": run.to_json(), "curve": [], "failed": "not run"} for key, run in trials.items()}
        return refinement_runs(self.experiment, {**begun, **self.results("trial", trials)})

    def tuning(self) -> dict[str, Run]:
        """Trials and refinement that are not finished, by name."""
        return {
            **self.unfinished("trial", self.trials()),
            **self.unfinished("refined", self.refinement()),
        }

    def final(self) -> dict[tuple[str, int], Run]:
        """All final runs by method and seed, seed by seed; before tuning with the declared guess or the first trial."""
        search, experiment = self.search(), self.experiment
        return {
            (method.key, seed): final_run(experiment, method, seed, search)
            for seed in self.seeds or experiment.seeds
            for method in self.methods
        }

    def path(self, kind: str, method: str, number: int) -> Path:
        """The result of a run of a method."""
        return self.folder / FOLDERS[kind] / f"{method}.{kind}-{number}.json"

    def results(self, kind: str, runs: Mapping[tuple[str, int], Run]) -> dict[tuple[str, int], dict[str, Any]]:
        """The results that are there, or committed; stops at one that is damaged or has other settings.

        Final runs whose seeds are named are meant to be run again: for them what is committed does not count.
        """
        again = kind == "seed" and bool(self.seeds)
        found = {key: self._result(self.path(kind, *key), run, again) for key, run in runs.items()}
        return {key: result for key, result in found.items() if result is not None}

    def _result(self, path: Path, run: Run, again: bool) -> dict[str, Any] | None:
        committed = results_folder() / self.experiment.name / path.relative_to(self.folder)
        return read_run(path, run) or (None if again else read_run(committed, run))

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
    """The run that counts for the tables: with the hyperparameters that a search chose."""
    key = (experiment.tuned_in and method.tuned_as) or method.key
    chosen = search.get("methods", {}).get(key, {}).get("hyperparameters", {})
    first = draw_trials(method, 1)[0] if experiment.num_trials else method.guess
    values: dict[str, Value] = {**first, **chosen, **method.fixed}
    points = points_of(experiment, method, values)
    budgets = points if experiment.has_one_budget else experiment.budgets
    return Run(experiment.setting, method.algorithm, values, seed, points, budgets)


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
        if trials := plan.trials():
            _finish(plan, "trial", trials, executor)
            refinement = plan.refinement()
            _finish(plan, "refined", refinement, executor)
            results = plan.results("trial", trials), plan.results("refined", refinement)
            write_json(plan.folder / SEARCH, choose(plan.experiment, *results))
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
    folders = [paths[0].parent, working_file(paths[0]).parent, weights_file(paths[0]).parent]
    parts = [path for folder in folders for path in folder.glob(".partial-*")]
    for path in [*map(working_file, paths), *parts]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folders[1].rmdir()


def _make(path: Path, make: Callable[[], Mapping[str, Any]]) -> None:
    if not path.exists():
        write_json(path, make())
