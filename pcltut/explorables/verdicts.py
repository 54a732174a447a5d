"""The verdicts of a comparison: one measure and one sampler at a time, every method against the baseline."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from traitlets import Dict, List, Unicode

from pcltut.experiments import METRICS, difference, summarize
from pcltut.explorables.explorable import Explorable, script

MEASURES = {
    "log_evidence": "log-evidence (nats)",
    "frechet_extrapolated": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "coverage": "coverage",
}
SAMPLERS = {"": "draws of N(0, I)", "_fitted": "draws of the fitted density"}


class Verdicts(Explorable):
    """Means and differences from the baseline with their 95 % intervals, from committed results.

    Attributes:
        results: by budget, measure and sampler the methods' names, means, differences and half widths.
        budget: of training, one of those in `results`.
        measure: "log_evidence", "frechet_extrapolated", "kernel_distance", "precision", "recall" or "coverage".
        sampler: "" for N(0, I), "_fitted" for the density fitted to latents of training images.
    """

    _esm = script("verdicts")

    results = Dict().tag(sync=True)
    titles = Dict().tag(sync=True)
    budgets = List().tag(sync=True)
    baseline = Unicode().tag(sync=True)
    budget = Unicode().tag(sync=True)
    measure = Unicode("coverage").tag(sync=True)
    sampler = Unicode("_fitted").tag(sync=True)

    def __init__(self, results: Mapping[str, Mapping[str, Any]], **options: object) -> None:
        """Show the results of one experiment or several.

        Args:
            results: by a budget's words, such as "1,600 updates", what `load_results` gives.
        """
        budgets = list(results)
        first = results[budgets[0]]
        super().__init__(
            results={words: _rows(each) for words, each in results.items()},
            titles={"measures": MEASURES, "samplers": SAMPLERS},
            budgets=budgets,
            baseline=first["methods"][first["baseline"]]["name"],
            **{"budget": budgets[0], **options},
        )


def _rows(results: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {
        f"{measure}{sampler}": _compared(results, f"{measure}{sampler}")
        for measure in MEASURES
        for sampler in SAMPLERS
        if not (measure == "log_evidence" and sampler)
    }


def _compared(results: Mapping[str, Any], metric: str, digits: int = 7) -> Sequence[dict[str, Any]]:
    """One entry a method that has the metric, in the order of the results."""
    rows = []
    for key, method in results["methods"].items():
        mean, other = (each(results, key, "end", metric) for each in (summarize, difference))
        if not mean.count:
            continue
        numbers = {"mean": mean.mean, "half": mean.half_width, "difference": other.mean, "wide": other.half_width}
        finite = {
            name: float(f"{value:.{digits}g}") if math.isfinite(value) else 0.0 for name, value in numbers.items()
        }
        up = METRICS[metric].larger_is_better
        rows.append({"name": method["name"], "base": key == results["baseline"], "up": up, **finite})
    return rows
