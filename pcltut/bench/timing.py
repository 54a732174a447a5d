"""Two or more pieces of work in turns, so that whatever else the machine does falls on all of them alike."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from scipy import stats

CONFIDENCE = 0.95
SHORTEST = 0.02  # seconds: shorter work is repeated within a turn


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The median of paired ratios, and the ends of its 95 % interval (from order statistics; no law is assumed)."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Ratio":
        """From the pairs of all turns; with fewer than six the interval is their range."""
        ordered, count = sorted(values), len(values)
        below = int(stats.binom.ppf((1 - CONFIDENCE) / 2, count, 0.5))
        below = max(below - 1, 0)
        return cls(statistics.median(ordered), ordered[below], ordered[count - 1 - below])


def compare(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    synchronize: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each work in each of so many turns, in an order that turns round from one to the next.

    Each is called twice before; where one call is short, a turn calls it as often as fills 20 ms.
    """
    calls = {}
    for name, work in works.items():
        work()
        calls[name] = max(1, round(SHORTEST / max(_seconds(work, 1, synchronize, clock), 1e-9)))
    found: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for name in reversed(works) if turn % 2 else works:
            found[name].append(_seconds(works[name], calls[name], synchronize, clock))
    return found


def _seconds(
    work: Callable[[], object], calls: int, synchronize: Callable[[], object], clock: Callable[[], float]
) -> float:
    start = clock()
    for _ in range(calls):
        work()
    synchronize()
    return (clock() - start) / calls


def synchronizer(device: str) -> Callable[[], object]:
    """What waits for the work that a device was given."""
    return torch.cuda.synchronize if device.startswith("cuda") else lambda: None
