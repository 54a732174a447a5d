"""All declared experiments by name: data alone, the engine that runs them lies beside this folder."""

from pcltut.experiments.declaration import Experiment
from pcltut.experiments.declarations.color import COLOR
from pcltut.experiments.declarations.headline import COMPARISONS
from pcltut.experiments.declarations.sweeps import SWEEPS

EXPERIMENTS: dict[str, Experiment] = {each.name: each for each in (*COMPARISONS, *SWEEPS, *COLOR)}


def find_experiment(name: str) -> Experiment:
    """The experiment of that name, or a `ValueError` that lists the names."""
    if name not in EXPERIMENTS:
        raise ValueError(f"got no experiment {name!r}, expected one of {', '.join(EXPERIMENTS)}; choose one of them")
    return EXPERIMENTS[name]
