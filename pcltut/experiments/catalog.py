"""All declared experiments by name."""

from pcltut.experiments.color import COLOR
from pcltut.experiments.declaration import Experiment
from pcltut.experiments.headline import HEADLINE, HEADLINE_GPU
from pcltut.experiments.sweeps import SWEEPS

EXPERIMENTS: dict[str, Experiment] = {each.name: each for each in (HEADLINE, HEADLINE_GPU, *SWEEPS, *COLOR)}


def find_experiment(name: str) -> Experiment:
    """The experiment of that name, or a `ValueError` that lists the names."""
    if name not in EXPERIMENTS:
        raise ValueError(f"got no experiment {name!r}, expected one of {', '.join(EXPERIMENTS)}; choose one of them")
    return EXPERIMENTS[name]
