"""Result files: read back with checks; who made them and where; all runs of an experiment as one."""

import dataclasses
import json
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import pcltut
from pcltut.experiments.declaration import Experiment
from pcltut.files import package_commit, results_folder, write_text

DIGITS = 7


class ResultError(ValueError):
    """A result file that cannot be read, or that belongs to another declaration."""


def write_json(path: Path, content: Any) -> None:
    """Write JSON in one step, numbers to seven digits; what is not finite becomes null.

    Lists of numbers stand on one line.
    """
    write_text(path, _dump(rounded(content)) + "\n")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A JSON object from a file, with a one-line error that ends in the remedy."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # editors on Windows add a byte-order mark
    except (ValueError, OSError) as error:
        raise ResultError(f"got a damaged file {path} ({error}); {remedy}") from error
    if not isinstance(content, dict):
        raise ResultError(f"got a damaged file {path} (no JSON object); {remedy}")
    return content


def difference_of(before: Any, now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """Name of the first entry in which two JSON objects differ, and what each has there."""
    before = before if isinstance(before, Mapping) else {}
    for name in {**now, **before}:
        old, new = before.get(name), now.get(name)
        if isinstance(new, Mapping) and old != new:
            return difference_of(old, new)
        if old != new:
            return name, old, new
    return None


def load_results(name: str, folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The committed results of an experiment, as `book/results/NAME.json` holds them.

    Args:
        folder: where to look; the book's own results if not given.

    Raises:
        ResultError: there are none, or the file is damaged.
    """
    path = _committed(f"{name}.json", f"experiment {name}", folder)
    results = read_json(path, "restore it with git, or write it again with `report --out FOLDER --save`")
    if missing := {"experiment", "runs", "provenance"} - results.keys():
        raise ResultError(f"got a damaged file {path} (no {sorted(missing)[0]!r}); restore it with git")
    return results


def load_search(name: str, folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The committed search for an experiment's hyperparameters, as `book/results/NAME-tuning.json` holds it.

    Raises:
        ResultError: there is none, or the file is damaged.
    """
    return read_json(
        _committed(f"{name}-tuning.json", f"experiment {name} --tuning-only", folder), "restore it with git"
    )


def _committed(name: str, command: str, folder: str | os.PathLike | None) -> Path:
    path = Path(folder if folder is not None else results_folder()) / name
    if not path.exists():
        raise ResultError(
            f"got no file {path}, expected a committed result; take it from book/results of the book's repository, or "
            f"make it with `python -m pcltut {command}`"
        )
    return path


def provenance(device: str) -> dict[str, Any]:
    """Device, versions and commit: where a number comes from."""
    return {
        "device": device_name(device),
        "versions": {"pcltut": pcltut.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "commit": package_commit(),
    }


def device_name(device: str) -> str:
    """The model of the processor or GPU."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.machine()
    return f"{name}, one thread a run" if device == "cpu" else f"{name}, {device}"


def collect(experiment: Experiment, runs: Mapping[tuple[str, int], Mapping], extras: Mapping[str, Any]) -> dict:
    """All finished runs of an experiment as one JSON object: what is committed, and what tables are made from.

    Args:
        runs: results by method and seed.
    """
    origins = [run["provenance"] for run in runs.values()]
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "notes": list(experiment.notes),
        "baseline": experiment.baseline,
        "budgets": [] if experiment.has_one_budget else list(experiment.budgets),
        "setting": to_json(dataclasses.asdict(experiment.setting)),
        "methods": {m.key: {"name": m.name, "max_iterations": m.max_iterations} for m in experiment.methods},
        "provenance": {
            "command": f"python -m pcltut experiment {experiment.name}",
            "seeds": sorted({seed for _, seed in runs}),
            "devices": sorted({origin["device"] for origin in origins}),
            "commits": sorted({origin["commit"] for origin in origins}),
            "versions": origins[0]["versions"] if origins else {},
        },
        **extras,
        "runs": [
            {
                "method": method,
                "seed": seed,
                "hyperparameters": run["run"]["hyperparameters"],
                "failed": run["failed"],
                "test": run["test"],
                "curve": _columns(run["curve"]),
            }
            for (method, seed), run in runs.items()
        ],
    }


def _columns(rows: list[Mapping[str, Any]]) -> dict[str, list]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def to_json(value: Any) -> Any:
    """The value as it comes back from a JSON file: tuples as lists, mappings as plain dictionaries."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, list | tuple) else value


def rounded(value: Any) -> Any:
    """The value as it comes back from a result file: seven digits, None for what is not finite."""
    value = to_json(value)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def _dump(value: Any, indent: int = 0) -> str:
    """JSON with one line for each entry of an object, and lists of plain values on one line."""
    pad, inner = " " * indent, " " * (indent + 1)
    if isinstance(value, dict) and value:
        if all(not isinstance(item, dict | list) for item in value.values()) and indent > 2:
            return json.dumps(value)
        entries = [f"{inner}{json.dumps(key)}: {_dump(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{pad}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(inner + _dump(item, indent + 1) for item in value) + f"\n{pad}]"
    return json.dumps(value)
