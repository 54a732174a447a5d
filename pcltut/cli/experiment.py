"""`experiment` and `report`: what they print, and where they write."""

import dataclasses
import importlib.util
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from tqdm.auto import tqdm

from pcltut.cli.device import find_device
from pcltut.experiments import (
    Event,
    Experiment,
    Plan,
    ResultError,
    find_experiment,
    load_results,
    load_search,
    means_table,
    read_results,
    report_html,
    report_text,
    run_experiment,
    summary_frame,
)
from pcltut.experiments.budgets import COSTS
from pcltut.experiments.costs import batch_costs, estimate_hours
from pcltut.experiments.pictures import save_pictures
from pcltut.experiments.plan import SEARCH
from pcltut.experiments.results import write_json
from pcltut.experiments.tables import as_text, points_of, repetition_table
from pcltut.files import atomic_path, results_folder, write_text

GPU_WORKERS = 4


def run_and_show(
    name: str,
    folder: Path,
    *,
    only: tuple[str, ...],
    num_seeds: int | None,
    seed: int | None,
    device: str,
    workers: int | None,
    scheduler: str | None,
    tuning_only: bool,
    features: str | None,
    root: Path | None,
) -> None:
    """Say how long it will take, run with a progress view, and print what came out."""
    experiment = find_experiment(name)
    if features is not None:
        experiment = dataclasses.replace(experiment, setting=dataclasses.replace(experiment.setting, features=features))
    device = find_device(device)
    if workers is not None and scheduler is not None:
        raise ValueError("got --workers and --scheduler, expected one of them; the cluster has its own workers")
    if seed is not None and num_seeds is not None:
        raise ValueError("got --seed and --seeds, expected one of them; leave one out")
    plan = Plan(
        experiment,
        folder,
        only=only,
        seeds=chosen_seeds(experiment.seeds, num_seeds, seed),
        device=device,
        workers=workers or default_workers(device, scheduler),
        scheduler=scheduler,
        root=root,
    )
    plan.check()
    tuning = plan.tuning()
    runs = tuning if tuning_only else {**tuning, **plan.unfinished("seed", plan.final())}
    typer.echo(f"{name}: {experiment.question}", err=True)
    if runs:
        hours = estimate_hours(runs.values(), plan.workers, device=device, root=root)
        kind = f"{len(tuning)} tuning and {len(runs) - len(tuning)} final runs"
        where = (
            f"in all, on the cluster at {scheduler}"
            if scheduler
            else f"with {min(plan.workers, len(runs))} at a time on {device}"
        )
        typer.echo(f"{plan.folder}: {kind} to do, about {hours:.2g} h {where}", err=True)
    else:
        typer.echo(f"{plan.folder}: all runs are finished", err=True)
    with Progress(sum(run.points[-1] for run in runs.values()), len(runs)) as progress:
        results = run_experiment(plan, tuning_only=tuning_only, on_event=progress)
    if tuning_only:
        path = plan.folder / SEARCH
        typer.echo(f"{path}: tuned" if path.exists() else f"{name}: nothing to tune")
        return
    if plan.is_whole:
        typer.echo(report_text(results))
        return
    for at in points_of(results):
        typer.echo(f"\n{as_text(means_table(results, at))}")
    if (results_folder() / f"{name}.json").exists():
        table = repetition_table(results, load_results(name))
        typer.echo(f"\n{as_text(table)}" if len(table) else "")


def measure_and_save_costs(name: str, device: str, root: Path | None) -> None:
    """Write the table by which budgets in seconds are turned into batches."""
    target = results_folder() / COSTS
    write_json(target, batch_costs(find_experiment(name), device=find_device(device), root=root))
    typer.echo(f"{target}: written")


def default_workers(device: str, scheduler: str | None) -> int:
    """One a core, several on a GPU; one process where the cluster has its own, or where dask is missing."""
    if scheduler is not None or importlib.util.find_spec("distributed") is None:
        return 1
    return GPU_WORKERS if device == "cuda" else os.cpu_count() or 1


