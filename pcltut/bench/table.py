"""The rows of the bench, their verdicts, and the table that is printed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pcltut.bench.timing import Ratio


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: what was measured, beside what, and what was promised.

    Args:
        group: a letter, see `pcltut.bench.GROUPS`.
        value: a ratio with its interval, or a plain number (an exponent, milliseconds).
        goal: the largest ratio that was promised; None where nothing was.
        milliseconds: of the work itself, median.
        note: what a reader must know, for a row that was not measured why.
    """

    group: str
    name: str
    threads: int
    value: Ratio | float | None = None
    goal: float | None = None
    milliseconds: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """ "ok", "missed" where the goal lies below the interval, or "within the spread"; nothing without a goal."""
        if self.goal is None or self.value is None:
            return ""
        low, median = (self.value.low, self.value.median) if isinstance(self.value, Ratio) else (self.value, self.value)
        if median <= self.goal:
            return "ok"
        return "missed" if low > self.goal else "within the spread"

    def to_json(self) -> dict[str, Any]:
        """All of it, with the verdict."""
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def is_red(rows: Sequence[Row]) -> bool:
    """Whether a goal was missed by more than the spread."""
    return any(row.verdict == "missed" for row in rows)


def as_text(rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    """The table, group by group."""
    parts = []
    for group, title in titles.items():
        lines = [_line(row) for row in rows if row.group == group]
        if lines:
            frame = pd.DataFrame(lines).astype(str)
            parts.append(f"({group}) {title}\n{frame.to_string(index=False, justify='left')}")
    return "\n\n".join(parts)


def value_text(value: Ratio | float | None) -> str:
    """A ratio with its interval, or a number; a dash for what was not measured."""
    if isinstance(value, Ratio):
        return f"{value.median:.3f} [{value.low:.3f}, {value.high:.3f}]"
    return "-" if value is None else f"{value:.3g}"


def _line(row: Row) -> dict[str, str]:
    return {
        "what": row.name,
        "threads": str(row.threads),
        "ms": "-" if row.milliseconds is None else f"{row.milliseconds:.3g}",
        "ratio [95 %]": value_text(row.value),
        "goal": "" if row.goal is None else f"<= {row.goal:.2f}",
        "": " ".join(filter(None, [row.verdict, row.note])),
    }
