"""Images in rows."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from pcltut.plotting.figure import new_figure


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
    ax.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="none")
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
