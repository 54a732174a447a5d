"""How self-checks read an answer, and how they find the mistake behind a wrong one."""

import math
from collections.abc import Mapping, Sequence

import torch

Numbers = float | Sequence[float]


def number(answer: object) -> float | None:
    """The answer as one finite number, or None where it is something else."""
    values = numbers(answer, 1)
    return None if values is None else values[0]


def numbers(answer: object, count: int) -> list[float] | None:
    """The answer (a number, list, array or tensor) as `count` finite numbers, or None where it is something else."""
    try:
        values = torch.as_tensor(answer, dtype=torch.float64).flatten().tolist()
    except (TypeError, ValueError, RuntimeError):
        return None
    return values if len(values) == count and all(map(math.isfinite, values)) else None


def near(values: Numbers, wanted: Numbers, tolerance: float = 0.005) -> bool:
    """Whether all numbers agree up to the relative `tolerance`."""
    pairs = zip(_listed(values), _listed(wanted), strict=True)
    return all(math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-9) for a, b in pairs)


def diagnose(
    answer: object, right: Numbers, mistakes: Mapping[str, Numbers], otherwise: str, tolerance: float = 0.005
) -> str | None:
    """None if the answer is right, else the hint of the first mistake that it matches, or `otherwise`.

    Args:
        right: one number, or several that must all be right.
        mistakes: from the hint to what that mistake leads to, in the form of `right`.
        tolerance: relative, on each number.
    """
    count = len(_listed(right))
    values = numbers(answer, count)
    if values is None:
        return "Give one number." if count == 1 else f"Give {count} numbers in a list."
    if near(values, right, tolerance):
        return None
    return next((hint for hint, wrong in mistakes.items() if near(values, wrong, tolerance)), otherwise)


def _listed(values: Numbers) -> Sequence[float]:
    return values if isinstance(values, Sequence) else [values]