def chosen_seeds(declared: tuple[int, ...], num: int | None, seed: int | None) -> tuple[int, ...]:
    """The seeds asked for; empty for the declared ones. More than are declared go on upwards."""
    if seed is not None:
        return (seed,)
    if num is None or num == len(declared):
        return ()
    more = range(max(declared) + 1, max(declared) + 1 + max(0, num - len(declared)))
    return (*declared[:num], *more)


class Progress:
    """A bar in a terminal; elsewhere one line for each finished run."""

    def __init__(self, iterations: int, runs: int) -> None:
        shown = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("PCLTUT_PROGRESS") != "0"
        tqdm.set_lock(threading.RLock())  # its own would be one between processes, left behind by a killed one
        self.bar = tqdm(total=iterations, unit="it", disable=not shown, smoothing=0.05)
        self.reached: dict[str, int] = {}
        self.runs, self.finished, self.start = runs, 0, time.perf_counter()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def __call__(self, event: Event) -> None:
        """Count what an event says was done."""
        name = event.name
        self.bar.update(event.iteration - self.reached.get(name, 0))
        self.reached[name] = event.iteration
        if event.result is None:
            self.bar.set_postfix_str(f"{name} at {event.iteration}", refresh=False)
            return
        self.finished += 1
        self.bar.set_description(f"run {self.finished} of {self.runs}", refresh=False)
        if self.bar.disable:
            row = event.result["curve"][-1] if event.result["curve"] else {}
            values = [f"{key} {row[key]:.4g}" for key in ("log_evidence", "frechet") if row.get(key) is not None]
            text = event.result["failed"] or ", ".join(["validation", *values])
            hours = (time.perf_counter() - self.start) / 3600
            typer.echo(f"{self.finished}/{self.runs} after {hours:.2f} h, {name}: {text}", err=True)


def search_of(experiment: Experiment, plan: Plan | None) -> dict[str, Any] | None:
    """The search of an experiment that is tuned, from a folder of runs or as it is committed."""
    if not experiment.num_trials:
        return None
    return load_search(experiment.name) if plan is None else plan.search() or None


def show_report(
    name: str, out: Path | None, save: bool, csv: Path | None, html: Path | None, plot: Path | None
) -> None:
    """Print the committed results, or those of a folder, and write them where they were asked for."""
    experiment = find_experiment(name)
    if out is None and save:
        raise ValueError("got --save without --out, expected the folder of the runs; add --out runs/NAME")
    plan = Plan(experiment, out) if out is not None else None
    if plan is not None and not plan.folder.is_dir():
        raise ResultError(f"got no folder {out}; run `python -m pcltut experiment {name} --out {out}` first")
    results = load_results(name) if plan is None else read_results(plan)
    search = search_of(experiment, plan)
    typer.echo(report_text(results, search))
    if csv is not None:
        write_text(csv, summary_frame(results).to_csv(index=False, lineterminator="\n"))
    if html is not None:
        write_text(html, report_html(results, search))
    if plot is not None:
        save_plot(plot, search, {method.key: method.name for method in experiment.methods})
    if plan is None:
        return
    if missing := len(plan.final()) - len(results["runs"]):
        typer.echo(f"\n{missing} runs are not finished", err=True)
    if save:
        target = results_folder() / f"{name}.json"
        write_json(target, results)
        if (plan.folder / SEARCH).exists():
            shutil.copyfile(plan.folder / SEARCH, results_folder() / f"{name}-tuning.json")
        save_pictures(results_folder() / f"{name}-samples.npz", plan)
        typer.echo(f"\n{target}: written", err=True)


def save_plot(path: Path, search: Mapping[str, Any] | None, names: Mapping[str, str]) -> None:
    """Draw a search into a file of the format that its ending names."""
    from matplotlib import pyplot as plt
    from matplotlib.backend_bases import FigureCanvasBase

    from pcltut.plotting import plot_searches

    if search is None:
        raise ValueError("got --plot for an experiment without a search, expected one that was tuned; leave it out")
    if path.suffix.lstrip(".").lower() not in FigureCanvasBase.get_supported_filetypes():
        raise ValueError(f"got {path.name}, expected a name that ends in .png, .svg or .pdf; rename it")
    figure = plot_searches(search, names)
    with atomic_path(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip("."), dpi=150)
    plt.close(figure)
