"""How self-checks read an answer and find the mistake behind a wrong one. What is left of a check is a table."""

import math
from dataclasses import dataclass
from types import EllipsisType

import torch

Number = int | float
TOO_FEW_DIGITS = "You may be right, but too few digits are left to tell: give three."


@dataclass(frozen=True)
class Between:
    """All numbers from `low` to `high`, both included: for answers that are simulated, and for mistakes in a range."""

    low: Number = -math.inf
    high: Number = math.inf


class Check:
    """The check of one exercise. Called with an answer it returns None if that is right, and otherwise a hint.

    Args:
        right: a number, a range, or a tuple of these; a tuple of lists stands for lists of indices in any order.
        mistakes: pairs of a wrong answer and its hint; the first that matches speaks. In a tuple, `...` matches all.
        otherwise: the hint for all other answers.
        tolerance: relative, on each float. An int is a count: it must be met, whatever the tolerance.
        form: the hint for an answer that does not have the form of `right`.
    """

    def __init__(
        self,
        right: Number | Between | tuple,
        *mistakes: tuple[Number | Between | tuple, str],
        otherwise: str,
        tolerance: float = 0.005,
        form: str | None = None,
    ) -> None:
        self.right, self.mistakes, self.otherwise, self.tolerance = _entries(right), mistakes, otherwise, tolerance
        count = len(self.right)
        self.form = form or ("Give one number." if count == 1 else f"Give {count} numbers in a list.")

    def __call__(self, answer: object) -> str | None:
        given = (index_lists if isinstance(self.right[0], list) else numbers)(answer, len(self.right))
        if given is None:
            return self.form
        if self._matches(given, self.right):
            return None
        otherwise = TOO_FEW_DIGITS if all(map(self._is_rounded, given, self.right)) else self.otherwise
        return next((hint for wrong, hint in self.mistakes if self._matches(given, _entries(wrong))), otherwise)

    def _is_rounded(self, given: float | list[float], wanted: Number | list | Between) -> bool:
        """Whether an entry is right, or what is left of a right one at one or two digits."""
        rounded = isinstance(wanted, float) and any(given == float(f"{wanted:.{digits}g}") for digits in (1, 2))
        return rounded or _agrees(given, wanted, self.tolerance)

    def _matches(self, given: list, wanted: tuple) -> bool:
        return all(_agrees(own, other, self.tolerance) for own, other in zip(given, wanted, strict=True))


def numbers(answer: object, count: int) -> list[float] | None:
    """The answer (a number, list, array or tensor) as `count` finite numbers, or None where it is something else."""
    try:
        values = torch.as_tensor(answer, dtype=torch.float64).flatten().tolist()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return values if len(values) == count and all(map(math.isfinite, values)) else None


def index_lists(answer: object, count: int) -> list[list[float]] | None:
    """The answer as `count` lists of numbers, each in ascending order, or None where it is something else."""
    try:
        lists = [sorted(map(float, indices)) for indices in answer]
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
    return lists if len(lists) == count and all(math.isfinite(i) for indices in lists for i in indices) else None


def _entries(wanted: Number | Between | tuple) -> tuple:
    return wanted if isinstance(wanted, tuple) else (wanted,)


def _agrees(given: float | list[float], wanted: Number | list | Between | EllipsisType, tolerance: float) -> bool:
    if isinstance(wanted, Between):
        return wanted.low <= given <= wanted.high
    if isinstance(wanted, Number):
        return math.isclose(given, wanted, rel_tol=1e-6 if isinstance(wanted, int) else tolerance, abs_tol=1e-9)
    return wanted is ... or given == wanted
