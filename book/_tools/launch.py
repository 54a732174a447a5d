"""Hosted notebooks: the public address from `_config.yml`, and the first code cell that follows from it.

Colab opens a committed notebook and has no `pcltut`; so once the book has an address, the first code cell of each
chapter installs the package from there, committed results included. Where the package is there it does nothing.
"""

from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
TAG = "install"
CELL = """\
# On Colab and its like: one line installs all that this chapter needs.
try:
    import pcltut
except ModuleNotFoundError:
    %pip install --quiet {requirement}"""


def requirement(config: Path = ROOT / "_config.yml") -> str:
    """What pip installs the package from, or "" while the book has no public address (or no configuration)."""
    if not config.is_file():
        return ""
    repository = yaml.safe_load(config.read_text(encoding="utf-8"))["repository"]
    url = (repository["url"] or "").rstrip("/")
    return f"git+{url}@{repository['branch']}" if url else ""


def place(notebook, requirement: str) -> None:
    """Makes the cell that installs `requirement` the notebook's first code cell; takes it out for ""."""
    old = [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]
    if [cell.source for cell in old] == [CELL.format(requirement=requirement)]:
        return
    notebook.cells = [cell for cell in notebook.cells if cell not in old]
    if requirement:
        metadata = {"tags": [TAG, "hide-input"]}
        cell = nbformat.v4.new_code_cell(CELL.format(requirement=requirement), metadata=metadata)
        notebook.cells.insert(1, cell)
