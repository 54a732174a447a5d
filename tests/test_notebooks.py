"""What every chapter must satisfy: outputs that are fresh, reproducible and described, and its fixed parts."""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import freshness  # noqa: E402
import notebooks as tool  # noqa: E402


def toc_files(node: Any) -> list[str]:
    """All files that the table of contents names, in order."""
    if isinstance(node, list):
        return [file for item in node for file in toc_files(item)]
    if not isinstance(node, dict):
        return []
    here = [node[key] for key in ("root", "file") if key in node]
    return here + [file for value in node.values() for file in toc_files(value)]


TOC = toc_files(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
PATHS = [ROOT / f"{file}.ipynb" for file in TOC if (ROOT / f"{file}.ipynb").is_file()]


class Chapter:
    """A notebook and the views of it that the tests need."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        self.notebook = nbformat.read(path, as_version=4)
        self.code = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        self.prose = "\n\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")
        self.headings = re.findall(r"^#+ +(.+)$", self.prose, flags=re.MULTILINE)


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def chapter(request: pytest.FixtureRequest) -> Chapter:
    return Chapter(request.param)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def check_alt(alt: str | None, caption: str, where: str) -> None:
    assert alt and len(words(alt)) >= 8, f"{where}: the alt text must state the finding in 8 words or more: {alt!r}"
    assert words(alt) != words(caption), f"{where}: the alt text repeats the caption: {alt!r}"


def test_every_notebook_is_in_the_table_of_contents() -> None:
    assert sorted(PATHS) == sorted((ROOT / "book").glob("*.ipynb"))


def test_the_name_starts_with_the_number(chapter: Chapter) -> None:
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", chapter.name)


def test_outputs_are_fresh(chapter: Chapter) -> None:
    stored = chapter.notebook.metadata.get("pcltut", {})
    stale = f"{chapter.path.name}: the code or the part of pcltut that it imports has changed: run make notebooks"
    assert stored.get("source_hash") == freshness.source_hash(chapter.notebook, chapter.name), stale
    edited = f"{chapter.path.name}: its outputs are not those of make notebooks: run make notebooks"
    assert stored.get("output_hash") == freshness.output_hash(chapter.notebook), edited


def test_the_file_is_in_normal_form(chapter: Chapter) -> None:
    tool.normalize(chapter.notebook)
    same = tool.to_text(chapter.notebook) == chapter.path.read_text(encoding="utf-8")
    assert same, f"{chapter.path.name} was saved by an editor: run make notebooks"


def test_all_cells_ran_once_in_order(chapter: Chapter) -> None:
    assert [cell.execution_count for cell in chapter.code] == list(range(1, len(chapter.code) + 1))


def test_outputs_are_printed_text_and_figures(chapter: Chapter) -> None:
    for cell in chapter.code:
        for output in cell.outputs:
            assert output.output_type != "error", f"an error in\n{cell.source}"
            assert output.get("name") != "stderr", f"a message on stderr in\n{cell.source}"


def test_images_are_described(chapter: Chapter) -> None:
    for cell in chapter.code:
        data = [output.get("data", {}) for output in cell.outputs]
        images = [item for item in data if {"image/png", "image/svg+xml", "image/jpeg"} & set(item)]
        assert all("image/svg+xml" in item for item in images), "figures are SVG, so that they have a dark twin"
        assert images or "figure" not in cell.metadata.get("mystnb", {}), (
            f"a caption without a figure in\n{cell.source}"
        )
        if images:
            where = f"cell {cell.execution_count}"
            assert len(images) == 1, f"{where}: one alt text for {len(images)} figures: split the cell"
            mystnb = cell.metadata.get("mystnb", {})
            caption = mystnb.get("figure", {}).get("caption", "")
            assert caption, f"{where}: no caption in its metadata (mystnb.figure.caption)"
            check_alt(mystnb.get("image", {}).get("alt"), caption, where)


def test_images_in_html_are_described(chapter: Chapter) -> None:
    html = [output.get("data", {}).get("text/html", "") for cell in chapter.code for output in cell.outputs]
    for text in html:
        for image in BeautifulSoup(text, "html.parser").find_all("img"):
            check_alt(image.get("alt"), "", "a figure in HTML")


def test_nothing_is_hidden_or_silenced(chapter: Chapter) -> None:
    forbidden = r"%%capture|filterwarnings|simplefilter|catch_warnings|environ\b|getenv|2>/dev/null"
    for cell in chapter.code:
        assert not [tag for tag in cell.metadata.get("tags", []) if tag.startswith("remove")], cell.source
        assert not re.search(forbidden, cell.source), cell.source


def test_no_path_of_a_machine_is_shown(chapter: Chapter) -> None:
    for cell in chapter.code:
        for output in cell.outputs:
            texts = [output.get("text", ""), *map(output.get("data", {}).get, ("text/plain", "text/html"))]
            shown = re.sub(r"data:image/[^\"']+", "", "\n".join(filter(None, texts)))
            path = re.search(r"(?<![\w./:])/(home|root|tmp|usr|opt|var|mnt|Users|content)\b\S*|\b[A-Z]:\\\S+", shown)
            assert path is None, f"cell {cell.execution_count} shows {path[0]}"


def test_the_file_is_small(chapter: Chapter) -> None:
    assert chapter.path.stat().st_size <= 2**20


def test_some_printed_numbers_are_compared_when_the_notebook_runs_again(chapter: Chapter) -> None:
    compared = [
        cell
        for cell in chapter.code
        if re.search(r"^#\s*NBVAL_CHECK_OUTPUT", cell.source, flags=re.MULTILINE)
        or "nbval-check-output" in cell.metadata.get("tags", [])
    ]
    assert compared, "no cell begins with # NBVAL_CHECK_OUTPUT"
    assert any(re.search(r"\d", output.get("text", "")) for cell in compared for output in cell.outputs)


def test_the_fixed_parts_are_there(chapter: Chapter) -> None:
    first = chapter.notebook.cells[0].source
    assert re.match(r"(\([\w-]+\)=\n)?# \S", first), "the first cell begins with the title"
    assert "able to" in chapter.prose, "no objectives: what a reader will be able to do"
    for heading in ("What to remember", "Where it breaks"):
        assert heading in chapter.headings, f"no heading {heading!r}: {chapter.headings}"


def before_the_exercises(chapter: Chapter) -> list:
    """The code cells that a reader meets before the exercises."""
    sources = [cell.source for cell in chapter.notebook.cells]
    (end,) = [number for number, source in enumerate(sources) if re.search(r"^## Exercises$", source, re.MULTILINE)]
    return [cell for cell in chapter.notebook.cells[:end] if cell.cell_type == "code"]


def visible_code(chapter: Chapter) -> list[str]:
    """The lines of code that a reader of the page sees before the exercises; blank ones do not count."""
    cells = [cell for cell in before_the_exercises(chapter) if "hide-input" not in cell.metadata.get("tags", [])]
    return [line for cell in cells for line in cell.source.splitlines() if line.strip()]


def test_the_idea_stands_before_its_proof(chapter: Chapter) -> None:
    """Imports, checks, plots and tables are folded: what is left is short, and no line is wider than the page."""
    assert len(visible_code(chapter)) <= 100
    assert not [line for cell in chapter.code for line in cell.source.splitlines() if len(line) > 80]


def test_a_question_leads_to_the_next_chapter(chapter: Chapter) -> None:
    if chapter.path != max(PATHS):
        assert re.search(r"\*\*Next:\*\*", chapter.prose), "no line that begins with **Next:**"


def test_few_cells_define_anything(chapter: Chapter) -> None:
    """The code lives in pcltut; a chapter defines only what it is about."""
    defining, cells = [], before_the_exercises(chapter)
    for cell in cells:
        tree = ast.parse(freshness.python_of(cell))
        if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree)):
            defining.append(cell.execution_count)
    assert len(defining) <= max(2, 0.15 * len(cells)), f"cells {defining} define functions or classes"


def test_costs_were_measured(chapter: Chapter) -> None:
    costs = json.loads((ROOT / "book" / "results" / "costs.json").read_text(encoding="utf-8"))
    assert costs[chapter.name]["cpu_seconds"] < 90, "a chapter takes less than 90 s"
    assert costs[chapter.name]["peak_memory_mb"] > 0
