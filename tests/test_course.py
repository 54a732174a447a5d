"""The course page: minutes and points add up, and what a card, a plan or a project names is there."""

import json
import re
from pathlib import Path

import pytest
import torch
from chapters import BOOK, cells, prose
from test_howto import draw_pictures

from pcltut.experiments import find_experiment

COURSE = (BOOK / "course.md").read_text(encoding="utf-8")
CARDS = dict(re.findall(r"^### (M\d)\. (.+?)(?=^##)", COURSE, re.MULTILINE | re.DOTALL))
each_card = pytest.mark.parametrize("name", CARDS)


def part(begin: str, end: str) -> str:
    """What stands between two headings."""
    return re.search(rf"^#+ {begin}$(.+?)^#+ {end}$", COURSE, re.MULTILINE | re.DOTALL)[1]


def first_column(text: str) -> list[int]:
    """The numbers with which the rows of tables begin."""
    return [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]


def chapter(name: str) -> Path:
    """The notebook of a card."""
    return next(BOOK.glob(f"{int(name[1:]):02}_*.ipynb"))


def slug(heading: str) -> str:
    """The anchor that a heading has on its page."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def headings(text: str) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)}


# --- time ---


@each_card
def test_the_minutes_of_a_meeting_add_up(name: str) -> None:
    assert sum(map(int, re.findall(r"^- \*\*(\d+) min\. ", CARDS[name], re.MULTILINE))) == 90


def test_so_do_those_of_the_lecture_and_of_the_day() -> None:
    assert sum(first_column(part("One lecture, 90 minutes", "One day"))) == 90
    for row in re.findall(r"^\| \d \| 90 \|(.+)", part("One day", "Four weeks"), re.MULTILINE):
        minutes = [int(number) for number in re.findall(r"\((\d+)\)", row)]
        assert sum(minutes) in (0, 90), row


@each_card
def test_homework_adds_up(name: str) -> None:
    (total, tasks) = re.findall(r"\*\*Homework \((\d+)\s+minutes\):\*\*(.+?)\n\n", CARDS[name] + "\n\n", re.DOTALL)[0]
    spent = 0
    for task in re.split(r"\),\s", tasks):
        (each,) = re.findall(r"\((\d+)", task + ")")
        spent += int(each) * (task.count("{numref}") if "each" in task else 1)
    assert spent == int(total)


@each_card
def test_a_card_says_about_how_long_its_notebook_runs(name: str) -> None:
    measured = json.loads((BOOK / "results" / "costs.json").read_text(encoding="utf-8"))
    seconds = int(re.search(r"\.ipynb\) once \((\d+) s\)", CARDS[name])[1])
    assert seconds == pytest.approx(measured[chapter(name).stem]["cpu_seconds"], rel=0.2, abs=3)


# --- what is named ---


def test_each_chapter_has_a_card_and_the_semester_uses_all() -> None:
    assert list(CARDS) == [f"M{number}" for number in range(1, 10)]
    assert set(re.findall(r"\[(M\d)\]", part("A semester with a project", "The meetings"))) == set(CARDS)


def test_links_within_the_page_lead_to_its_headings() -> None:
    links = set(re.findall(r"\]\(#([\w-]+)\)", COURSE))
    assert links and links <= headings(COURSE)


@each_card
def test_sections_deck_figures_and_equations_of_a_card_are_those_of_its_chapter(name: str) -> None:
    number, card = int(name[1:]), CARDS[name]
    text = "\n".join(cell.source + str(cell.metadata.get("mystnb", "")) for cell in cells(number))
    assert f"deck `{chapter(name).stem}.html`" in card
    sections = re.findall(rf"\({chapter(name).name}#([\w-]+)\)", card)
    assert len(sections) >= 4 and set(sections) <= headings(prose(number))
    assert all(label in text for label in re.findall(r"`((?:fig|eq)-[\w-]+)`", card))


def test_exercises_are_there() -> None:
    asked = {
        label for number in range(1, 10) for label in re.findall(r"^:label: (ex-\S+)", prose(number), re.MULTILINE)
    }
    assert set(re.findall(r"`(ex-\d\d-\d+)`", COURSE)) <= asked
    for name, card in CARDS.items():
        own = [label for label in re.findall(r"`ex-(\d\d)-\d+`", card) if int(label) == int(name[1:])]
        assert len(own) >= 4, f"{name} has exercises for the class and for home"


@each_card
def test_a_card_says_what_usually_goes_wrong_and_what_may_be_left_out(name: str) -> None:
    wrong = CARDS[name].partition("**What usually goes wrong.**")[2].partition("**If time is short,**")
    assert len(re.findall(r"\*\"", wrong[0])) >= 3 and "never" in wrong[2]


def test_points_and_weights_add_up() -> None:
    marking = part("Marking", "What usually goes wrong with the course itself")
    assert sum(first_column(marking)) == 40 and "**Project, 40 points.**" in marking
    weights = re.findall(r"^\| .+ \| (?:(\d+) %)? ?\| (\d+) % \|$", marking, re.MULTILINE)
    assert [sum(int(weight or 0) for weight in column) for column in zip(*weights, strict=True)] == [100, 100]


# --- projects ---


def test_the_first_steps_of_projects_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_shape_checks) -> None:
    draw_pictures(tmp_path / "pictures", 5)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PCLTUT_PROGRESS", "0")
    begin, *steps = re.findall(r"^```python\n(.+?)^```", part("Projects", "Marking"), re.MULTILINE | re.DOTALL)
    assert len(steps) >= 6
    with torch.random.fork_rng():
        for step in steps:
            names: dict = {"__name__": "course"}
            exec(compile(begin + step, "course.md", "exec"), names)
            assert "history" not in names or torch.isfinite(names["history"].loss).all()


def test_the_commands_of_projects_name_rows_that_are_declared() -> None:
    commands = re.findall(r"python -m pcltut experiment (\S+?)(?: --only (\S+))?(?=[\s`])", part("Projects", "Marking"))
    assert len(commands) >= 5
    for experiment, row in commands:
        methods = find_experiment(experiment).methods
        assert not row or row in [method.key for method in methods]
