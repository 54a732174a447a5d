"""From predictive coding to Langevin dynamics: models, samplers and training loops of the book.

Names are imported from the submodules (`from pcltut.samplers import ula`), so that a reader sees where each
one lives. Importing the package has no effect: no seed, style, thread or device setting, no download.
"""

__version__ = "0.1.0"
