"""Writes a deck of slides for each chapter: `_build/slides/NN_name.html`, for reveal.js, without a network.

    python book/_tools/slides.py

What is said on a slide, and the notes of the speaker, stand in `book/teaching/slides_NN.md`; figures, code and
explorables come from the chapter, from the cells with a tag `slide-NAME`. A slide is

    ## Its title
    Text in markdown.
    {show} NAME        what the cell shows: a figure, printed numbers, the explorable, alive
    {code} NAME        the cell's code
    ???
    Notes for the speaker.
"""

import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from traitlets.config import Config
from vendor import TARGET as VENDORED

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(__file__).resolve().parent
TARGET = ROOT / "_build" / "slides"
TAG = "slide-"
CELL = re.compile(r"^\{(show|code)\} (\S+)$", re.MULTILINE)
CONFIG = {
    "SlidesExporter": {"enabled": True},
    "TagRemovePreprocessor": {"enabled": True, "remove_input_tags": ["show"], "remove_all_outputs_tags": ["code"]},
}


class DeckError(ValueError):
    """A deck that asks for what its chapter does not have; the message says what to mend."""


def deck(source: str, chapter):
    """The notebook of a deck: for each slide its title, its text and cells of `chapter`, its notes."""
    tagged = tagged_cells(chapter)
    title, *slides = re.split(r"^## ", source, flags=re.MULTILINE)
    cells = [markdown(title, "slide")]
    for slide in slides:
        shown, _, notes = slide.partition("\n???\n")
        text, *parts = CELL.split(f"## {shown}")
        cells.append(markdown(text, "slide"))
        for how, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            if name not in tagged:
                raise DeckError(f"got {{{how}}} {name}, expected one of {', '.join(tagged)}: tag a cell {TAG}{name}")
            cells += [from_chapter(tagged[name], how), *([markdown(text, "-")] if text.strip() else [])]
        cells.append(markdown(notes, "notes"))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=dict(chapter.metadata))
    notebook.metadata["title"] = title.strip().removeprefix("# ").partition("\n")[0]
    return notebook


def tagged_cells(chapter) -> dict[str, object]:
    """The chapter's cells for slides, by name."""
    found: dict[str, object] = {}
    for cell in chapter.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith(TAG):
                found[tag.removeprefix(TAG)] = cell
    return found


def markdown(text: str, kind: str):
    return nbformat.v4.new_markdown_cell(text.strip(), metadata={"slideshow": {"slide_type": kind}})


def from_chapter(cell, how: str):
    """A copy of a cell that shows its outputs alone, or its code alone."""
    made = nbformat.from_dict(cell)
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    made.metadata = nbformat.from_dict({"slideshow": {"slide_type": "-"}, "tags": [how], "alt": alt})
    return made


def page(notebook) -> str:
    exporter = SlidesExporter(
        config=Config(CONFIG), template_name="slides", extra_template_basedirs=[str(TOOLS)], embed_images=False
    )
    return exporter.from_notebook_node(notebook)[0]


def write(target: Path) -> list[Path]:
    """All decks and what they load; returns their files."""
    if not (VENDORED / "reveal").is_dir():
        raise DeckError("reveal.js is not in _build/vendor: run `python book/_tools/vendor.py` with a network, once")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(VENDORED, target / "third-party")
    (target / "third-party" / "anywidget").mkdir()
    shutil.copy(files("anywidget") / "nbextension" / "index.js", target / "third-party" / "anywidget")
    for file in (ROOT / "book" / "_static" / "widgets.js", TOOLS / "slides" / "slides.css"):
        shutil.copy(file, target / "third-party")
    decks = []
    for source in sorted((ROOT / "book" / "teaching").glob("slides_[0-9][0-9].md")):
        (path,) = (ROOT / "book").glob(f"{source.stem[-2:]}_*.ipynb")
        decks.append(target / f"{path.stem}.html")
        made = deck(source.read_text(encoding="utf-8"), nbformat.read(path, as_version=4))
        decks[-1].write_text(page(made), encoding="utf-8")
    return decks


def main() -> int:
    try:
        decks = write(TARGET)
    except DeckError as error:
        print(f"slides.py: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"Slides: {deck.as_uri()}" for deck in decks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
