"""One run: train from one point of the curve to the next, measure there, keep what a killed process needs to go on."""

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pcltut.experiments.bounds import lower_bounds
from pcltut.experiments.builder import Built, build
from pcltut.experiments.declaration import Job
from pcltut.experiments.measurement import load, measure
from pcltut.experiments.results import provenance, read_json, read_run, rounded, write_json
from pcltut.samplers import ChainDiverged
from pcltut.training import History, fit, load_checkpoint, save_checkpoint
from pcltut.training.checkpoint import module_tensors, restore_module

NEVER = 2**62  # checkpoints are written at the points of the curve alone
RECENT = 20  # iterations over which a row's training loss is averaged


def run_one(
    job: Job,
    folder: Path,
    *,
    device: str = "cpu",
    root: Any = None,
    on_point: Callable[[int], None] = lambda iteration: None,
) -> dict[str, Any]:
    """A run's result, from its file if it is finished, else from where a killed process left it.

    Working files lie in `folder/work/<name>` and are removed at the end; the result is `folder/<name>.json`. A run
    whose chains diverge, or whose weights leave the finite numbers, ends there: the result says so in "failed".

    Args:
        on_point: is told the iteration after each measurement.
    """
    path, work = folder / f"{job.name}.json", folder / "work" / job.name
    result = read_run(path, job)
    if result is None:
        state = _train(job, work, device, root, on_point)
        result = {
            "config": job.config(),
            "seed": job.seed,
            "trial": job.trial,
            "provenance": provenance(device),
            "curve": state["rows"],
            "test": _test_best(job, work, state, device, root),
            "failed": state["failed"],
        }
        write_json(path, result)
    shutil.rmtree(work, ignore_errors=True)
    return result


def _train(job: Job, work: Path, device: str, root: Any, on_point: Callable[[int], None]) -> dict[str, Any]:
    """Rows of the curve, tests at the budgets, and why the run ended early if it did."""
    setting = job.experiment.setting_of(job.method)
    images = load(setting.data, "train", device, root)[: setting.num_train]
    built = _fresh(job, tuple(images.event_shape), device)
    state = _state(job, work)
    for point in job.points[len(state["rows"]) :]:
        if state["failed"]:
            break
        checkpoint, previous = _checkpoints(state, work, point)
        start = time.perf_counter()
        try:
            history = fit(
                built.algorithm,
                built.model,
                images,
                generator=built.generator,
                num_iterations=point,
                encoder=built.encoder,
                batch_size=setting.batch_size,
                learning_rate=built.learning_rate,
                encoder_learning_rate=built.encoder_learning_rate,
                checkpoint=checkpoint,
                checkpoint_every=NEVER,
                progress=False,
            )
            _check_weights(built, point)
        except (ChainDiverged, FloatingPointError) as error:
            state["failed"] = " ".join(str(error).split())
            _save(state, work)
            break
        seconds = time.perf_counter() - start
        before = state["rows"][-1]["seconds"] if state["rows"] else 0.0
        row = {"iteration": point, "seconds": before + seconds, **_training_row(history)}
        row |= measure(setting, built.model, built.encoder, "validation", seed=job.seed, device=device, root=root)
        if job.is_final and point in job.experiment.budgets:
            state["test"][str(point)] = _test(job, built, point, device, root)
        state["rows"].append(rounded(row))
        if job.is_final and best_row(state["rows"]) == len(state["rows"]) - 1:
            weights = module_tensors(built.model, "model") | module_tensors(built.encoder, "encoder")
            save_checkpoint(work / "best.safetensors", weights, {})
        _save(state, work)
        previous.unlink(missing_ok=True)
        on_point(point)
    return state


def best_row(rows: list[dict[str, Any]]) -> int | None:
    """Index of the row with the highest validation log-evidence; None where none was measured."""
    values = [-math.inf if row.get("log_evidence") is None else row["log_evidence"] for row in rows]
    return values.index(max(values)) if values and max(values) > -math.inf else None


def _test_best(job: Job, work: Path, state: dict[str, Any], device: str, root: Any) -> dict[str, Any]:
    """The budgets' tests, and one at the best point by validation if no budget is there."""
    test, best = dict(state["test"]), best_row(state["rows"])
    if not job.is_final or best is None:
        return test
    point = state["rows"][best]["iteration"]
    if str(point) in test:
        test["best"] = test[str(point)]
        return test
    setting = job.experiment.setting_of(job.method)
    built = _fresh(job, tuple(load(setting.data, "test", device, root).event_shape), device)
    path = work / "best.safetensors"
    tensors, _ = load_checkpoint(path)
    restore_module(built.model, "model", tensors, path)
    if built.encoder is not None:
        restore_module(built.encoder, "encoder", tensors, path)
    test["best"] = _test(job, built, point, device, root)
    return test


def _test(job: Job, built: Built, point: int, device: str, root: Any) -> dict[str, Any]:
    setting = job.experiment.setting_of(job.method)
    found = measure(setting, built.model, built.encoder, "test", seed=job.seed, device=device, root=root)
    if setting.measure_bounds and point == job.points[-1]:
        x = load(setting.data, "test", device, root)[: setting.test.num_images].as_float()
        generator = torch.Generator(device).manual_seed(job.seed)
        found["bounds"] = lower_bounds(built.model, built.encoder, x, setting.test, generator)
    return rounded({"iteration": point, **found})


def _fresh(job: Job, event_shape: tuple[int, ...], device: str) -> Built:
    return build(
        job.experiment.setting_of(job.method),
        job.method,
        job.hyperparameters,
        event_shape,
        seed=job.seed,
        last_iteration=job.points[-1],
        device=device,
    )


def _training_row(history: History) -> dict[str, float | int]:
    return {
        "decoder_evaluations": int(history.decoder_evaluations[-1]),
        "training_loss": history.loss[-RECENT:].mean().item(),
        "stability_margin": history.last_stability_margin(),
        "acceptance": history.acceptance[-1].item(),
    }


def _check_weights(built: Built, point: int) -> None:
    if not all(bool(torch.isfinite(value).all()) for value in built.model.parameters()):
        raise FloatingPointError(f"the decoder's weights left the finite numbers before iteration {point}")


def _state(job: Job, work: Path) -> dict[str, Any]:
    """What an earlier process has done of this run; a beginning with other settings is thrown away."""
    path = work / "curve.json"
    new = {"config": job.config(), "rows": [], "test": {}, "failed": None}
    if not path.exists():
        shutil.rmtree(work, ignore_errors=True)
        return new
    state = read_json(path, f"delete {work}, and the same command starts this run again")
    if state.get("config") != new["config"]:
        shutil.rmtree(work)
        return new
    return state


def _save(state: dict[str, Any], work: Path) -> None:
    write_json(work / "curve.json", state)


def _checkpoints(state: dict[str, Any], work: Path, point: int) -> tuple[Path, Path]:
    """The checkpoint of the segment that ends at `point`, set to its beginning, and that of the one before.

    A segment that was not measured is trained again from its beginning, so that its seconds are those of all of it.
    """
    last = state["rows"][-1]["iteration"] if state["rows"] else 0
    checkpoint, previous = (work / f"after-{iteration}.safetensors" for iteration in (point, last))
    if previous.exists():
        shutil.copyfile(previous, checkpoint)
    else:
        checkpoint.unlink(missing_ok=True)
    return checkpoint, previous
