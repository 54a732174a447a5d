"""What a caller gave, as the number or the choice that was meant, or a `ValueError` in one line."""

import math
import operator
from collections.abc import Iterable
from typing import Any

from torch import Tensor


def whole_number(name: str, value: Any, *, at_least: int = 1, remedy: str = "raise it") -> int:
    """`value` as an int: Python's, NumPy's, or a tensor of one; never a float or a text that looks like one."""
    try:
        number = operator.index(value.item() if isinstance(value, Tensor) and value.numel() == 1 else value)
    except TypeError:
        raise ValueError(f"got {name}={value!r}, expected a whole number; write it as an int") from None
    if isinstance(value, bool) or number < at_least:
        raise ValueError(f"got {name}={value}, expected at least {at_least}; {remedy}")
    return number


def real_number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
    remedy: str = "change it",
) -> float:
    """`value` as a finite float within its bounds."""
    if isinstance(value, str | bytes | bool):
        raise ValueError(f"got {name}={value!r}, expected a number; write it without quotes")
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"got {name}={value!r}, expected a number; write it as a float") from None
    if not (above < number < below and number >= at_least):
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"at least {at_least:g}"] * (at_least > -math.inf)
        bounds += [f"below {below:g}"] * (below < math.inf)
        expected = "a finite number" + (" " + " and ".join(bounds) if bounds else "")
        raise ValueError(f"got {name}={value}, expected {expected}; {remedy}")
    return number


def one_of(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """`value` if it is one of the choices."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"got {name}={value!r}, expected one of {choices}; choose one of them")
    return value
