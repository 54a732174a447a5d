"""All rows: which groups there are, and how they are run, one process for each number of threads."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from pcltut.arguments import one_of, whole_number
from pcltut.bench import evaluation, memory, others, training
from pcltut.bench.table import Row
from pcltut.bench.timing import Ratio
from pcltut.experiments.results import provenance

Measure = Callable[[int, int, str], Iterator[Row]]
GROUPS: Mapping[str, str] = {
    "a": "LPC's gradients of a batch (T = 10) beside T bare fused passes and one of the encoder",
    "b": "The fused step beside a second pass over the stored trajectory",
    "c": "The whole training step beside the same jitted by JAX",
    "d": "Inner loops beside other packages",
    "e": "How a step grows: exponents, 1 is linear",
    "f": "VAE and IWAE beside their bare passes",
    "g": "Measuring a model",
    "h": "Peak memory of a training step, T = 200 beside T = 10",
}
MEASURES: Mapping[str, Measure] = {
    "a": training.training_steps,
    "b": training.plain_way,
    "c": others.whole_step,
    "d": others.inner_loops,
    "e": training.slopes,
    "f": training.other_algorithms,
    "g": evaluation.measures,
    "h": memory.peak_memory,
}
ROUNDS = {"a": 9, "b": 6, "c": 9, "d": 9, "e": 3, "f": 6, "g": 5, "h": 1}
TWO_THREADS = ("a", "c")  # on processors
ON_A_GPU = ("a", "b", "e", "f", "g", "h")


def run_bench(
    device: str = "cpu",
    only: Sequence[str] = (),
    *,
    rounds: int | None = None,
    on_row: Callable[[Row], object] = lambda row: None,
) -> dict[str, Any]:
    """Measure the rows of these groups (all if none is given), and where and when they were measured.

    Args:
        rounds: turns of each comparison; as many as settle its median if not given.
        on_row: is told each row as it comes.
    """
    groups = [one_of("only", group, GROUPS) for group in only] or list(GROUPS)
    on_gpu = device.startswith("cuda")
    begun, rows = datetime.now(UTC), []
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    for threads in (1,) if on_gpu else (1, 2):
        for group in groups:
            if group in (ON_A_GPU if on_gpu else GROUPS) and (threads == 1 or group in TWO_THREADS):
                turns = ROUNDS[group] if rounds is None else whole_number("rounds", rounds)
                for row in _in_a_process(group, threads, turns, device):
                    rows.append(row)
                    on_row(row)
    return {
        "rows": [row.to_json() for row in rows],
        "machine": {"cores": os.cpu_count(), "load_before": load, "system": platform.platform(terse=True)},
        "date": begun.date().isoformat(),
        "seconds": round((datetime.now(UTC) - begun).total_seconds()),
        "provenance": provenance(device),
    }


def rows_of(result: Mapping[str, Any]) -> list[Row]:
    """The rows of a result that was written."""
    rows = []
    for entry in result["rows"]:
        fields = {name: value for name, value in entry.items() if name != "verdict"}
        value = fields["value"]
        rows.append(Row(**{**fields, "value": Ratio(**value) if isinstance(value, dict) else value}))
    return rows


def _in_a_process(group: str, threads: int, rounds: int, device: str) -> list[Row]:
    """A group in a process of its own: thread pools, XLA's among them, have the size that they were made with."""
    flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "XLA_FLAGS": flags}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "pcltut.bench.suite", group, str(threads), str(rounds), device, str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"
            raise ValueError(
                f"got no rows of group {group} ({reason}), expected some; run it alone with --only {group}"
            )
        return rows_of(json.loads(path.read_text(encoding="utf-8")))


def main(group: str, threads: str, rounds: str, device: str, path: str) -> None:
    """What the process of a group does; one thread also means one core."""
    torch.set_num_threads(int(threads))
    if hasattr(os, "sched_setaffinity") and device == "cpu" and group != "h":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    rows = [row.to_json() for row in MEASURES[group](int(threads), int(rounds), device)]
    Path(path).write_text(json.dumps({"rows": rows}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
