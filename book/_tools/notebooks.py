"""Execute the book's notebooks and write them in one normal form.

A notebook is executed in a fresh kernel, top to bottom, only when it is stale (see freshness.py). A fresh one
is only normalized, which changes nothing when nothing changed.

    python book/_tools/notebooks.py [--force] [NAME ...]     execute what is stale, or all with --force
    python book/_tools/notebooks.py --check                  list what is stale; exit status 1 if there is any
    python book/_tools/notebooks.py --gpu [NAME ...]         measure the time on a CUDA device, keep outputs
"""

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import costs
import launch
import nbformat
from costs import write
from freshness import BOOK, ROOT, code_cells, is_fresh, output_hash, source_hash
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

TOOLS = Path(__file__).resolve().parent
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
TIMEOUT = 600  # seconds a cell
FIGURES = 'c.InlineBackend.figure_formats = {"svg"}\n'  # sharp at any width, and dark_figures.py can darken them

# The last cell of a measured run; it is taken away again.
MEASURE = """
import json, psutil, sys
_process = psutil.Process()
if sys.platform == "win32":
    _peak = _process.memory_info().peak_wset
else:
    import resource
    _peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
_cost = {{"cpu_seconds": round(sum(_process.cpu_times()[:2]), 1), "peak_memory_mb": round(_peak / 2**20)}}
if {gpu}:
    _cost["gpu_name"] = sys.modules["torch"].cuda.get_device_name()
print(json.dumps(_cost))
"""


class NotebookError(Exception):
    """A notebook that cannot be executed or whose outputs must not be committed."""


# --- the normal form ---


def normalize(notebook) -> None:
    """Take out, in place, whatever differs between two executions of the same code or between two editors."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    keep = {key: notebook.metadata[key] for key in ("myst", "pcltut", "widgets") if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"},
            **keep,
        }
    )
    used: dict[str, int] = {}
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in ("tags", "mystnb") and value}
        )
        name = hashlib.sha256(f"{cell.cell_type}\0{cell.source}".encode()).hexdigest()[:12]
        used[name] = used.get(name, 0) + 1
        cell.id = name if used[name] == 1 else f"{name}-{used[name]}"
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
            for output in cell.outputs:
                normalize_output(output)
    normalize_widgets(notebook)


def merge_streams(outputs: list) -> list:
    """Join what one stream wrote in pieces: where the pieces end depends on timing."""
    merged: list = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def normalize_output(output) -> None:
    output.get("metadata", {}).pop("execution", None)
    data = output.get("data", {})
    if "image/svg+xml" in data:
        svg = re.sub(r"\s*<metadata>.*?</metadata>", "", data["image/svg+xml"], flags=re.DOTALL)
        data["image/svg+xml"] = re.sub(r"\s+", " ", svg)  # one line: a third smaller inside a notebook
    if WIDGET_VIEW in data:  # its text form repeats every frame
        data["text/plain"] = data["text/plain"].partition("(")[0]


def normalize_widgets(notebook) -> None:
    """Number the widget models in order of appearance, and drop those that no output shows."""
    views = [
        output.data[WIDGET_VIEW]
        for cell in code_cells(notebook)
        for output in cell.outputs
        if WIDGET_VIEW in output.get("data", {})
    ]
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    references = {
        model: re.findall(r'"IPY_MODEL_([^"]+)"', json.dumps(state[model], sort_keys=True)) for model in state
    }
    order: dict[str, str] = {}

    def visit(model: str) -> None:
        if model in state and model not in order:
            order[model] = f"{len(order) + 1:032x}"
            for other in references[model]:
                visit(other)

    for view in views:
        visit(view["model_id"])
    # A link is referenced by nothing, it references what it links: keep it when both of its ends are shown.
    links = [model for model in state if model not in order and "Link" in state[model]["model_name"]]
    links = [model for model in links if references[model] and all(end in order for end in references[model])]
    for model in sorted(links, key=lambda model: [order[end] for end in references[model]]):
        visit(model)
    if not order:
        notebook.metadata.pop("widgets", None)
        return
    text = json.dumps({order[model]: state[model] for model in order}, sort_keys=True)
    for old, new in order.items():
        text = text.replace(f'"IPY_MODEL_{old}"', f'"IPY_MODEL_{new}"')
    for view in views:
        view["model_id"] = order.get(view["model_id"], view["model_id"])
    widgets = {WIDGET_STATE: {"state": json.loads(text), "version_major": 2, "version_minor": 0}}
    notebook.metadata["widgets"] = nbformat.from_dict(widgets)


def to_text(notebook) -> str:
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


# --- execution ---


def execute(notebook, directory: Path, gpu: bool = False) -> dict:
    """Run all cells in a fresh kernel with `directory` as working directory; return what it cost."""
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    notebook.cells.append(nbformat.v4.new_code_cell(MEASURE.format(gpu=gpu)))
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        store_widget_state=True,
        record_timing=False,
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(directory)}},
    )
    with tempfile.TemporaryDirectory() as ipython:
        write(Path(ipython) / "profile_default" / "ipython_kernel_config.py", FIGURES)
        client.execute(env=kernel_environment(gpu, ipython))
    measured = notebook.cells.pop()
    refuse(notebook)
    return json.loads(measured.outputs[0].text)


def kernel_environment(gpu: bool, ipython: str) -> dict[str, str]:
    """One thread, no progress bars, no CUDA device, no settings of the user's own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PCLTUT_PROGRESS": "0",
        "MATPLOTLIBRC": str(TOOLS / "matplotlibrc"),
        "IPYTHONDIR": ipython,
    }
    environment.pop("MPLBACKEND", None)
    return environment if gpu else environment | {"CUDA_VISIBLE_DEVICES": ""}


