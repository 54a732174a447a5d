"""Writes nbgrader assignments, one a chapter, from the chapters' exercises and `book/teaching/graded_NN.py`.

    python book/_tools/assignments.py [FOLDER]

makes a course folder of nbgrader (default `_build/assignments`): `source/` holds the teacher's notebooks with solutions
and hidden tests, `release/`, which nbgrader derives from it, the students'. In each notebook a student writes the
chapter's functions, answers the variants (their numbers follow from the student's number), derives and experiments.
"""

import ast
import functools
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from exercises import Exercise, exercises, joined

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))
TEACHING = ROOT / "book" / "teaching"
POINTS = {"check": 1, "hidden": 2, "derivation": 5, "experiment": 10}
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "langevin-predictive-coding"
c.ExecutePreprocessor.timeout = 300
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your lines here"}
c.ClearSolutions.text_stub = "Your answer here."
"""
OWN_NUMBER = """\
from pathlib import Path
folder = Path.cwd().parent.name  # nbgrader puts a submission into a folder with the student's id
assert not folder.isdigit() or int(folder) == student, "write your own number into `student`"
"""


@dataclass(frozen=True)
class Variant:
    """A graded task whose numbers are drawn from the student's number."""

    id: str  # "3.A"
    title: str
    points: int
    text: str  # it names the numbers as code and asks for one number, `answer`
    numbers: dict[str, Sequence]  # the values that each may have
    solution: Callable[..., float]  # the right answer; its source becomes the hidden test, so it imports what it needs
    wrong: Callable[..., float]  # the answer that usually goes wrong


def graded(chapter: int):
    """The module `book/teaching/graded_NN.py`: its VARIANTS and HIDDEN."""
    path = TEACHING / f"graded_{chapter:02d}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- cells ---


def cell(kind: str, source: str, name: str, points: int | None = None, solution: bool = False):
    """A cell with nbgrader's metadata: the student may change it only if it asks for a solution."""
    made = (nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell)(source.strip())
    marks = {"grade": points is not None, "locked": not solution, "solution": solution, "task": False}
    made.metadata["nbgrader"] = marks | {"grade_id": name, "schema_version": 3}
    if points is not None:
        made.metadata["nbgrader"]["points"] = points
    return made


def between(what: str, source: str, indent: str = "") -> str:
    return f"{indent}### BEGIN {what}\n{source.rstrip()}\n{indent}### END {what}"


def hidden(source: str) -> str:
    return between("HIDDEN TESTS", source)


def code_cells(exercise: Exercise, hidden_test: Callable) -> list:
    """The stub, in which nbgrader finds the solution, the check that students see, and the one that they do not."""
    name, key = exercise.function, exercise.label
    signature = exercise.stub.partition("raise NotImplementedError")[0].rstrip()
    body = body_of(exercise.solution_code[-1], name)
    shown = f'mistake = check.checks()["{exercise.id}"]({name})\nassert mistake is None, mistake'
    unseen = f"{source_of(hidden_test)}\n{hidden_test.__name__}({name})"
    return [
        cell("code", f"{signature}\n{between('SOLUTION', body, indent='    ')}", key, solution=True),
        cell("code", shown, f"{key}-check", POINTS["check"]),
        cell("code", hidden(unseen), f"{key}-hidden", POINTS["hidden"]),
    ]


def variant_cells(variant: Variant) -> list:
    key, name = f"task-{variant.id.replace('.', '-')}", variant.solution.__name__
    choices = ", ".join(f"{number}={list(values)!r}" for number, values in variant.numbers.items())
    numbers = f'numbers = check.variant("{variant.id}", student, {choices})'
    source = source_of(variant.solution)
    test = f"""{OWN_NUMBER}import math
{source}
{numbers}
assert math.isclose(float(answer), {name}(**numbers), rel_tol=0.005)"""
    shown = 'assert answers.numbers(answer, 1) is not None, "assign one number to `answer`"'
    return [
        cell("markdown", f"## {variant.id} {variant.title} ({variant.points} points)\n\n{variant.text}", f"{key}-text"),
        cell("code", f"{numbers}\nanswer = None\nprint(numbers)", f"{key}-numbers"),
        cell("code", between("SOLUTION", f"{source}\nanswer = {name}(**numbers)"), key, solution=True),
        cell("code", f"{shown}\n{hidden(test)}", f"{key}-test", variant.points),
    ]


