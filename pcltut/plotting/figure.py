"""A white figure and its colors: Okabe and Ito's (2008), which survive color blindness."""

from types import MappingProxyType

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

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


def finish(ax: Axes, title: str | None, label: str | None = None) -> Axes:
    """Set the title, and the legend where there is a label."""
    if title:
        ax.set_title(title)
    if label:
        ax.legend(frameon=False)
    return ax
