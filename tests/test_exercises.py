"""The exercises of each chapter: how many, how hard, of which kinds, and what their self-checks tell apart."""

import sys
from pathlib import Path

import nbformat
import pytest
from test_check import CHECKS, answers, wrong

from pcltut.check.answers import Check
from pcltut.check.code import Code

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

from exercises import Exercise, exercises  # noqa: E402

PATHS = sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))
CHAPTERS = {path.stem: exercises(nbformat.read(path, as_version=4)) for path in PATHS}
each_chapter = pytest.mark.parametrize("found", CHAPTERS.values(), ids=CHAPTERS)
CODE = [exercise for found in CHAPTERS.values() for exercise in found if exercise.kind == "code"]
each_stub = pytest.mark.parametrize("exercise", CODE, ids=lambda exercise: exercise.id)


def of_kind(found: list[Exercise], kind: str) -> list[Exercise]:
    return [exercise for exercise in found if exercise.kind == kind]


@each_chapter
def test_there_are_eight_or_more_of_all_kinds(found: list[Exercise]) -> None:
    assert len(found) >= 8
    assert {exercise.kind for exercise in found} <= {"number", "code", "derivation", "experiment"}
    assert len(of_kind(found, "code")) >= 2
    assert of_kind(found, "derivation") and of_kind(found, "experiment")


@each_chapter
def test_stars_rise_from_one_to_three(found: list[Exercise]) -> None:
    stars = [exercise.stars for exercise in found]
    assert stars == sorted(stars) and set(stars) == {1, 2, 3}, stars


@each_chapter
def test_numbers_follow_the_order_of_the_page(found: list[Exercise]) -> None:
    assert [int(exercise.id.split(".")[1]) for exercise in found] == list(range(1, len(found) + 1))


@each_chapter
def test_each_has_a_solution_and_all_but_the_open_ones_a_check(found: list[Exercise]) -> None:
    for exercise in found:
        assert exercise.solution or exercise.solution_code, exercise.id
        if exercise.kind in ("number", "code"):
            assert exercise.check and exercise.id in CHECKS, exercise.id
            assert exercise.solution_code and f'check.exercise("{exercise.id}"' in exercise.solution_code[-1]


@each_chapter
def test_an_open_experiment_says_what_a_good_answer_finds(found: list[Exercise]) -> None:
    for exercise in of_kind(found, "experiment"):
        assert "**What a good answer finds.**" in exercise.solution, exercise.id
        assert "**Rubric**" in exercise.solution, exercise.id


@each_chapter
def test_each_check_names_two_mistakes(found: list[Exercise]) -> None:
    for exercise in found:
        if exercise.id in CHECKS:
            check = CHECKS[exercise.id]
            otherwise = check.otherwise if isinstance(check, Check) else None
            named = {check(answer) for answer, _ in wrong(exercise.id)} - {otherwise}
            assert len(named) >= 2, f"{exercise.id} names {named}"


@each_stub
def test_a_stub_is_short_and_fails_its_check(exercise: Exercise) -> None:
    assert isinstance(CHECKS[exercise.id], Code)
    assert exercise.stub.rstrip().splitlines()[-1] == exercise.check
    space = {"check": type("check", (), {"exercise": staticmethod(lambda id, function: None)})}
    exec("from collections.abc import Callable\nimport torch\nfrom torch import Tensor\n" + exercise.stub, space)
    assert CHECKS[exercise.id](space[exercise.function]).startswith("The stub still stands")


@each_stub
def test_the_solution_of_a_stub_passes_and_three_wrong_codes_are_told_apart(exercise: Exercise) -> None:
    assert f"def {exercise.function}(" in exercise.solution_code[-1]
    right = answers("right", exercise.id.split(".")[0])[exercise.id]
    assert right and [CHECKS[exercise.id](function) for function in right] == [None] * len(right)
    codes = {hint for answer, hint in wrong(exercise.id) if callable(answer)}
    assert len(codes - {CHECKS[exercise.id].otherwise}) >= 3, f"{exercise.id}: {codes}"