def open_cells(exercise: Exercise) -> list:
    """A derivation or an experiment: written by the student, marked by the teacher."""
    answer = cell("markdown", plain(exercise.solution), exercise.label, POINTS[exercise.kind], solution=True)
    if exercise.kind == "derivation":
        return [answer]
    code = between("SOLUTION", "\n".join(exercise.solution_code))
    return [cell("code", code, f"{exercise.label}-code", solution=True), answer]


def source_of(function: Callable) -> str:
    return textwrap.dedent(inspect.getsource(function))


def body_of(source: str, name: str) -> str:
    """The lines of function `name` below its signature and docstring."""
    (function,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name]
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return "\n".join(source.splitlines()[statements[0].lineno - 1 : function.end_lineno])


# --- text ---


@functools.cache
def equation_numbers() -> dict[str, str]:
    """What each labelled equation of the book is called on its page, such as (3.2)."""
    numbers = {}
    for path in CHAPTERS:
        labels = re.findall(r"^:label: (eq-\S+)$", joined(nbformat.read(path, as_version=4)), flags=re.MULTILINE)
        numbers |= {label: f"({int(path.stem[:2])}.{number})" for number, label in enumerate(labels, start=1)}
    return numbers


def plain(text: str) -> str:
    """Text without the roles of the book, which a bare notebook would show as they are written."""
    text = re.sub(r"\{eq\}`([^`]+)`", lambda found: equation_numbers()[found[1]], text)
    text = re.sub(r"\{numref\}`ex-(\d+)-(\d+)`", lambda found: f"exercise {int(found[1])}.{found[2]}", text)
    text = re.sub(r" ?\{cite:[pt]\}`[^`]+`", "", text)
    return re.sub(r"\{[\w:-]+\}`~?([^`]+)`", r"`\1`", text)


# --- notebooks ---


def assignment(path: Path):
    """The teacher's notebook of a chapter."""
    chapter, tasks = nbformat.read(path, as_version=4), graded(int(path.stem[:2]))
    title = chapter.cells[0].source.partition("# ")[2].partition("\n")[0]
    intro = (
        f"# Assignment: {title}\n\nWrite your student number into the next cell: your numbers follow from it. Fill in "
        "the cells that say so, and run the notebook from top to bottom before you hand it in."
    )
    cells = [
        cell("markdown", intro, f"intro-{path.name[:2]}"),
        nbformat.v4.new_code_cell("student = 1  # your student number"),
        cell("code", imports_of(chapter), f"imports-{path.name[:2]}"),
    ]
    for exercise in exercises(chapter):
        if exercise.kind != "number":
            cells.append(
                cell(
                    "markdown", f"## {exercise.id} {exercise.title}\n\n{plain(exercise.text)}", f"{exercise.label}-text"
                )
            )
        if exercise.kind == "code":
            cells += code_cells(exercise, tasks.HIDDEN[exercise.id])
        elif exercise.kind != "number":
            cells += open_cells(exercise)
    for variant in tasks.VARIANTS:
        cells += variant_cells(variant)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    for number, made in enumerate(notebook.cells):
        made.id = f"cell-{number}"
    return notebook


def imports_of(chapter) -> str:
    """All imports of the chapter, each once, and what the stubs and tests need."""
    lines = dict.fromkeys(
        [
            "import torch",
            "from collections.abc import Callable",
            "from torch import Tensor",
            "from pcltut import check",
            "from pcltut.check import answers",
        ]
    )
    for made in chapter.cells:
        if made.cell_type == "code":
            tree = ast.parse(made.source)
            lines |= dict.fromkeys(
                ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
            )
    return "\n".join(lines)


def write(folder: Path, name: str, notebook) -> None:
    """Put the teacher's notebook of an assignment into a course folder."""
    (folder / "source" / name).mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    nbformat.write(notebook, folder / "source" / name / f"{name}.ipynb")


def release(folder: Path, name: str) -> None:
    """Let nbgrader derive what students get."""
    nbgrader(folder, "generate_assignment", name, "--force", "--create")


def nbgrader(folder: Path, *arguments: str) -> None:
    """Run a command of nbgrader in a course folder."""
    command = [sys.executable, "-m", "nbgrader", *arguments, "--log-level=ERROR"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": search_path()}, check=True)


def search_path() -> str:
    """Where commands lie: nbgrader calls alembic, which is beside this Python."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "assignments"
    for path in CHAPTERS:
        name = f"chapter_{path.name[:2]}"
        write(folder, name, assignment(path))
        release(folder, name)
        print(f"{name}: written, for students in {folder / 'release' / name}")


if __name__ == "__main__":
    main()
