"""Self-checks of the book's exercises: `exercise("3.2", answer)` says "correct" or names the likely mistake.

The checks of chapter 3 are the table `CHECKS` in `chapter_03.py`: exercise id -> `Check`, or another function of the
answer that returns None when the answer is right, and otherwise a sentence that names the likely mistake.
"""

import importlib
import pkgutil
from collections.abc import Callable

from pcltut.check.variants import variant as variant


def exercise(id: str, answer: object) -> None:
    """Print whether `answer` solves exercise `id` (such as "3.2"), and if not, what probably went wrong."""
    known = checks()
    if id not in known:
        raise ValueError(f"got exercise id {id!r}, expected one of {', '.join(known)}: copy it from the exercise")
    mistake = known[id](answer)
    print(f"Exercise {id}: {'correct' if mistake is None else 'not yet. ' + mistake}")


def checks() -> dict[str, Callable[[object], str | None]]:
    """All tables of the chapters in one, exercise id -> check."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    tables = [importlib.import_module(f"{__name__}.{name}").CHECKS for name in names if name[:8] == "chapter_"]
    return {id: check for table in tables for id, check in table.items()}
