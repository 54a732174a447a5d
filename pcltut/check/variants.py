"""Graded tasks have other numbers for each student. Here they are drawn; the answers are the teacher's."""

import hashlib
import itertools
from collections.abc import Sequence

from pcltut.arguments import whole_number

STRIDE = 7919  # a prime: successive students are far apart in the list of combinations


def variant(task: str, student: int, **choices: Sequence) -> dict:
    """The numbers of `task` for a student: one of all combinations of the `choices`, by name.

    Students whose numbers differ by less than the count of combinations get different ones.

    Args:
        task: the task's id, such as "3.A"; each task deals its combinations in an order of its own.
        student: the student's number, 1 or more.
        choices: for each name the values that it may have.
    """
    student = whole_number("student", student, remedy="write your student number")
    combinations = list(itertools.product(*choices.values()))
    offset = int.from_bytes(hashlib.sha256(task.encode()).digest()[:4], "big")
    return dict(zip(choices, combinations[(student * STRIDE + offset) % len(combinations)], strict=True))
