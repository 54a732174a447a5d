"""`doctor`: what is installed, what this machine has, and what the chapters will cost on it."""

import importlib.metadata
import json
import os
import platform
import shutil
from pathlib import Path

import torch
import typer

import pcltut
from pcltut import data
from pcltut.cli.data import size_text, table
from pcltut.cli.errors import describe
from pcltut.cli.probe import steps_per_second
from pcltut.data.sources import data_root
from pcltut.data.torchvision_compat import import_torchvision, operators_were_declared

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "matplotlib",
    "ipywidgets",
    "safetensors",
    "scipy",
    "pandas",
    "jupyter-book",
)
REFERENCE = "probe_steps_per_second"


def report(root: Path | None, seconds: float) -> bool:
    """Print everything; whether the embedded data set, which the book needs, is whole."""
    versions()
    devices()
    memory_and_disk(root)
    whole = data_sets(root)
    figure = speed(seconds) if seconds > 0 and whole else None
    chapters(figure)
    return whole


def _line(title: str, text: str) -> None:
    typer.echo(f"{title:<9} {text}")


def versions() -> None:
    """Python, the package and what it uses."""
    _line("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    _line("pcltut", pcltut.__version__)
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} not installed")
    _line("packages", ", ".join(found))
    try:
        import_torchvision()
    except (ImportError, RuntimeError) as error:
        _line("", f"torchvision cannot be imported ({describe(error)}): mnist, cifar10, svhn, celeba64 need it")
    if operators_were_declared():
        _line("", "torchvision's compiled part is for another build of torch; pcltut works around that")


def devices() -> None:
    """Processor, threads and GPUs."""
    _line("cpu", f"{torch.get_num_threads()} threads in use, {os.cpu_count()} cores")
    if not torch.cuda.is_available():
        _line("gpu", "none that torch can use; every chapter runs without")
    for i in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(i)
        _line("gpu", f"{torch.cuda.get_device_name(i)}, {size_text(free)} free of {size_text(total)}")


def memory_and_disk(root: Path | None) -> None:
    """Free memory, and free space where the data sets go."""
    free = free_memory()
    _line("memory", "unknown" if free is None else f"{size_text(free)} free")
    folder = data_root(root).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    _line("disk", f"{size_text(shutil.disk_usage(existing).free)} free for data in {folder}")


def free_memory() -> int | None:
    """Bytes that programs can still get, or None where that cannot be found out."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        import psutil
    except ImportError:
        return None
    return psutil.virtual_memory().available


def data_sets(root: Path | None) -> bool:
    """The data sets that are here; whether the embedded one is whole."""
    try:
        data.verify("fashion-mnist-mini")
        _line("data", "fashion-mnist-mini: whole, inside the package")
        whole = True
    except data.DataError as error:
        _line("data", f"fashion-mnist-mini: {describe(error)}")
        whole = False
    for info in data.available(root)[1:]:
        where = f"in {info.folder}" if info.present else f"not here ({size_text(info.bytes)} to download)"
        _line("", f"{info.name}: {where}")
    return whole


def speed(seconds: float) -> float:
    """Print the probe's figures; that of one CPU thread is returned, for that is how the book was measured."""
    cuda = torch.cuda.is_available()
    runs = {"one CPU thread": ("cpu", 1)}
    if torch.get_num_threads() > 1:
        runs[f"{torch.get_num_threads()} CPU threads"] = ("cpu", None)
    if cuda:
        runs["GPU"] = ("cuda", None)
    figures = {name: steps_per_second(seconds / len(runs), *run) for name, run in runs.items()}
    text = ", ".join(
        f"{figure:.0f} on {name}" if name == "GPU" else f"{figure:.0f} with {name}" for name, figure in figures.items()
    )
    _line("speed", f"Langevin steps a second (MLP decoder, 250 images): {text}")
    return figures["one CPU thread"]


def chapters(figure: float | None) -> None:
    """What each chapter costs here: its measured time, scaled by the probe's figures there and here."""
    path = find_costs()
    if path is None:
        _line("chapters", "times unknown: book/results/costs.json, which comes with a clone of the book, is not here")
        return
    costs = json.loads(path.read_text(encoding="utf-8"))
    rows = [("chapter", "CPU time, measured", "expected here", "GPU time, measured", "peak memory")]
    for name, cost in costs.items():
        reference = cost.get(REFERENCE)
        here = f"{cost['cpu_seconds'] * reference / figure:.0f} s" if reference and figure else "unknown"
        gpu = f"{cost['gpu_seconds']:.0f} s ({cost['gpu_name']})" if "gpu_seconds" in cost else "not measured"
        memory = size_text(cost["peak_memory_mb"] * 2**20)
        rows.append((name, f"{cost['cpu_seconds']:.0f} s", here, gpu, memory))
    typer.echo("\n" + table(rows, left={0}))
    if figure is None:
        typer.echo("Expected times need the speed probe.")


def find_costs() -> Path | None:
    """The file of measured costs, in the clone that the package is imported from or below the current folder."""
    for folder in (Path(pcltut.__file__).resolve().parents[1], Path.cwd()):
        path = folder / "book" / "results" / "costs.json"
        if path.is_file():
            return path
    return None
