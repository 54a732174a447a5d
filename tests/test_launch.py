"""Hosted notebooks: the first cell installs what the chapter needs. The links to them are tested in test_book.py.

`make test` runs every notebook in the environment that this cell makes: see clean_kernel.py.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import clean_kernel
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import freshness  # noqa: E402
import launch  # noqa: E402

CONFIG = "repository:\n  url: {}\n  branch: main\n"
MADE_UP = "git+https://github.com/someone/some-book@main"


@pytest.mark.parametrize(
    ("url", "requirement"),
    [('""', ""), ("https://github.com/someone/some-book", MADE_UP), ("https://github.com/someone/some-book/", MADE_UP)],
)
def test_the_address_says_what_pip_installs(tmp_path: Path, url: str, requirement: str) -> None:
    config = tmp_path / "_config.yml"
    config.write_text(CONFIG.format(url), encoding="utf-8")
    assert launch.requirement(config) == requirement
    assert launch.requirement(tmp_path / "none.yml") == ""


def test_the_first_code_cell_follows_the_address() -> None:
    """It is put in once, changed with the address, taken out without one; the others stay as they were."""
    notebook = new_notebook(cells=[new_markdown_cell("# 1. Title"), new_code_cell("import torch")])
    for requirement in (MADE_UP, MADE_UP, MADE_UP.replace("some-book", "moved")):
        launch.place(notebook, requirement)
        title, first, other = notebook.cells
        assert title.source == "# 1. Title" and other.source == "import torch"
        assert re.findall(r"^ +%pip install --quiet (\S+)$", first.source, flags=re.MULTILINE) == [requirement]
    freshness.source_hash(notebook, "01_title")  # the tools can read the cell
    launch.place(notebook, "")
    assert [cell.source for cell in notebook.cells] == ["# 1. Title", "import torch"]


@pytest.mark.parametrize("path", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_chapters_have_the_cell_of_the_address_in_the_configuration(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    before = [cell.source for cell in notebook.cells]
    launch.place(notebook, launch.requirement())
    assert [cell.source for cell in notebook.cells] == before, "the address has changed: run make notebooks"


@pytest.mark.slow
def test_pip_reads_the_line_and_finds_the_package(tmp_path: Path) -> None:
    """At the address of a repository on this machine, on its branch `main`."""
    clean_kernel.copy_sources(tmp_path)
    for command in ("init -q -b main", "add .", "-c user.name=a -c user.email=a@b commit -q -m x"):
        subprocess.run(["git", "-C", str(tmp_path), *command.split()], check=True)
    (tmp_path / "_config.yml").write_text(CONFIG.format(tmp_path.as_uri()), encoding="utf-8")
    line = launch.CELL.format(requirement=launch.requirement(tmp_path / "_config.yml")).splitlines()[-1]
    command = [sys.executable, "-m", *line.strip().removeprefix("%").split()]
    command += ["--no-deps", "--no-build-isolation", "--dry-run", "--report", "-", "--force-reinstall"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [one["metadata"]["name"] for one in json.loads(done.stdout)["install"]] == ["pcltut"]


def test_the_clean_kernel_has_what_pip_would_install_and_no_more() -> None:
    needed = clean_kernel.needed("pcltut", "ipykernel")
    assert {"torch", "pandas", "anywidget", "ipykernel"} <= needed
    assert not {"pytest", "jax", "nbgrader", "nbclient", "jupyter-book", "jupyterlab"} & needed


def test_binder_and_codespaces_install_the_pins_of_the_book() -> None:
    binder = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8")
    assert "\n-r ../requirements.txt\n" in binder
    assert (ROOT / ".binder" / "postBuild").stat().st_mode & 0o111, "postBuild is not executable"
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "make book"
    (index,) = re.findall(r"--extra-index-url (\S+)", binder)
    assert container["containerEnv"]["PIP_EXTRA_INDEX_URL"] == index
