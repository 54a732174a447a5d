"""Result files: one for each run, read back with checks; who made them and where."""

import dataclasses
import functools
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import pcltut
from pcltut.experiments.declaration import Experiment, Job, to_json
from pcltut.files import write_text

DIGITS = 7


class ResultError(ValueError):
    """A result file that cannot be read, or that belongs to another declaration."""


def results_folder() -> Path:
    """Where committed results lie: book/results of the repository, or of the present folder."""
    folder = Path(pcltut.__file__).resolve().parents[1] / "book" / "results"
    return folder if folder.is_dir() else Path("book") / "results"


def write_json(path: Path, content: Any) -> None:
    """Write JSON in one step, numbers to seven digits; what is not finite becomes null.

    Lists of numbers stand on one line.
    """
    write_text(path, _dump(rounded(content)) + "\n")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A JSON object from a file, with a one-line error that ends in the remedy."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ResultError(f"got a damaged file {path} ({error}); {remedy}") from error
    if not isinstance(content, dict):
        raise ResultError(f"got a damaged file {path} (no JSON object); {remedy}")
    return content


def read_run(path: Path, job: Job) -> dict[str, Any] | None:
    """A finished run's result, None if there is none.

    Raises:
        ResultError: the file is damaged, or holds a run with other settings.
    """
    if not path.exists():
        return None
    remedy = "delete it, and the same command repeats this run alone"
    result = read_json(path, remedy)
    if missing := {"config", "seed", "curve", "test", "failed"} - result.keys():
        raise ResultError(f"got a damaged file {path} (no {sorted(missing)[0]!r}); {remedy}")
    if result["config"] != job.config() or result["seed"] != job.seed:
        raise ResultError(
            f"got {path} from a run with other settings ({_difference(result['config'], job.config())}); "
            "choose another --out, or delete the file to repeat this run"
        )
    return result


def load_results(name: str, folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The committed results of an experiment, as `book/results/NAME.json` holds them.

    Args:
        folder: where to look; the book's own results if not given.

    Raises:
        ResultError: there are none, or the file is damaged.
    """
    path = Path(folder if folder is not None else results_folder()) / f"{name}.json"
    if not path.exists():
        raise ResultError(f"got no results of {name} at {path}; run `python -m pcltut experiment {name}` first")
    results = read_json(path, "restore it with git, or write it again with `report --out FOLDER --save`")
    if missing := {"experiment", "runs", "provenance"} - results.keys():
        raise ResultError(f"got a damaged file {path} (no {sorted(missing)[0]!r}); restore it with git")
    return results


def load_search(name: str, folder: str | os.PathLike | None = None) -> dict[str, Any]:
    """The committed search for an experiment's hyperparameters, as `book/results/NAME-tuning.json` holds it.

    Raises:
        ResultError: there is none, or the file is damaged.
    """
    path = Path(folder if folder is not None else results_folder()) / f"{name}-tuning.json"
    if not path.exists():
        raise ResultError(f"got no search at {path}; run `python -m pcltut experiment {name} --tuning-only` first")
    return read_json(path, "restore it with git")


def provenance(device: str) -> dict[str, Any]:
    """Device, versions and commit: where a number comes from."""
    return {
        "device": device_name(device),
        "versions": {"pcltut": pcltut.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "commit": commit(),
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
    return f"{models[0] if models else platform.machine()}, one thread a run"


@functools.cache
def commit() -> str:
    """The repository's commit, "+" if the package has changed since; from PCLTUT_COMMIT where there is no git.

    Looked up once, at the start of a process: what it imported then is what it runs.
    """
    folder = Path(pcltut.__file__).resolve().parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("PCLTUT_COMMIT", "unknown")


def collect(experiment: Experiment, runs: list[dict[str, Any]], extras: Mapping[str, Any]) -> dict[str, Any]:
    """All finished runs of an experiment as one JSON object: what is committed, and what tables are made from."""
    origins = [run["provenance"] for run in runs]
    shared = {
        key: sorted({json.dumps(origin[key], sort_keys=True) for origin in origins}) for key in ("device", "commit")
    }
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "notes": list(experiment.notes),
        "baseline": experiment.baseline,
        "budgets": list(experiment.budgets),
        "setting": to_json(dataclasses.asdict(experiment.setting)),
        "methods": {
            m.key: {"name": m.name, "max_iterations": m.max_iterations, "changes": to_json(m.changes)}
            for m in experiment.methods
        },
        "provenance": {
            "command": f"python -m pcltut experiment {experiment.name}",
            "seeds": sorted({run["seed"] for run in runs}),
            "devices": [json.loads(text) for text in shared["device"]],
            "commits": [json.loads(text) for text in shared["commit"]],
            "versions": origins[0]["versions"] if origins else {},
        },
        **extras,
        "runs": [_compact(run) for run in runs],
    }


def _compact(run: Mapping[str, Any]) -> dict[str, Any]:
    columns = list(dict.fromkeys(name for row in run["curve"] for name in row))
    return {
        "method": run["config"]["method"],
        "seed": run["seed"],
        "hyperparameters": run["config"]["hyperparameters"],
        "failed": run["failed"],
        "test": run["test"],
        "curve": {name: [row.get(name) for row in run["curve"]] for name in columns},
    }


def _difference(found: Any, expected: Mapping[str, Any]) -> str:
    if not isinstance(found, Mapping):
        return "no settings"
    for name, value in expected.items():
        if found.get(name) != value:
            if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
                return f"{name}: {_difference(found[name], value)}"
            return f"{name} {found.get(name)!r}, now {value!r}"
    return "more settings than now"


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
