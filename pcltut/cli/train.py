"""`train`: one run in one folder, which goes on where it was stopped."""

import contextlib
import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import typer

import pcltut
from pcltut import data
from pcltut.cli.data import check_name
from pcltut.cli.device import find_device
from pcltut.cli.sample_grid import describe_run, save_sample_grid
from pcltut.distributed import alone, check_same, joined, one_voice, rank, world_size
from pcltut.experiments import Run, Setting
from pcltut.experiments.measurement import SEEDS_A_RUN
from pcltut.experiments.results import difference_of, read_json
from pcltut.files import exclusive, expanded, write_text
from pcltut.training import History, TrainingState, train_until

CHECKPOINT, CONFIG, HISTORY, GRID = "checkpoint.safetensors", "config.json", "history.csv", "samples.png"
HIDDEN = (512, 512)
STEP_SIZES = {"none": 4e-4, "datum": 0.15, "batch": 0.15, "process": 0.15}


def make_run(algorithm: str, hyperparameters: dict[str, Any], seed: int, **setting: Any) -> Run:
    """The run of a command line, with what it leaves open (None) filled in."""
    values = {name: value for name, value in hyperparameters.items() if value is not None}
    if algorithm == "lpc":
        values = {"num_steps": 5, "warm_start": "reverse", "preconditioner": "batch", **values}
        values.setdefault("step_size", STEP_SIZES[values["preconditioner"]])
    elif algorithm == "iwae":
        values.setdefault("num_samples", 8)
    return Run(Setting(hidden=HIDDEN, **setting), algorithm, values, seed)


def train_and_show(run: Run, device: str, epochs: int, out: Path, checkpoint_every: int, root: Path | None) -> None:
    """Run or go on, then write history and sample grid. Of several processes (torchrun) the first writes and speaks."""
    with one_voice():
        kind, out = find_device(device), expanded(out)
        check_name(run.setting.data)
        run.make_algorithm()  # before anything is written
    with joined(kind) as place, exclusive(out) if rank() == 0 else contextlib.nullcontext():
        say = typer.echo if rank() == 0 else lambda *message, **options: None
        compare_with_config(run, kind, out)
        state = begin(run, place, root, say)
        state.resume(out / CHECKPOINT)
        total, done = epochs * math.ceil(len(state.data) / run.setting.batch_size), state.iteration
        if done >= total and all((out / file).exists() for file in (CONFIG, HISTORY, GRID)):
            say(f"{out}: already trained for {done} iterations, nothing to do; raise --epochs to go on")
            return
        title, several = describe_run(state.algorithm, run.setting.data, total), f", {world_size()} processes"
        start = f"going on from iteration {done} of {max(total, done)}" if done else f"{title}, on {kind}"
        say(f"{out}: {start}{several if world_size() > 1 else ''}")
        if rank() == 0:
            write_text(out / CONFIG, config_text(run, kind, epochs))
        history = train_until(state, total, checkpoint=out / CHECKPOINT, checkpoint_every=checkpoint_every)
        if rank() == 0:
            with alone():
                write_results(run, state, history, out, root)
        say(history.summary())
        say(f"{out}: {CHECKPOINT}, {CONFIG}, {HISTORY}, {GRID}")


def begin(run: Run, device: str, root: Path | None, say: Callable[..., None]) -> TrainingState:
    """The run at its beginning; what has to be downloaded the first process gets, the others wait."""
    name = run.setting.data
    if not any(info.present for info in data.available(root) if info.name == name):
        say(f"{name}: not here yet, downloading", err=True)
        if rank() == 0:
            data.load(name, "train", root)
    check_same("settings", json.dumps(run.to_json()), "start all with the same options")
    return run.build(device=device, root=root)


def write_results(run: Run, state: TrainingState, history: History, out: Path, root: Path | None) -> None:
    """The history as a table, and a picture of samples and reconstructions."""
    name, device = run.setting.data, state.generator.device
    write_text(out / HISTORY, history_text(history))
    save_sample_grid(
        out / GRID,
        state,
        data.load(name, "validation", root).to(device),
        generator=torch.Generator(device).manual_seed(SEEDS_A_RUN * run.seed + 3),
        title=describe_run(state.algorithm, name, len(history)),
    )


def compare_with_config(run: Run, device: str, out: Path) -> None:
    """Stop if the folder holds a run with other settings."""
    path = out / CONFIG
    if not path.exists():
        return
    config = read_json(path, "choose another --out")
    if {"run", "device"} - config.keys():
        raise ValueError(f"{path} is not the config of a run; choose another --out")
    found = difference_of(config, {**config, "run": run.to_json(), "device": device})
    if found and (out / CHECKPOINT).exists():
        name, before, now = found
        raise ValueError(
            f"{out} holds a run with --{name.replace('_', '-')} {before}, got {now}; choose another --out, or the "
            "settings in its config.json"
        )


def config_text(run: Run, device: str, epochs: int) -> str:
    """The run and versions as JSON."""
    versions = {"pcltut": pcltut.__version__, "torch": torch.__version__}
    return json.dumps({"run": run.to_json(), "device": device, "epochs": epochs, "versions": versions}, indent=1) + "\n"


def history_text(history: History) -> str:
    """The history as CSV, one line an iteration; what was not measured is empty."""
    columns = history.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(values.tolist() for values in columns.values()), strict=True):
        writer.writerow(["" if math.isnan(value) else f"{value:.9g}" for value in row])
    return text.getvalue()
