"""Writes the student's and the teacher's edition of the book, from the same chapters as the reader's.

    python book/_tools/editions.py [student|teacher]     both by default, into `_build/editions/`

The student's has a cell to write into in the place of each solution: neither its pages nor their sources, downloads and
search index hold one. The teacher's has the solutions open, and the notes of `book/teaching` as pages of their own.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from exercises import CODE, SOLUTION, Exercise, exercises, joined, split

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "_build" / "editions"
BUILD = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "-W", "-n", "--keep-going"]


# --- chapters ---


def student(notebook):
    """The chapter with a cell to write into in the place of each solution."""
    by_label = {exercise.label: exercise for exercise in exercises(notebook)}
    text = SOLUTION.sub(lambda found: to_write_into(by_label[found["label"]]), joined(notebook))
    return with_cells(notebook, split(text, notebook))


def to_write_into(exercise: Exercise) -> str:
    if exercise.kind == "code":
        return ""  # the stub is there already
    if exercise.kind == "number" or exercise.check:
        return CODE.format(f"answer = ...  # exercise {exercise.id}\n{exercise.check}")
    return f"*Your {exercise.kind}, exercise {exercise.id}, goes here.*"


def teacher(notebook):
    """The chapter with its solutions open."""
    text = SOLUTION.sub(lambda found: found[0].replace(":class: dropdown\n", "", 1), joined(notebook))
    return with_cells(notebook, split(text, notebook))


def with_cells(notebook, cells: list):
    """A copy of `notebook` with other cells. It says nothing of its hashes, since nobody executes it again."""
    made = nbformat.v4.new_notebook(cells=cells, metadata=dict(notebook.metadata))
    made.metadata.pop("pcltut", None)
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
    return made


# --- the book ---

CHAPTER = {"student": student, "teacher": teacher}
TITLE = {"student": "student's edition", "teacher": "teacher's edition"}


def write_source(edition: str, source: Path) -> None:
    """All that a build of the edition reads."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(
        ROOT / "book", source / "book", ignore=shutil.ignore_patterns("__pycache__", ".*", "*.ipynb", "teaching")
    )
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        made = CHAPTER[edition](nbformat.read(path, as_version=4))
        nbformat.write(made, source / "book" / path.name)
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    config = re.sub(r'^title: "(.*)"$', rf'title: "\1 ({TITLE[edition]})"', config, flags=re.MULTILINE)
    (source / "_config.yml").write_text(config, encoding="utf-8")
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    if edition == "teacher":
        shutil.copytree(
            ROOT / "book" / "teaching", source / "book" / "teaching", ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
        pages = sorted((source / "book" / "teaching").glob("*.md"))
        contents += "  - caption: For the teacher\n    chapters:\n"
        contents += "".join(f"      - file: book/teaching/{page.stem}\n" for page in pages)
    (source / "_toc.yml").write_text(contents, encoding="utf-8")
    if (vendored := ROOT / "_build" / "vendor").is_dir():
        shutil.copytree(vendored, source / "_build" / "vendor")


def build(edition: str, target: Path) -> Path:
    """Render an edition; returns the folder of its pages."""
    source, html = target / "source", target / "html"
    write_source(edition, source)
    subprocess.run([*BUILD, "--path-output", str(target / "work"), str(source)], check=True)
    shutil.rmtree(html, ignore_errors=True)
    shutil.move(target / "work" / "_build" / "html", html)
    shutil.rmtree(target / "work")
    return html


def main() -> None:
    for edition in sys.argv[1:] or list(CHAPTER):
        html = build(edition, TARGET / edition)
        print(f"The {TITLE[edition]}: {(html / 'index.html').as_uri()}")


if __name__ == "__main__":
    main()
