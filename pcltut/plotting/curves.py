"""What is counted or measured over time: training, chains, and means over runs with their spread."""

import itertools

from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from pcltut.evaluation import effective_sample_size, split_rhat
from pcltut.plotting.figure import COLORS, finish, new_figure
from pcltut.samplers import Trace
from pcltut.training import History

HISTORY_LABELS = {
    "loss": "loss (nats an image)",
    "log_joint": "log-joint (nats an image)",
    "scale": "likelihood's scale sigma",
    "acceptance": "acceptance probability",
    "restarts": "chains started again",
}


def plot_history(
    history: History,
    quantity: str = "loss",
    *,
    against: str = "iteration",
    ax: Axes | None = None,
    label: str | None = None,
    color: str | None = None,
    title: str | None = None,
) -> Axes:
    """One column of a training history over another; entries that were not measured (NaN) are left out.

    Args:
        quantity: `loss`, `log_joint`, `scale`, `stability_margin` or another column of the history.
        against: `iteration`, `epoch` or `decoder_evaluations`, the fair axis between algorithms.
    """
    columns = history.columns()
    for name in (quantity, against):
        if name not in columns:
            raise ValueError(f"got {name!r}, expected one of {', '.join(columns)}; pass a column of History")
    ax = ax or new_figure()[1]
    measured = ~columns[quantity].isnan()
    ax.plot(columns[against][measured].numpy(), columns[quantity][measured].numpy(), label=label, color=color)
    ax.set(xlabel=_history_label(against), ylabel=_history_label(quantity))
    return finish(ax, title, label)


def _history_label(column: str) -> str:
    return HISTORY_LABELS.get(column, column.replace("_", " "))


def plot_trace(trace: Trace, *, image: int = 0, ax: Axes | None = None, title: str | None = None) -> Axes:
    """The log-density of the chains of one image over the steps, with what they say about their own health.

    Split R-hat and effective sample size are those of the log-density; where the kernel has a Metropolis test its
    acceptance is added, and where chains diverged and were started again their number. Chains that agree look like
    one band without a trend.

    Args:
        trace: from `pcltut.samplers.run`, its `log_density` `[steps, *chain, batch]` with 8 or more steps.
        image: which image of the batch.
    """
    if not 0 <= image < trace.log_density.shape[-1]:
        raise ValueError(f"got image={image}, expected 0 to {trace.log_density.shape[-1] - 1}; count from 0")
    values = trace.log_density[..., image].detach().double().cpu().reshape(len(trace.log_density), -1)
    health = [f"R-hat {split_rhat(values):.3f}", f"effective sample size {effective_sample_size(values):.0f}"]
    if trace.acceptance is not None:
        health.append(f"acceptance {trace.acceptance[..., image].mean():.2f}")
    if trace.num_restarts:
        health.append(f"restarts {trace.num_restarts}")
    ax = ax or new_figure()[1]
    for column, color in zip(values.T.numpy(), itertools.cycle(COLORS.values()), strict=False):
        ax.plot(column, color=color, linewidth=0.8, alpha=0.8)
    ax.set(xlabel="step", ylabel="log-density (nats)")
    ax.set_title("\n".join(filter(None, [title, ", ".join(health)])))
    return ax


def plot_band(
    x: Float[Tensor, " points"],
    runs: Float[Tensor, "runs points"],
    *,
    ax: Axes | None = None,
    label: str | None = None,
    color: str = COLORS["blue"],
    title: str | None = None,
) -> Axes:
    """The mean over runs as a line, within a band of one standard deviation (over runs) on each side."""
    if len(runs) < 2:
        raise ValueError("got one run, expected at least 2: a band shows the spread; draw a single run with ax.plot")
    ax = ax or new_figure()[1]
    points, values = x.detach().double().cpu().numpy(), runs.detach().double().cpu()
    center, spread = values.mean(0).numpy(), values.std(0).numpy()
    ax.plot(points, center, color=color, label=label)
    ax.fill_between(points, center - spread, center + spread, color=color, alpha=0.25, linewidth=0)
    return finish(ax, title, label)
