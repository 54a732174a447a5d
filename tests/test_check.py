"""Self-checks: what `exercise` says, how answers are read, and each chapter's right and wrong answers."""

import functools
import importlib
import math

import numpy as np
import pytest
import torch
from answers.chapter_04 import TOY, X
from oracles import seeded

from pcltut import check
from pcltut.check.answers import TOO_FEW_DIGITS, Between, Check, index_lists, numbers
from pcltut.evaluation import ula_path_bound
from pcltut.models import DiagonalGaussian

CHECKS = check.checks()
NO_ANSWERS = ["a word", None, math.nan, math.inf, 10**400, 1j, {}, [], [[1.0], 2.0], [[math.inf], [0], [1]], [1.0] * 4]
TABLES = {id: entry for id, entry in CHECKS.items() if isinstance(entry, Check)}
each_exercise = pytest.mark.parametrize("id", CHECKS)
each_table = pytest.mark.parametrize("id", TABLES)


@functools.cache
def answers(kind: str, chapter: str) -> dict[str, list] | list[tuple[str, object, str]]:
    """What `tests/answers/chapter_NN.py` derives: the `right` answers, or the `wrong` ones with their hints."""
    return getattr(importlib.import_module(f"answers.chapter_{int(chapter):02d}"), kind)()


def wrong(id: str) -> list[tuple[object, str]]:
    return [(answer, hint) for other, answer, hint in answers("wrong", id.split(".")[0]) if other == id]


@each_exercise
def test_right_answers_pass_in_any_form(id: str) -> None:
    right = answers("right", id.split(".")[0])[id]
    assert right and [CHECKS[id](answer) for answer in right] == [None] * len(right)


@each_exercise
def test_each_mistake_gets_its_hint(id: str) -> None:
    for answer, hint in wrong(id):
        said = CHECKS[id](answer)
        assert said is not None and hint in said, f"{answer}: {said}"
        others = {other for _, other in wrong(id)} - {hint}
        assert not [other for other in others if other in said], f"{answer}: {said}"


@each_table
def test_each_hint_is_met_by_a_mistake(id: str) -> None:
    said = {CHECKS[id](answer) for answer, _ in wrong(id)}
    assert said >= {hint for _, hint in TABLES[id].mistakes} | {TABLES[id].otherwise}


@each_exercise
@pytest.mark.parametrize("answer", NO_ANSWERS, ids=lambda answer: str(answer)[:20])
def test_what_is_no_answer_is_refused(id: str, answer: object) -> None:
    assert CHECKS[id](answer).startswith("Give")


@each_table
def test_next_to_a_whole_number_nothing_is_right(id: str) -> None:
    right = TABLES[id].right
    for place, wanted in enumerate(right):
        if isinstance(wanted, int | float) and wanted == round(wanted):
            for near in (wanted - 1, wanted + 1):
                assert CHECKS[id]([*right[:place], near, *right[place + 1 :]]) is not None


def test_each_check_lies_in_the_file_of_its_chapter() -> None:
    for id in CHECKS:
        chapter, number = map(int, id.split("."))
        table = importlib.import_module(f"pcltut.check.chapter_{chapter:02d}").CHECKS
        assert number >= 1 and id in table
        assert answers("right", str(chapter)).keys() == table.keys()


def test_the_plain_path_bound_gives_the_answer_of_exercise_4_1() -> None:
    zeros = torch.zeros(1, 2).double()
    start = DiagonalGaussian(zeros, zeros)
    weights = ula_path_bound(TOY, X, start, 1e-7, 50, annealed=False, generator=seeded(0), num_samples=4000)
    error = weights.std().item() / 4000**0.5
    assert abs(weights.mean().item() - (-0.5 * math.log(2 * math.pi) - 12)) < 4.5 * error


FORMS = [[3, 4], (3.0, 4), torch.tensor([[3], [4]]), np.array([3.0, 4.0]), [torch.tensor(3), np.float64(4)]]


@pytest.mark.parametrize("answer", FORMS, ids=str)
def test_numbers_are_read_in_any_form(answer: object) -> None:
    assert numbers(answer, 2) == [3.0, 4.0]
    assert numbers(answer, 3) is None


@pytest.mark.parametrize(
    "answer", [[[2, 0], [5]], ({0, 2}, range(5, 6)), [torch.tensor([0, 2]), np.array([5.0])]], ids=str
)
def test_lists_of_indices_are_read_in_any_order(answer: object) -> None:
    assert index_lists(answer, 2) == [[0, 2], [5]]
    assert index_lists(answer, 3) is None


def test_floats_have_a_tolerance_ranges_have_ends_and_counts_are_met() -> None:
    about = Check(100.0, (50.0, "half"), (Between(-math.inf, 0), "sign"), otherwise="no", tolerance=0.02)
    assert [about(answer) for answer in (98.1, 102, 49.1, 0, -7, 97)] == [None, None, "half", "sign", "sign", "no"]
    count = Check(100, (Between(99, 100), "whole"), otherwise="no", tolerance=0.02)
    assert [count(answer) for answer in (100, 99.9, 99, 98.9, 101)] == [None, "whole", "whole", "no", "no"]


def test_a_right_answer_with_too_few_digits_is_asked_for_more() -> None:
    pair = Check((0.62345, 7), ((0.5, 7), "half"), otherwise="no")
    assert [pair(answer) for answer in ([0.623, 7], [0.6, 7], [0.62, 7])] == [None, TOO_FEW_DIGITS, TOO_FEW_DIGITS]
    assert [pair(answer) for answer in ([0.61, 7], [0.62, 8], [0.5, 7])] == ["no", "no", "half"]


def test_the_first_mistake_speaks_and_an_ellipsis_matches_all() -> None:
    pair = Check((1.0, 2.0), ((2.0, 1.0), "order"), ((2.0, ...), "first"), otherwise="no")
    assert [pair(answer) for answer in ([1, 2], [2, 1], [2, 7], [1, 7])] == [None, "order", "first", "no"]
    assert [pair(3), Check(1.0, otherwise="no")([1, 2])] == ["Give 2 numbers in a list.", "Give one number."]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(answer: object) -> str | None:
        return None if answer == 0.5 else "Did you forget the factor 1/2?"

    monkeypatch.setattr(check, "checks", lambda: {"9.1": half})


def test_a_right_answer_is_called_correct(table: None, capsys: pytest.CaptureFixture) -> None:
    check.exercise("9.1", 0.5)
    assert capsys.readouterr().out == "Exercise 9.1: correct\n"


def test_a_wrong_answer_names_the_mistake(table: None, capsys: pytest.CaptureFixture) -> None:
    check.exercise("9.1", 1.0)
    assert capsys.readouterr().out == "Exercise 9.1: not yet. Did you forget the factor 1/2?\n"


def test_an_unknown_id_lists_the_known_ones(table: None) -> None:
    with pytest.raises(ValueError, match=r"got exercise id '9\.7', expected one of 9\.1"):
        check.exercise("9.7", 1.0)
