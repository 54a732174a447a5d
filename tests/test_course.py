"""The course page: minutes add up, and what a card or a plan names is there."""

import re

import pytest
from chapters import BOOK, cells

COURSE = (BOOK / "course.md").read_text(encoding="utf-8")
CARDS = dict(re.findall(r"^### (M\d)\. (.+?)(?=^##)", COURSE, re.MULTILINE | re.DOTALL))


def minutes(text: str) -> list[int]:
    """The first column of the tables of a text."""
    return [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_the_minutes_of_a_meeting_add_up(card: str) -> None:
    assert sum(minutes(card)) == 90


def test_so_do_those_of_the_lecture() -> None:
    (lecture,) = re.findall(r"### One lecture(.+?)### One day", COURSE, re.DOTALL)
    assert sum(minutes(lecture)) == 90


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_homework_adds_up(card: str) -> None:
    (total, tasks) = re.findall(r"\*\*Homework \((\d+) minutes\):\*\* (.+)", card)[0]
    spent = 0
    for part in re.split(r"\), ", tasks):
        (each,) = re.findall(r"\((\d+)", part + ")")
        spent += int(each) * (part.count("{numref}") if "each" in part else 1)
    assert spent == int(total)


def test_each_chapter_has_a_card_and_the_semester_uses_all() -> None:
    assert list(CARDS) == [f"M{number}" for number in range(1, 10)]
    for number, card in enumerate(CARDS.values(), start=1):
        assert re.search(rf"\({number:02}_\w+\.ipynb\)", card)
    (semester,) = re.findall(r"### A semester(.+?)## The meetings", COURSE, re.DOTALL)
    assert all(f"[{card}](#" in semester for card in CARDS)


def test_exercises_figures_and_equations_of_a_card_are_those_of_its_chapter() -> None:
    for number, card in enumerate(CARDS.values(), start=1):
        text = "\n".join(cell.source + str(cell.metadata.get("mystnb", "")) for cell in cells(number))
        for label in re.findall(r"`((?:ex|fig|eq)-[\w-]+)`", card):
            assert label in text, f"chapter {number} has no {label}"


def test_it_names_what_students_get_wrong_on_every_card() -> None:
    for name, card in CARDS.items():
        assert len(re.findall(r"\*\"", card)) >= 3 and "**What usually goes wrong.**" in card, name
