"""Densities and paths of two variables."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from pcltut.plotting.figure import COLORS, finish, new_figure


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
    return finish(ax, title)


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
    return finish(ax, title, label)
