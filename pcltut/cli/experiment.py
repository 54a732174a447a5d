"""`experiment` and `report`: what they print, and where they write."""

import dataclasses
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import torch
import typer
from tqdm.auto import tqdm

from pcltut.experiments import Plan, ResultError, find_experiment, load_results, read_results, run_experiment
from pcltut.experiments.costs import estimate_hours
from pcltut.experiments.pool import Event
from pcltut.experiments.results import results_folder, write_json
from pcltut.experiments.runner import SEARCH
from pcltut.experiments.tables import compare_text, means_table, report_text

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
    tuning_only: bool,
    features: str | None,
    root: Path | None,
) -> None:
    """Say how long it will take, run with a progress view, and print what came out."""
    experiment = find_experiment(name)
    if features is not None:
        experiment = dataclasses.replace(experiment, setting=dataclasses.replace(experiment.setting, features=features))
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"got --device {device}, but torch finds no CUDA device; use --device cpu")
    if seed is not None and num_seeds is not None:
        raise ValueError("got --seed and --seeds, expected one of them; leave one out")
    plan = Plan(
        experiment,
        folder,
        only=only,
        seeds=chosen_seeds(experiment.seeds, num_seeds, seed),
        device=device,
        workers=workers or (GPU_WORKERS if device.startswith("cuda") else os.cpu_count() or 1),
        root=root,
    )
    plan.check()
    tuning = plan.unfinished(plan.tuning())
    jobs = tuning if tuning_only else [*tuning, *plan.unfinished(plan.final())]
    typer.echo(f"{name}: {experiment.question}", err=True)
    if jobs:
        hours = estimate_hours(jobs, plan.workers, device=device, root=root)
        kind = f"{len(tuning)} tuning and {len(jobs) - len(tuning)} final runs"
        typer.echo(f"{folder}: {kind} to do, about {hours:.2g} h with {plan.workers} at a time on {device}", err=True)
    else:
        typer.echo(f"{folder}: all runs are finished", err=True)
    with Progress(sum(job.points[-1] for job in jobs), len(jobs)) as progress:
        results = run_experiment(plan, tuning_only=tuning_only, on_event=progress)
    if tuning_only:
        typer.echo(f"{folder / SEARCH}: tuned" if (folder / SEARCH).exists() else f"{name}: nothing to tune")
        return
    if plan.is_whole:
        typer.echo(report_text(results))
        return
    for at in [*map(str, experiment.budgets), "best"]:
        typer.echo(f"\n{at}\n{means_table(results, at)}")
    if (results_folder() / f"{name}.json").exists():
        typer.echo("\n" + compare_text(results, load_results(name)))


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
        shown = sys.stderr.isatty() and os.environ.get("PCLTUT_PROGRESS") != "0"
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
        name = event.job.name
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


def show_report(name: str, out: Path | None, save: bool) -> None:
    """Print the committed results, or those of a folder; write the latter where results are committed if asked to."""
    experiment = find_experiment(name)
    if out is None:
        if save:
            raise ValueError("got --save without --out, expected the folder of the runs; add --out runs/NAME")
        typer.echo(report_text(load_results(name)))
        return
    if not out.is_dir():
        raise ResultError(f"got no folder {out}; run `python -m pcltut experiment {name} --out {out}` first")
    plan = Plan(experiment, out)
    results = read_results(plan)
    typer.echo(report_text(results))
    missing = len(plan.final()) - len(results["runs"])
    if missing:
        typer.echo(f"\n{missing} runs are not finished", err=True)
    if save:
        target = results_folder() / f"{name}.json"
        write_json(target, results)
        if (out / SEARCH).exists():
            shutil.copyfile(out / SEARCH, results_folder() / f"{name}-tuning.json")
        typer.echo(f"\n{target}: written", err=True)
