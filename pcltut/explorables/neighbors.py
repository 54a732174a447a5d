"""Real and fake points, and the balls that density, coverage, precision and recall count."""

from traitlets import Int, List

from pcltut.explorables.explorable import Explorable, script


class Neighbors(Explorable):
    r"""What :eq:`eq-density-coverage` counts, and precision and recall: 40 real points and 12 fake ones in the plane.

    The real law has two crowds, a tight one and a loose one. A reader moves the fake points, or has them huddle where
    many balls of real points meet, or spread to fill as many balls as they can. Beside density and coverage
    stands what draws from the real law get on average: 1 and :eq:`eq-equal-coverage`.

    Attributes:
        num_neighbors: :math:`k`, 1 to 5, the same for all four measures.
        fake: the fake points as pairs, more than `num_neighbors` of them; empty for draws from the real law.
        seed: of the real points and the draws.
    """

    _esm = script("neighbors")

    num_neighbors = Int(3).tag(sync=True)
    fake = List().tag(sync=True)
    seed = Int(25).tag(sync=True)
