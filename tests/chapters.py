"""The chapters as the tests of their claims read them."""

from functools import cache
from pathlib import Path

import nbformat

BOOK = Path(__file__).resolve().parents[1] / "book"


@cache
def cells(number: int) -> list:
    """All cells of a chapter."""
    (path,) = BOOK.glob(f"{number:02}_*.ipynb")
    return nbformat.read(path, as_version=4).cells


def prose(number: int) -> str:
    """All that a chapter says in markdown."""
    return "\n".join(cell.source for cell in cells(number) if cell.cell_type == "markdown")
