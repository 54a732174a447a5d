"""book/_tools: when a notebook is stale, and that executing one twice gives the same file."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "book" / "_tools" / "notebooks.py"
sys.path.insert(0, str(TOOL.parent))

import freshness  # noqa: E402
import notebooks as tool  # noqa: E402

FILES = {
    "pcltut/__init__.py": '__version__ = "1"\n',
    "pcltut/samplers/__init__.py": "from pcltut.samplers.ula import step\n",
    "pcltut/samplers/ula.py": (
        '"""Langevin."""\n\nfrom ..noise import draw\n\n\ndef step(z):\n    """One step."""\n    return z + draw()\n'
    ),
    "pcltut/noise.py": "def draw():\n    import pcltut.lazy\n    return 0.1  # a constant\n",
    "pcltut/lazy.py": "value = 1\n",
    "pcltut/check/__init__.py": "def exercise(id, answer):\n    pass\n",
    "pcltut/check/chapter_03.py": "CHECKS = {}\n",
    "pcltut/check/chapter_04.py": "CHECKS = {}\n",
    "pcltut/other.py": "value = 1\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A tree with a small package of the same name."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def notebook_of(*cells: str):
    return new_notebook(cells=[new_markdown_cell("# Title"), *map(new_code_cell, cells)])


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("samplers/ula.py", "z + draw()", "z - draw()", True),
        ("samplers/__init__.py", "step\n", "step as step\n", True),
        ("noise.py", "0.1", "0.2", True),
        ("lazy.py", "1", "2", True),
        ("check/__init__.py", "pass", "return", True),
        ("check/chapter_03.py", "{}", "{1: 2}", True),
        ("check/chapter_04.py", "{}", "{1: 2}", False),
        ("other.py", "1", "2", False),
        ("noise.py", "  # a constant", "", False),
        ("samplers/ula.py", '"""Langevin."""\n', '"""Euler-Maruyama."""\n\n', False),
        ("samplers/ula.py", '    """One step."""\n', "", False),
    ],
)
def test_a_notebook_is_stale_when_code_that_it_imports_has_changed(
    package: Path, file: str, old: str, new: str, stale: bool
) -> None:
    notebook = notebook_of("%matplotlib inline\nfrom pcltut.samplers import step", "from pcltut import check")
    before = freshness.source_hash(notebook, "03_noise", package)
    change(package / "pcltut" / file, old, new)
    assert (freshness.source_hash(notebook, "03_noise", package) != before) == stale


def test_a_notebook_is_stale_when_its_cells_have_changed(package: Path) -> None:
    one, two = notebook_of("x = 1"), notebook_of("x = 2")
    assert freshness.source_hash(one, "01_a", package) != freshness.source_hash(two, "01_a", package)
    one.cells[0].source = "# Another title"
    assert freshness.source_hash(one, "01_a", package) == freshness.source_hash(notebook_of("x = 1"), "01_a", package)


@pytest.mark.parametrize("file", ["headline.json", "headline-tuning.json"])
def test_a_notebook_is_stale_when_the_results_that_it_reads_have_changed(package: Path, file: str) -> None:
    results = package / "book" / "results"
    results.mkdir(parents=True)
    (results / file).write_text('{"runs": []}')
    (results / "other.json").write_text("{}")
    notebook = notebook_of('runs, search = load_results("headline"), load_search("headline")')
    before = freshness.source_hash(notebook, "09_a", package)
    change(results / "other.json", "{}", "{ }")
    assert freshness.source_hash(notebook, "09_a", package) == before
    change(results / file, "[]", "[1]")
    assert freshness.source_hash(notebook, "09_a", package) != before


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("core.js", True),
        ("page.js", True),
        ("page.css", True),
        ("one.js", True),
        ("other.js", False),
        ("../garment.safetensors", True),
    ],
)
def test_what_an_explorable_carries_into_a_notebook_makes_it_stale(tmp_path: Path, file: str, stale: bool) -> None:
    scripts = tmp_path / "pcltut" / "explorables" / "scripts"
    scripts.mkdir(parents=True)
    for name in ("one", "other", "__init__"):
        (scripts.parent / f"{name}.py").write_text("", encoding="utf-8")
    (tmp_path / "pcltut" / "__init__.py").write_text("", encoding="utf-8")
    for name in ("core.js", "page.js", "page.css", "one.js", "other.js", "../garment.safetensors"):
        (scripts / name).write_text("before", encoding="utf-8")
    (scripts / "one.js").write_text('import { text } from "./page.js";', encoding="utf-8")
    (scripts / "page.js").write_text('import { multiply, add } from "./core.js";', encoding="utf-8")
    notebook = notebook_of("from pcltut.explorables.one import One")
    before = freshness.source_hash(notebook, "01_a", tmp_path)
    (scripts / file).write_text("after", encoding="utf-8")
    assert (freshness.source_hash(notebook, "01_a", tmp_path) != before) == stale


def test_the_hash_does_not_depend_on_the_version_of_python() -> None:
    """A fixed text for a fixed source: newer versions of Python have more, empty, fields in their trees."""
    tree = freshness.ast.parse('def f(x: int = 1) -> str:\n    """Doc."""\n    return f"{x:.2f}"\n')
    assert freshness.canonical(tree) == (
        "Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='x',annotation=Name(id='int',ctx=Load()))],"
        "defaults=[Constant(value=1)]),body=[Return(value=JoinedStr(values=[FormattedValue(value=Name(id='x',"
        "ctx=Load()),conversion=-1,format_spec=JoinedStr(values=[Constant(value='.2f')]))]))],"
        "returns=Name(id='str',ctx=Load()))])"
    )


def run_tool(book: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOL), "--book", str(book), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


WIDGETS = """
import ipywidgets as w
unused = w.Button()
slider, stack = w.IntSlider(max=1), w.Stack([w.HTML("<b>a</b>"), w.HTML("b")], selected_index=0)
w.jslink((slider, "value"), (stack, "selected_index"))
w.VBox([slider, stack])
"""
FIGURE = """
%config InlineBackend.figure_formats = ["svg"]
import os
import matplotlib.pyplot as plt
plt.plot([1, 2], [3, 4])
plt.show()
print(os.environ["OMP_NUM_THREADS"], os.environ["PCLTUT_PROGRESS"])
"""


@pytest.mark.slow
def test_executing_twice_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two copies, each in a kernel of its own; then nothing is stale, until an output is changed by hand."""
    paths = [tmp_path / "98_scratch.ipynb", tmp_path / "99_scratch.ipynb"]
    notebook = notebook_of(FIGURE, "print(1, flush=True)\nprint(2)", WIDGETS)
    notebook.metadata.update({"myst": {"html_meta": {"description": "About."}}, "vscode": {"x": 1}})
    for path in paths:
        path.write_text(nbformat.writes(notebook))
    done = run_tool(tmp_path)
    assert done.returncode == 0, done.stderr
    written = [path.read_bytes() for path in paths]
    assert written[0] == written[1]

    costs = (tmp_path / "results" / "costs.json").read_bytes()
    known = {"cpu_seconds", "peak_memory_mb", "probe_steps_per_second", "executed", "machine", "versions", "commit"}
    assert json.loads(costs)["99_scratch"].keys() == known
    status = (tmp_path / "status.md").read_text(encoding="utf-8")
    assert "[](99_scratch.ipynb) | 20" in status and "torch 2." in status
    book = ["--book", str(tmp_path)]
    assert tool.main([*book, "99"]) == 0 and "99_scratch: fresh" in capsys.readouterr().out
    assert tool.main([*book, "--check"]) == 0
    assert path.read_bytes() == written[1] and (tmp_path / "results" / "costs.json").read_bytes() == costs

    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "myst", "pcltut", "widgets"}
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3]
    assert "<svg" in notebook.cells[1].outputs[0].data["image/svg+xml"]
    assert notebook.cells[1].outputs[1].text == "1 0\n"
    models = notebook.metadata["widgets"][tool.WIDGET_STATE]["state"].values()
    names = [model["model_name"] for model in models]
    assert "LinkModel" in names and "ButtonModel" not in names
    assert notebook.cells[3].outputs[0].data["text/plain"] == "VBox"

    notebook.cells[2].outputs[0].text = "3\n"  # an output changed by hand
    path.write_text(tool.to_text(notebook))
    assert tool.main([*book, "--check"]) == 1
    assert capsys.readouterr().out == "99_scratch: stale, run make notebooks\n"


REFUSED = {
    "1 / 0": "ZeroDivisionError",
    "import sys\nprint('careful', file=sys.stderr)": "wrote to stderr",
    "print(object())": "shows a memory address",
    "import pathlib\nprint(pathlib.Path.home())": "shows a path of this machine",
    "": "was not executed",
}


@pytest.mark.slow
def test_a_refused_notebook_is_left_as_it_was(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02d}_scratch.ipynb" for number in range(len(REFUSED))]
    for path, source in zip(paths, REFUSED, strict=True):
        path.write_text(nbformat.writes(notebook_of("x = 1", source)))
    before = [path.read_bytes() for path in paths]
    done = run_tool(tmp_path)
    assert done.returncode == 1
    messages = done.stderr.split(": FAILED, the file is unchanged\n")[1:]
    for (source, message), text in zip(REFUSED.items(), messages, strict=True):
        assert message in text and source in text
    assert [path.read_bytes() for path in paths] == before
    assert sorted(tmp_path.iterdir()) == paths


def test_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="starts with '42'"):
        tool.main(["--book", str(tmp_path), "42"])
