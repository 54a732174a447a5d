"""The type checker behind the shape annotations, made once for each signature.

Samplers define their steps anew for each kernel, so the import hook meets the same signature thousands of times.
What it hands over to be checked has that signature and no body: two of one signature are one function.
"""

import inspect
from collections.abc import Callable

from beartype import beartype

_checked: dict[tuple, Callable] = {}


def checked(function: Callable) -> Callable:
    """`beartype(function)`, compiled the first time that name and signature occur."""
    key = (function.__module__, function.__qualname__, inspect.signature(function))
    if key not in _checked:
        _checked[key] = beartype(function)
    return _checked[key]
