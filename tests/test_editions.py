"""The student's edition holds no solution, wherever one looks; the teacher's has them open, and the notes."""

import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from book_build import ROOT, built_book, fetch_page_scripts
from bs4 import BeautifulSoup

sys.path.insert(0, str(ROOT / "book" / "_tools"))

import editions
from assignments import graded, source_of
from exercises import SOLUTION, exercises, joined

from pcltut.check import variant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CHAPTERS = sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))
READ = {".html", ".ipynb", ".md", ".txt", ".js", ".json", ".py", ".csv"}


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@functools.cache
def text_of(path: Path) -> str:
    """What a reader or a search can find in a file, without white space."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        text = BeautifulSoup(text, "html.parser").get_text()
    elif path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)
    return squeezed(text)


def files(folder: Path) -> Iterator[Path]:
    """What is made from the chapters; the theme's scripts and styles, which come with it, are not."""
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix in READ)
    return (path for path in paths if not {"third-party", "_static"} & set(path.parts))


def found_in(folder: Path, secrets: dict[str, str]) -> dict[str, str]:
    """The secrets that some file of a folder gives away, with that file's name."""
    texts = {path.relative_to(folder).as_posix(): text_of(path) for path in files(folder)}
    return {name: file for name, secret in secrets.items() for file, text in texts.items() if squeezed(secret) in text}


def longest(pieces: list[str], elsewhere: str) -> str:
    """The longest piece that says something of its own."""
    return max((piece for piece in pieces if squeezed(piece) not in squeezed(elsewhere)), key=len, default="")


def secrets_of_solutions() -> dict[str, str]:
    """For each exercise the longest line of its solution's code, and the longest passage of its words."""
    secrets = {}
    for path in CHAPTERS:
        notebook = nbformat.read(path, as_version=4)
        rest = SOLUTION.sub("", joined(notebook)) + "\n".join(
            cell.source for cell in editions.student(notebook).cells if cell.cell_type == "code"
        )
        for exercise in exercises(notebook):
            lines = "\n".join(exercise.solution_code).splitlines()
            code = longest([line for line in lines if "check.exercise" not in line], rest)
            words = longest(re.split(r"[^\w ,.:;?()-]|\n", exercise.solution), rest)
            secrets |= {f"{exercise.id} code": code, f"{exercise.id} words": words}
    return {name: secret for name, secret in secrets.items() if len(squeezed(secret)) >= 20}


def secrets_of_graded_tasks() -> dict[str, str]:
    """Each right formula, each hidden test, and the answers of the first students."""
    secrets = {}
    for path in CHAPTERS:
        tasks = graded(int(path.stem[:2]))
        functions = [task.solution for task in tasks.VARIANTS] + list(tasks.HIDDEN.values())
        secrets |= {function.__name__: longest(source_of(function).splitlines()[1:], "") for function in functions}
        for task in tasks.VARIANTS:
            for student in range(1, 6):
                answer = f"{task.solution(**variant(task.id, student, **task.numbers)):.7g}"
                if len(answer.strip("-0.").replace(".", "")) >= 6:
                    secrets[f"{task.id} of student {student}"] = answer
    return secrets


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both editions, rendered: pages, sources and search index."""
    fetch_page_scripts()
    return {edition: editions.build(edition, tmp_path_factory.mktemp(edition)) for edition in editions.CHAPTER}


def test_each_exercise_has_a_secret() -> None:
    solved = {name.split()[0] for name in secrets_of_solutions()}
    assert solved == {exercise.id for path in CHAPTERS for exercise in exercises(nbformat.read(path, as_version=4))}


def test_the_search_for_secrets_finds_those_of_the_readers_edition() -> None:
    secrets = secrets_of_solutions()
    assert found_in(built_book() / "book", secrets).keys() == secrets.keys()


def test_the_students_edition_gives_nothing_away(pages: dict[str, Path]) -> None:
    secrets = secrets_of_solutions() | secrets_of_graded_tasks()
    assert found_in(pages["student"], secrets) == {}
    assert found_in(pages["student"].parent / "source", secrets) == {}


def test_the_package_holds_no_answer_of_a_graded_task() -> None:
    assert found_in(ROOT / "pcltut", secrets_of_graded_tasks()) == {}


@pytest.mark.parametrize("where", ["book/03_langevin.html", "_sources/book/03_langevin.ipynb", "searchindex.js"])
def test_a_solution_that_is_put_back_is_found(pages: dict[str, Path], where: str, tmp_path: Path) -> None:
    (name, secret), *_ = [item for item in secrets_of_solutions().items() if item[0].startswith("3.1 ")]
    target = tmp_path / Path(where).name
    if target.suffix == ".ipynb":
        notebook = nbformat.read(pages["student"] / where, as_version=4)
        notebook.cells.append(nbformat.v4.new_markdown_cell(secret))
        nbformat.write(notebook, target)
    else:
        target.write_text((pages["student"] / where).read_text(encoding="utf-8") + secret, encoding="utf-8")
    assert found_in(tmp_path, {name: secret}) == {name: target.name}


def test_students_have_a_place_to_write_for_each_exercise(pages: dict[str, Path]) -> None:
    for path in CHAPTERS:
        notebook = nbformat.read(pages["student"] / "_sources" / "book" / path.name, as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells)
        for exercise in exercises(nbformat.read(path, as_version=4)):
            if exercise.check:
                assert exercise.check in text
            else:
                assert f"exercise {exercise.id}, goes here" in text


def test_the_teacher_sees_open_solutions_and_the_notes(pages: dict[str, Path]) -> None:
    for path in CHAPTERS:
        page = BeautifulSoup(
            (pages["teacher"] / "book" / f"{path.stem}.html").read_text(encoding="utf-8"), "html.parser"
        )
        assert len(page.select(".solution")) == len(exercises(nbformat.read(path, as_version=4)))
        assert not page.select(".solution.dropdown")
    for notes in sorted((ROOT / "book" / "teaching").glob("*.md")):
        assert (pages["teacher"] / "book" / "teaching" / f"{notes.stem}.html").is_file()
