"""The decks: how long they are, that each slide has its notes, and that they ask for what the chapter has."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from chapters import cells

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import slides  # noqa: E402

CHAPTERS = sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))
SOURCES = [ROOT / "book" / "teaching" / f"slides_{path.name[:2]}.md" for path in CHAPTERS]
DERIVED = {9: {"0.13", "2.26"}}  # nats a pixel, 105 / 784; Student's t for ten seeds
WIDGET = "application/vnd.jupyter.widget-view+json"


def deck(source: Path):
    (path,) = (ROOT / "book").glob(f"{source.stem[-2:]}_*.ipynb")
    return slides.deck(source.read_text(encoding="utf-8"), nbformat.read(path, as_version=4))


def kinds(notebook) -> list[str]:
    return [cell.metadata["slideshow"]["slide_type"] for cell in notebook.cells]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_deck_has_15_to_25_slides_with_notes_and_the_explorable(source: Path) -> None:
    made = deck(source)
    assert 15 <= kinds(made).count("slide") <= 25
    notes = [cell.source for cell in made.cells if cell.metadata["slideshow"]["slide_type"] == "notes"]
    assert len(notes) == kinds(made).count("slide") - 1, "the title alone needs no notes"
    assert all(len(note.split()) >= 12 for note in notes), min(notes, key=len)
    shown = [output for cell in made.cells for output in cell.get("outputs", []) if WIDGET in output.get("data", {})]
    assert shown, "the explorable stands on no slide"
    assert not [cell.source for cell in made.cells if re.search(r"\{(show|code)", cell.source)], "{show} NAME"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_figures_keep_their_alt_texts(source: Path) -> None:
    made = deck(source)
    figures = BeautifulSoup(slides.page(made), "html.parser").select("img")
    alts = [cell.metadata.alt for cell in made.cells if "show" in cell.metadata.get("tags", []) and cell.metadata.alt]
    assert alts and [figure["alt"] for figure in figures] == alts


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_deck_holds_no_markup_of_the_book(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    assert not re.findall(r"\{(?:eq|numref|cite:\w|py:\w+|doc)\}`", text), "reveal.js does not know these roles"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_numbers_of_a_deck_are_those_of_its_chapter_or_of_the_teachers_notes(source: Path) -> None:
    """Decimal ones; those that begin with the chapter's number name equations and exercises."""
    number = int(source.stem[-2:])
    notes = source.with_name(source.name.replace("slides", "notes")).read_text(encoding="utf-8")
    printed = [output.get("text", "") for cell in cells(number) for output in cell.get("outputs", [])]
    known = "\n".join(
        [notes, *printed, *(f"{cell.source} {cell.metadata.get('mystnb', '')}" for cell in cells(number))]
    )
    found = set(re.findall(r"(?<![\d.])\d+\.\d+", source.read_text(encoding="utf-8"))) - DERIVED.get(number, set())
    assert not {each for each in found if not each.startswith(f"{number}.") and each not in known}


def test_what_a_slide_asks_for_must_be_there() -> None:
    chapter = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["slide-sum", "hide-input"]})]
    )
    made = slides.deck("# T\n\n## Sum\n\nBefore.\n\n{code} sum\n\nAfter.\n???\nSay it.\n", chapter)
    assert kinds(made) == ["slide", "slide", "-", "-", "notes"]
    assert made.cells[2].source == "1 + 1" and made.cells[2].metadata.tags == ["code"]
    with pytest.raises(slides.DeckError, match=r"got \{show\} total, expected one of sum: tag a cell slide-total"):
        slides.deck("# T\n\n## Sum\n\n{show} total\n???\nSay it.\n", chapter)
