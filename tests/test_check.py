"""The self-checks of exercises: the tables of all chapters, and what `exercise` says."""

import importlib
import inspect

import pytest

from pcltut import check


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


def test_each_check_lies_in_the_file_of_its_chapter() -> None:
    for id, function in check.checks().items():
        chapter, number = map(int, id.split("."))
        assert number >= 1
        module = importlib.import_module(f"pcltut.check.chapter_{chapter:02d}")
        assert id in module.CHECKS
        assert len(inspect.signature(function).parameters) == 1
