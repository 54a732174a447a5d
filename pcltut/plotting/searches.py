"""What a search for hyperparameters found."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pcltut.plotting.figure import COLORS, finish, new_figure

RATES = {
    "learning_rate": ("decoder's", COLORS["blue"], "o"),
    "encoder_learning_rate": ("encoder's", COLORS["orange"], "^"),
}
DEPTH = 150.0  # nats below the best run that a panel shows


def plot_search(found: Mapping[str, Any], *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """One method's trials: validation log-evidence against both learning rates, each trial one mark a rate.

    Filled marks are trials, hollow ones the refinement around the best of them, lines the chosen rates. Runs that are
    much worse than the best, or failed, lie on the lower edge.

    Args:
        found: the method's part of a search, as `book/results/NAME-tuning.json` holds it under "methods".
    """
    ax = ax or new_figure(width=4.5, height=3.0)[1]
    runs = [*found["trials"], *found["refinement"]]
    values = [_evidence(run) for run in runs]
    if not any(map(math.isfinite, values)):
        raise ValueError("got a search without a run that ended well, expected at least one; look at its runs")
    best = max(values)
    edge = max(best - DEPTH, min(value for value in values if math.isfinite(value)) - 5)
    for name, (label, color, marker) in RATES.items():
        if name not in found["search"]:
            continue
        ax.axvline(found["hyperparameters"][name], color=color, linewidth=0.8)
        for index, (run, value) in enumerate(zip(runs, values, strict=True)):
            is_trial = index < len(found["trials"])
            ax.plot(
                run["hyperparameters"][name],
                max(value, edge),
                marker,
                color=color,
                markerfacecolor=color if is_trial else "none",
                alpha=0.4 if value < edge else 0.9,
                label=label if index == 0 else None,
            )
    ax.set(xscale="log", xlabel="learning rate", ylabel="log-evidence (nats)", ylim=(edge - 8, best + 8))
    return finish(ax, title, "rates")


def plot_searches(search: Mapping[str, Any], names: Mapping[str, str]) -> Figure:
    """All methods of a search, two panels a row.

    Args:
        names: titles by the methods' keys.
    """
    methods = search["methods"]
    nrows = math.ceil(len(methods) / 2)
    figure, axes = new_figure(nrows, 2, width=8.0, height=2.6 * nrows)
    for ax, (key, found) in zip(axes.flat, methods.items(), strict=False):
        plot_search(found, ax=ax, title=names.get(key, key))
    for ax in axes.flat[1 : len(methods)]:
        ax.get_legend().remove()
    for ax in axes.flat[len(methods) :]:
        ax.set_visible(False)
    return figure


def _evidence(run: Mapping[str, Any]) -> float:
    value = run["curve"][-1].get("log_evidence") if run["failed"] is None and run["curve"] else None
    return -math.inf if value is None else value
