"""What each notebook cost when it was last executed: `results/costs.json`, and the pages made from it.

`make notebooks` writes them: the table of the front page (`results/costs.md`), and the status page (`status.md`).
"""

import datetime
import functools
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from pcltut.files import package_commit, write_text

REFERENCE = 120.0  # steps of the speed probe a second, on the machine whose seconds are shown

STATUS = """\
---
myst:
  html_meta:
    description: "When each notebook of the book was last executed: date, machine, versions, seconds, memory, commit."
---

# Status of the notebooks

Each page of this book shows what its notebook printed when it was last executed, from top to bottom, in a fresh kernel.
This page says when that was. The command that executes the notebooks writes it (`make notebooks`), and a test fails as
soon as a notebook's code, or the code in `pcltut` that it runs, has changed since.

{table}

Seconds are CPU time on one thread, scaled by a speed probe taken at the same time to a machine that makes {speed:.0f}
of its steps a second (`python -m pcltut doctor` says how many yours makes). A `+` after a commit: the package had
changes that were committed together with the notebook. Outputs are compared again, number by number, whenever the
tests run (`make test`).
"""


def record(name: str, cost: dict, book: Path) -> None:
    """Merge `cost` into results/costs.json, and write the pages that show it."""
    file = book / "results" / "costs.json"
    costs = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    costs[name] = costs.get(name, {}) | cost
    costs = {key: costs[key] for key in sorted(costs) if (book / f"{key}.ipynb").is_file()}
    write(file, json.dumps(costs, indent=1, sort_keys=True) + "\n")
    write(book / "results" / "costs.md", table(cost_columns(costs), [f"../{key}.ipynb" for key in costs]))
    write(
        book / "status.md",
        STATUS.format(speed=REFERENCE, table=table(status_columns(costs), [f"{key}.ipynb" for key in costs])),
    )


def of_this_run() -> dict:
    """When and with what a notebook is executed."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    versions = {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy")}}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"executed": today, "machine": machine, "versions": versions, "commit": package_commit()}


def at_reference_speed(cost: dict, steps_per_second: float) -> dict:
    """A measured cost in the seconds of the reference machine: this one may be slow, or busy with other work."""
    seconds = round(cost["cpu_seconds"] * steps_per_second / REFERENCE, 1)
    return cost | {"cpu_seconds": seconds, "probe_steps_per_second": REFERENCE}


@functools.cache
def probe(environment: tuple[tuple[str, str], ...]) -> float:
    """This machine's speed at present."""
    code = "from pcltut.cli.probe import steps_per_second; print(steps_per_second(2, num_threads=1))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=dict(environment), check=True, capture_output=True, text=True)
    return round(float(done.stdout), 1)


def cost_columns(costs: dict) -> dict[str, list[str]]:
    """What a reader's own run will take."""
    return {
        "CPU time, one thread": [seconds(cost) for cost in costs.values()],
        "GPU time": [on_gpu(cost) for cost in costs.values()],
        "Peak memory": [memory(cost) for cost in costs.values()],
    }


def status_columns(costs: dict) -> dict[str, list[str]]:
    """All that is known of the last run."""
    return {
        "Executed": [cost.get("executed", "") for cost in costs.values()],
        "On": [cost.get("machine", "") for cost in costs.values()],
        "Seconds": [seconds(cost) for cost in costs.values()],
        "On a GPU": [on_gpu(cost) for cost in costs.values()],
        "Memory": [memory(cost) for cost in costs.values()],
        "Versions": [
            ", ".join(f"{name} {number}" for name, number in cost.get("versions", {}).items())
            for cost in costs.values()
        ],
        "Commit": [f"`{cost['commit']}`" if "commit" in cost else "" for cost in costs.values()],
    }


def seconds(cost: dict) -> str:
    return f"{cost['cpu_seconds']:.0f} s" if "cpu_seconds" in cost else ""


def on_gpu(cost: dict) -> str:
    return f"{cost['gpu_seconds']:.0f} s ({cost['gpu_name']})" if "gpu_seconds" in cost else ""


def memory(cost: dict) -> str:
    return f"{cost['peak_memory_mb'] / 1024:.1f} GB" if "peak_memory_mb" in cost else ""


def table(columns: dict[str, list[str]], pages: list[str]) -> str:
    """A row for each chapter; a column that no chapter has a value for is left out."""
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    links = [f"[]({page})" for page in pages]
    rows = [("Chapter", *columns), ("---",) * (1 + len(columns)), *zip(links, *columns.values(), strict=True)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(path: Path, text: str) -> bool:
    """Write `text` unless the file holds it already; a reader never sees half a file."""
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    write_text(path, text)
    return True
