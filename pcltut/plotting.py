"""From arrays to Axes: the pictures that several chapters draw.

Each function draws on the `ax` it is given, or on a new white figure of its own, and returns the Axes. Nothing here
changes matplotlib's global settings. Colors are Okabe and Ito's (2008), which survive color blindness.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import Tensor

from pcltut.evaluation import effective_sample_size, split_rhat
from pcltut.samplers import Trace
from pcltut.training import History

COLORS = MappingProxyType(
    {
        "blue": "#0072B2",
        "orange": "#E69F00",
        "green": "#009E73",
        "vermillion": "#D55E00",
        "purple": "#CC79A7",
        "sky": "#56B4E9",
        "yellow": "#F0E442",
        "black": "#000000",
    }
)
"""Okabe and Ito's palette by name, in the order in which to use it."""

HISTORY_LABELS = {
    "loss": "loss (nats an image)",
    "log_joint": "log-joint (nats an image)",
    "scale": "likelihood's scale sigma",
    "acceptance": "acceptance probability",
    "restarts": "chains started again",
}


class _PlainFigure(Figure):
    """A figure that draws its texts without LaTeX, whatever the reader's style says of `text.usetex`."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw as ever; labels of ticks are made only now."""
        with plt.rc_context({"text.usetex": False}):
            for text in self.findobj(Text):
                text.set_usetex(False)
            super().draw(renderer)


def new_figure(
    nrows: int = 1, ncols: int = 1, *, width: float = 6.0, height: float = 3.6
) -> tuple[Figure, Axes | np.ndarray]:
    """A white figure, its size in inches, and its Axes: one, or an array of them as from `plt.subplots`."""
    # Not in an rc_context: a notebook's backend turns itself on at the first figure, and that must stay.
    style = plt.rcParams["text.usetex"]
    plt.rcParams["text.usetex"] = False
    try:
        return plt.subplots(
            nrows, ncols, figsize=(width, height), facecolor="white", layout="constrained", FigureClass=_PlainFigure
        )
    finally:
        plt.rcParams["text.usetex"] = style


def plot_images(
    x: Float[Tensor, "n c h w"],
    *,
    ncols: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    row_labels: Sequence[str] | None = None,
) -> Axes:
    """Images in rows, on one Axes.

    Values of -1 and below are black, 1 and above white (or full color): a sample of a Gaussian likelihood
    leaves that range.

    Args:
        ncols: images a row; by default the arrangement is nearly square.
        row_labels: one text for each row, written at its left.
    """
    if x.shape[1] not in (1, 3):
        raise ValueError(f"got images of {x.shape[1]} channels, expected 1 or 3; shapes are [n, c, h, w]")
    if len(x) == 0:
        raise ValueError("got no image, expected at least one; check the selection")
    ncols = ncols or math.ceil(math.sqrt(len(x)))
    nrows = math.ceil(len(x) / ncols)
    if row_labels is not None and len(row_labels) != nrows:
        raise ValueError(f"got {len(row_labels)} row labels for {nrows} rows of {ncols} images; pass one for each row")
    mosaic, (height, width) = _mosaic(x, nrows, ncols)
    if ax is None:
        scale = 7.0 / max(ncols, 7)
        _, ax = new_figure(width=0.4 + scale * ncols, height=0.4 + scale * nrows * height / width)
    ax.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if row_labels is not None:
        centers = [(height + 1) * row + height / 2 for row in range(nrows)]
        ax.set_yticks(centers, row_labels)
        ax.tick_params(axis="y", length=0)
    if title:
        ax.set_title(title)
    return ax


def _mosaic(x: Tensor, nrows: int, ncols: int) -> tuple[np.ndarray, tuple[int, int]]:
    """One array in [0, 1] with a white line of one pixel between images, and the size of an image."""
    n, channels, height, width = x.shape
    mosaic = np.ones((nrows * (height + 1) - 1, ncols * (width + 1) - 1, channels), dtype=np.float32)
    pixels = ((x.detach().float().cpu() + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    for index in range(n):
        top, left = (index // ncols) * (height + 1), (index % ncols) * (width + 1)
        mosaic[top : top + height, left : left + width] = pixels[index]
    return mosaic.squeeze(-1) if channels == 1 else mosaic, (height, width)


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
    return _finish(ax, title, label)


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


def plot_density_2d(
    log_density: Callable[[Tensor], Tensor],
    extent: tuple[float, float, float, float],
    *,
    ax: Axes | None = None,
    radii: Sequence[float] = (0.5, 1.0, 2.0, 3.0),
    resolution: int = 120,
    color: str = COLORS["black"],
    title: str | None = None,
) -> Axes:
    """Contours of a density of two variables, which need not be normalized.

    A contour of radius r joins the points whose log-density lies r^2 / 2 below the highest one on the grid: for a
    Gaussian, the points r standard deviations from the mean.

    Args:
        log_density: from points [n, 2] to values [n].
        extent: left, right, bottom, top.
    """
    left, right, bottom, top = extent
    if left >= right or bottom >= top:
        raise ValueError(f"got extent {extent}, expected (left, right, bottom, top) with left < right, bottom < top")
    first, second = torch.linspace(left, right, resolution), torch.linspace(bottom, top, resolution)
    points = torch.cartesian_prod(first, second)
    with torch.no_grad():
        values = log_density(points)
    if values.shape != points.shape[:1]:
        raise ValueError(
            f"got log-densities of shape {tuple(values.shape)} for points of shape {tuple(points.shape)}, "
            "expected one value a point; sum over the last dimension"
        )
    drop = (values.max() - values).reshape(resolution, resolution).T.double().cpu().numpy()
    ax = ax or new_figure(width=4.5, height=4.2)[1]
    levels = sorted(radius**2 / 2 for radius in radii)
    ax.contour(first.numpy(), second.numpy(), drop, levels=levels, colors=color, linewidths=1.0, alpha=0.6)
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="$z_1$", ylabel="$z_2$")
    return _finish(ax, title)


def plot_path(
    z: Float[Tensor, "steps 2"],
    *,
    ax: Axes | None = None,
    label: str | None = None,
    color: str = COLORS["blue"],
    title: str | None = None,
) -> Axes:
    """A chain's path in the plane: a ring where it starts, dots on the way, a square where it ends."""
    ax = ax or new_figure(width=4.5, height=4.2)[1]
    first, second = z.detach().double().cpu().numpy().T
    ax.plot(first, second, color=color, linewidth=0.9, alpha=0.7, marker=".", markersize=3, label=label)
    ax.plot(first[:1], second[:1], "o", markersize=8, markerfacecolor="white", markeredgecolor=color)
    ax.plot(first[-1:], second[-1:], "s", markersize=7, color=color)
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    return _finish(ax, title, label)


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
    return _finish(ax, title, label)


def _finish(ax: Axes, title: str | None, label: str | None = None) -> Axes:
    if title:
        ax.set_title(title)
    if label:
        ax.legend(frameon=False)
    return ax
