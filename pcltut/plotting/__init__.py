"""From arrays to Axes: the pictures that several chapters draw.

Each function draws on the `ax` it is given, or on a new white figure of its own, and returns the Axes; `plot_searches`
draws a whole figure. Nothing here changes matplotlib's global settings.
"""

from pcltut.plotting.curves import plot_band, plot_history, plot_trace
from pcltut.plotting.figure import COLORS, new_figure
from pcltut.plotting.images import plot_images
from pcltut.plotting.planes import plot_density_2d, plot_path
from pcltut.plotting.searches import plot_search, plot_searches

__all__ = [
    "COLORS",
    "new_figure",
    "plot_band",
    "plot_density_2d",
    "plot_history",
    "plot_images",
    "plot_path",
    "plot_search",
    "plot_searches",
    "plot_trace",
]
