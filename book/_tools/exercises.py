"""The exercises of a chapter, read from its notebook; the editions and the assignments are made from them.

An exercise is a number, or code, a derivation, an experiment (its directive's `:class:`). One that asks for code has a
gated directive: the cell between `{exercise-start}` and `{exercise-end}` is the stub. Its stars end its title.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import nbformat

CODE = "\ue000{}\ue000"  # stands for a code cell while all of a notebook's text is one string
BREAK = "\n\ue001\n"  # between two cells of text
OPTIONS = r"(?:^:[\w-]+:[^\n]*\n)*"
EXERCISE = re.compile(
    rf"^```\{{exercise\}} (?P<title>[^\n]*)\n(?P<options>{OPTIONS})(?P<text>.*?)^```$"
    rf"|^```\{{exercise-start\}} (?P<title_2>[^\n]*)\n(?P<options_2>{OPTIONS})```\n"
    r"(?P<text_2>.*?)^```\{exercise-end\}\n```$",
    re.MULTILINE | re.DOTALL,
)
SOLUTION = re.compile(
    rf"^```\{{solution-start\}} (?P<label>\S+)\n{OPTIONS}```\n(?P<text>.*?)^```\{{solution-end\}}\n```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Exercise:
    """One exercise with all that stands about it in the notebook."""

    id: str  # "3.7"
    label: str  # "ex-03-7"
    title: str  # without its stars
    stars: int
    kind: str  # number, code, derivation or experiment
    text: str  # what is asked
    stub: str | None  # the function to be written, where code is asked for
    solution: str  # the solution's text, without its code
    solution_code: tuple[str, ...]  # its code cells

    @property
    def check(self) -> str | None:
        """The call of the self-check, with `answer` or the function's name; None where there is none."""
        found = re.search(rf'check\.exercise\("{re.escape(self.id)}",\s*(.+?)\)(?:`|$)', self.text + (self.stub or ""))
        return found and f'check.exercise("{self.id}", {self.function or "answer"})'

    @property
    def function(self) -> str | None:
        """The name of the function that the stub begins."""
        return self.stub and re.search(r"^def (\w+)", self.stub, flags=re.MULTILINE)[1]


def exercises(notebook) -> list[Exercise]:
    """All exercises of a chapter, in order."""
    text = joined(notebook)
    solutions = {found["label"]: found["text"] for found in SOLUTION.finditer(text)}
    return [read(found, solutions, notebook) for found in EXERCISE.finditer(text)]


def read(found: re.Match, solutions: dict[str, str], notebook) -> Exercise:
    title, options, text = (found[name] or found[f"{name}_2"] or "" for name in ("title", "options", "text"))
    settings = dict(re.findall(r"^:([\w-]+): *(.*)$", options, flags=re.MULTILINE))
    label = settings["label"]
    chapter, number = map(int, label.split("-")[1:])
    stub = "\n".join(code_in(text, notebook)) or None
    name, stars = re.fullmatch(r"(.*?)(?: (★+))?", title.strip()).groups()
    return Exercise(
        id=f"{chapter}.{number}",
        label=label,
        title=name,
        stars=len(stars or ""),
        kind="code" if stub else settings.get("class", "number"),
        text=without_code(text),
        stub=stub,
        solution=without_code(solutions.get(label, "")),
        solution_code=tuple(code_in(solutions.get(label, ""), notebook)),
    )


def joined(notebook) -> str:
    """All text of a notebook as one string, in which marks stand for the code cells."""
    parts = [
        CODE.format(number) if cell.cell_type == "code" else cell.source for number, cell in enumerate(notebook.cells)
    ]
    return BREAK.join(parts)


def split(text: str, notebook, code_cell: Callable[[str], object] = nbformat.v4.new_code_cell) -> list:
    """The cells again. Where a mark holds no number but code, this becomes a new cell."""
    cells = []
    for part in re.split(r"(\ue000.*?\ue000)|\n\ue001\n", text, flags=re.DOTALL):
        if part and part.startswith("\ue000"):
            inside = part.strip("\ue000")
            cells.append(notebook.cells[int(inside)] if inside.isdigit() else code_cell(inside))
        elif part and part.strip("\n\ue001"):
            cells.append(nbformat.v4.new_markdown_cell(part.strip("\n\ue001")))
    return cells


def code_in(text: str, notebook) -> list[str]:
    return [notebook.cells[int(number)].source for number in re.findall(r"\ue000(\d+)\ue000", text)]


def without_code(text: str) -> str:
    return re.sub(r"\n*\ue001?\n*\ue000\d+\ue000\n*\ue001?\n*", "\n\n", text).replace(BREAK, "\n\n").strip()