def refuse(notebook) -> None:
    """Stop at outputs that would differ in the next run or that do not belong on a page."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        text = json.dumps(cell.outputs)
        if cell.execution_count != number:
            raise NotebookError(f"code cell {number} was not executed: is it empty?\n{cell.source}")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            raise NotebookError(f"code cell {number} wrote to stderr:\n{cell.source}\n---\n{text[:2000]}")
        if address := re.search(r"\bat 0x[0-9a-fA-F]{6,}", text):
            shown = text[max(0, address.start() - 100) : address.end()]
            raise NotebookError(f"code cell {number} shows a memory address: {shown}\n{cell.source}")
        if str(ROOT) in text or str(Path.home()) in text:
            raise NotebookError(f"code cell {number} shows a path of this machine:\n{cell.source}")
        if "figure" in cell.metadata.get("mystnb", {}) and '"image/' not in text:
            raise NotebookError(f"code cell {number} has the caption of a figure and shows none:\n{cell.source}")


# --- the command ---


def notebook_paths(names: list[str], book: Path) -> list[Path]:
    """The notebooks whose file names start with one of `names` (07 or book/07_lpc.ipynb); all for none."""
    paths = sorted(book.glob("*.ipynb"))
    stems = [Path(name).name.removesuffix(".ipynb") for name in names]
    for stem in stems:
        if not any(path.name.startswith(stem) for path in paths):
            raise SystemExit(f"no notebook in {book} starts with {stem!r}: {[path.stem for path in paths]}")
    return [path for path in paths if not stems or any(path.name.startswith(stem) for stem in stems)]


def read(path: Path):
    """The notebook as it should be: with a first cell that installs the package from the book's address, if any."""
    notebook = nbformat.read(path, as_version=4)
    launch.place(notebook, launch.requirement(path.parents[1] / "_config.yml"))
    return notebook


def process(path: Path, force: bool, gpu: bool) -> None:
    """Bring one notebook up to date, and say what was done."""
    notebook = read(path)
    name, start = path.stem, time.perf_counter()
    if gpu:
        cost = execute(notebook, path.parent, gpu=True)
        seconds = round(time.perf_counter() - start, 1)
        costs.record(name, {"gpu_seconds": seconds, "gpu_name": cost["gpu_name"]}, path.parent)
        print(f"{name}: {seconds} s on {cost['gpu_name']}", flush=True)
        return
    if force or not is_fresh(notebook, name):
        print(f"{name}: executing", flush=True)
        cost = execute(notebook, path.parent)
        normalize(notebook)
        hashes = {"source_hash": source_hash(notebook, name), "output_hash": output_hash(notebook)}
        notebook.metadata["pcltut"] = nbformat.from_dict(hashes)
        write(path, to_text(notebook))
        environment = tuple(kernel_environment(gpu=False, ipython="").items())
        measured = costs.at_reference_speed(cost, costs.probe(environment)) | costs.of_this_run()
        costs.record(name, measured, path.parent)
        print(f"{name}: {cost['cpu_seconds']} s CPU, peak {cost['peak_memory_mb']} MB", flush=True)
    else:
        normalize(notebook)
        print(f"{name}: {'normalized' if write(path, to_text(notebook)) else 'fresh'}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="start of a notebook's file name, such as 07; none means all")
    parser.add_argument("--book", type=Path, default=BOOK, help="folder of the notebooks")
    parser.add_argument("--force", action="store_true", help="execute fresh notebooks too")
    parser.add_argument("--check", action="store_true", help="only list stale notebooks; exit 1 if there are any")
    parser.add_argument("--gpu", action="store_true", help="measure the time on a CUDA device, keep the outputs")
    options = parser.parse_args(arguments)
    paths, failures = notebook_paths(options.names, options.book.resolve()), 0
    for path in paths:
        if options.check:
            if not is_fresh(read(path), path.stem):
                print(f"{path.stem}: stale, run make notebooks")
                failures += 1
            continue
        try:
            process(path, options.force, options.gpu)
        except (NotebookError, CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            text = re.sub(r"\x1b\[[\d;]*m", "", str(error))  # without the colors of a terminal
            print(f"{path.stem}: FAILED, the file is unchanged\n{text}", file=sys.stderr, flush=True)
            failures += 1
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
