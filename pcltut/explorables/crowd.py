"""A crowd of Langevin walkers on the posterior of a garment of which the top rows are seen."""

from traitlets import Dict, Float, Int, List

from pcltut.explorables.explorable import Explorable, script
from pcltut.explorables.garment import ROWS, packed_decoder, packed_picture


class Crowd(Explorable):
    r"""Walkers of :eq:`eq-ula` in the latent plane beside the law :math:`p(z \mid x)^{1/\tau}`, one of them decoded.

    The law is summed over a grid of the plane; the walkers start from the prior, or where a reader puts them.

    Attributes:
        step_size: :math:`\gamma`, .001 to .2.
        temperature: :math:`\tau`, 0 to 4; 0 is predictive coding.
        rows: how many rows of the picture are seen, 1 to 14.
        walkers: how many there are.
        seed: of start and noise.
    """

    _esm = script("crowd")

    decoder = Dict().tag(sync=True)
    picture = List().tag(sync=True)
    step_size = Float(0.01).tag(sync=True)
    temperature = Float(1.0).tag(sync=True)
    rows = Int(ROWS).tag(sync=True)
    walkers = Int(100).tag(sync=True)
    seed = Int(0).tag(sync=True)

    def __init__(self, **options: object) -> None:
        super().__init__(decoder=packed_decoder(), picture=packed_picture(), **options)
