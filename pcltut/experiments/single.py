"""One run to its result: trained from point to point, measured there, and gone on with after a killed process."""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from pcltut.experiments.results import ResultError, difference_of, provenance, read_json, rounded, write_json
from pcltut.experiments.run import Run
from pcltut.files import load_tensors, package_commit, save_tensors
from pcltut.samplers import ChainDiverged
from pcltut.training import TrainingState, train_until
from pcltut.training.checkpoint import module_tensors, restore_modules

RECENT = 20  # iterations over which a row's training loss is averaged
END = "end"  # name of the test at the end of a run that is measured nowhere else
BEST = "best."  # before the names of the best weights in a working file


def finish(
    run: Run,
    path: Path,
    *,
    device: str = "cpu",
    root: Any = None,
    on_point: Callable[[int], None] = lambda iteration: None,
) -> dict[str, Any]:
    """A run's result, from its file if it is finished, else from where a killed process left it.

    Everything needed to go on lies in one working file, `work/<name>.safetensors` beside the result, replaced after
    each point: processes may run the same run at once, and end with the same file. A run whose chains diverge, or whose
    weights leave the finite numbers, ends there: the result says so in "failed". The weights of one that ends well are
    kept in `weights/<name>.safetensors`, so that more can be measured later.

    Args:
        path: of the result.
        on_point: is told the iteration after each measurement.
    """
    package_commit()
    result, work = read_run(path, run), working_file(path)
    if result is None:
        state = run.build(device=device, root=root)
        past = _go_on(run, state, work)
        rows, test, best, failed = past["rows"], past["test"], past["best"], None
        for point in run.points[len(rows) :]:
            start = time.perf_counter()
            try:
                row = _train(state, point)
            except (ChainDiverged, FloatingPointError) as error:
                failed = " ".join(str(error).split())
                break
            row["seconds"] = time.perf_counter() - start + (rows[-1]["seconds"] if rows else 0.0)
            rows.append(rounded(row | run.measure(state, "validation", root=root)))
            if point in run.budgets:
                at = str(point) if run.is_curve else END
                test[at] = rounded({"iteration": point, **run.measure(state, "test", root=root)})
            if run.budgets and run.is_curve and best_row(rows) == len(rows) - 1:
                best = {f"{BEST}{name}": value for name, value in _weights(state).items()}
            texts = {"run": run.to_json(), "device": device, "rows": rows, "test": test}
            save_tensors(work, state.state_dict() | best, {name: json.dumps(text) for name, text in texts.items()})
            on_point(point)
        if failed is None:
            save_tensors(weights_file(path), _weights(state), {"run": json.dumps(run.to_json())})
        if best:
            point = rows[best_row(rows)]["iteration"]
            if str(point) not in test:
                restore(state, {name.removeprefix(BEST): value for name, value in best.items()})
            test["best"] = test.get(str(point)) or rounded(
                {"iteration": point, **run.measure(state, "test", root=root)}
            )
        result = {
            "run": run.to_json(),
            "provenance": provenance(device),
            "curve": rows,
            "test": test,
            "failed": failed,
        }
        write_json(path, result)
    work.unlink(missing_ok=True)
    return result


def working_file(path: Path) -> Path:
    """Where a run that is not finished has its beginning, for the path of its result."""
    return path.parent / "work" / f"{path.stem}.safetensors"


def weights_file(path: Path) -> Path:
    """Where a finished run has the weights of its networks, for the path of its result."""
    return path.parent / "weights" / f"{path.stem}.safetensors"


def restore(state: TrainingState, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a run's networks the weights that the file of a finished run holds."""
    restore_modules({"model": state.model, "encoder": state.encoder}, weights)


def read_run(path: Path, run: Run) -> dict[str, Any] | None:
    """A finished run's result, None if there is none; an entry of a setting that is newer than it has its default.

    Raises:
        ResultError: the file is damaged, or holds a run with other settings.
    """
    if not path.exists():
        return None
    remedy = "delete it, and the same command repeats this run alone"
    result = read_json(path, remedy)
    if missing := {"run", "curve", "test", "failed"} - result.keys():
        raise ResultError(f"got a damaged file {path} (no {sorted(missing)[0]!r}); {remedy}")
    try:
        recorded = Run.from_json(result["run"]).to_json()
    except ValueError:
        recorded = result["run"]
    if found := difference_of(recorded, run.to_json()):
        name, before, now = found
        raise ResultError(
            f"got {path} from a run with other settings ({name} {before!r}, now {now!r}); "
            "choose another --out, or delete the file to repeat this run"
        )
    return result


def best_row(rows: list[dict[str, Any]]) -> int | None:
    """Index of the row with the highest validation log-evidence; None where none was measured."""
    values = [-math.inf if row.get("log_evidence") is None else row["log_evidence"] for row in rows]
    return values.index(max(values)) if values and max(values) > -math.inf else None


def _train(state: TrainingState, point: int) -> dict[str, Any]:
    """Train to a point of the curve; what its row says about training."""
    history = train_until(state, point, progress=False)
    return {
        "iteration": point,
        "seconds": 0.0,
        "decoder_evaluations": int(history.decoder_evaluations[-1]),
        "training_loss": history.loss[-RECENT:].mean().item(),
        "stability_margin": history.last_stability_margin(),
        "acceptance": history.acceptance[-1].item(),
    }


def _go_on(run: Run, state: TrainingState, work: Path) -> dict[str, Any]:
    """Set the state to where an earlier process left it; a beginning with other settings is thrown away."""
    if work.exists():
        tensors, texts = load_tensors(work)
        past = {name: json.loads(text) for name, text in texts.items()}
        if (past.get("run"), past.get("device")) == (run.to_json(), str(state.generator.device)):
            best = {name: tensors.pop(name) for name in list(tensors) if name.startswith(BEST)}
            state.load_state_dict(tensors)
            return {"rows": past["rows"], "test": past["test"], "best": best}
    return {"rows": [], "test": {}, "best": {}}


def _weights(state: TrainingState) -> dict[str, torch.Tensor]:
    tensors = module_tensors(state.model, "model") | module_tensors(state.encoder, "encoder")
    return {name: value.clone() for name, value in tensors.items()}
