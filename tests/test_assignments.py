"""Assignments in nbgrader: a solved notebook gets full marks, a wrong one less, and neighbors have other answers."""

import itertools
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import assignments  # noqa: E402
from exercises import exercises  # noqa: E402

from pcltut.check import variant  # noqa: E402

TASKS = {path.stem: assignments.graded(int(path.stem[:2])) for path in assignments.CHAPTERS}
VARIANTS = [task for tasks in TASKS.values() for task in tasks.VARIANTS]
each_variant = pytest.mark.parametrize("task", VARIANTS, ids=lambda task: task.id)
SOLVED, WRONG = 7, 8  # the numbers of two students
NAME, FILE = "all", "all/all.ipynb"


@pytest.mark.parametrize("path", assignments.CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_has_two_variants_and_a_hidden_test_for_each_stub(path: Path) -> None:
    stubs = [exercise.id for exercise in exercises(nbformat.read(path, as_version=4)) if exercise.kind == "code"]
    assert list(TASKS[path.stem].HIDDEN) == stubs
    assert [task.id for task in TASKS[path.stem].VARIANTS][:2] == [f"{int(path.stem[:2])}.{letter}" for letter in "AB"]


@each_variant
def test_neighbors_have_different_numbers_and_answers(task: assignments.Variant) -> None:
    drawn = [variant(task.id, student, **task.numbers) for student in range(1, 201)]
    answers = [task.solution(**numbers) for numbers in drawn]
    for (first, one), (second, other) in itertools.pairwise(zip(drawn, answers, strict=True)):
        assert first != second
        assert abs(one - other) > 0.01 * min(abs(one), abs(other)), f"{first} and {second} have one answer, {one}"


@each_variant
def test_the_usual_mistake_is_no_answer(task: assignments.Variant) -> None:
    for combination in itertools.product(*task.numbers.values()):
        numbers = dict(zip(task.numbers, combination, strict=True))
        right, wrong = task.solution(**numbers), task.wrong(**numbers)
        assert abs(wrong - right) > 0.01 * abs(right), numbers


def test_a_variant_is_the_same_each_time_and_uses_all_combinations() -> None:
    drawn = [tuple(variant("3.A", student, a=[1, 2, 3], b=[4, 5]).values()) for student in range(1, 7)]
    assert sorted(drawn) == sorted(itertools.product([1, 2, 3], [4, 5]))
    assert drawn == [tuple(variant("3.A", student, a=[1, 2, 3], b=[4, 5]).values()) for student in range(1, 7)]
    with pytest.raises(ValueError, match="write your student number"):
        variant("3.A", 0, a=[1])


# --- the round trip ---


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose one assignment holds those of all chapters, with a solved and a wrong submission, autograded."""
    folder = tmp_path_factory.mktemp("course")
    everything = assignments.assignment(assignments.CHAPTERS[0])
    for path in assignments.CHAPTERS[1:]:
        everything.cells += assignments.assignment(path).cells
    for number, cell in enumerate(everything.cells):
        cell.id = f"cell-{number}"
    assignments.write(folder, NAME, everything)
    assignments.release(folder, NAME)
    submit(folder, SOLVED, as_student(nbformat.read(folder / "source" / FILE, as_version=4), SOLVED))
    submit(folder, WRONG, with_mistakes(nbformat.read(folder / "release" / FILE, as_version=4)))
    assignments.nbgrader(folder, "autograde", NAME)
    return folder


def submit(folder: Path, student: int, notebook) -> None:
    target = folder / "submitted" / str(student) / FILE
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


def as_student(notebook, student: int):
    for cell in notebook.cells:
        if cell.source.startswith("student = "):
            cell.source = f"student = {student}"
    return notebook


def with_mistakes(notebook):
    """Stubs left alone, and the usual wrong answer to each variant."""
    as_student(notebook, WRONG)
    for task in VARIANTS:
        (cell,) = [cell for cell in notebook.cells if grade_id(cell) == f"task-{task.id.replace('.', '-')}"]
        cell.source = f"answer = {task.wrong(**variant(task.id, WRONG, **task.numbers))!r}"
    return notebook


def grade_id(cell) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


@pytest.fixture(autouse=True)
def alembic_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", assignments.search_path())


def marks(course: Path, student: int) -> dict[str, tuple[float, float]]:
    """Points and most points of each cell that nbgrader marks by itself."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        notebook = book.find_submission_notebook(NAME, NAME, str(student))
        grades = [grade for grade in notebook.grades if grade.cell.cell_type == "code"]
        return {grade.name: (grade.score, grade.max_score) for grade in grades}


def most_points() -> dict[str, float]:
    """Of each cell that nbgrader marks by itself, from the tasks."""
    expected = {f"task-{task.id.replace('.', '-')}-test": task.points for task in VARIANTS}
    for path in assignments.CHAPTERS:
        for exercise in exercises(nbformat.read(path, as_version=4)):
            if exercise.kind == "code":
                expected |= {f"{exercise.label}-{part}": assignments.POINTS[part] for part in ("check", "hidden")}
    return expected


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's, about sessions of its own
def test_a_solved_notebook_gets_full_marks_and_a_wrong_one_none(course: Path) -> None:
    assert marks(course, SOLVED) == {cell: (points, points) for cell, points in most_points().items()}
    assert marks(course, WRONG) == {cell: (0, points) for cell, points in most_points().items()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_students_get_no_solution_and_no_hidden_test(course: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(course / "release" / FILE, as_version=4).cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text
    hidden = [task.solution for task in VARIANTS] + [test for tasks in TASKS.values() for test in tasks.HIDDEN.values()]
    assert not [function.__name__ for function in hidden if f"def {function.__name__}(" in text]
    assert text.count("raise NotImplementedError") >= len(hidden)
