"""The energy landscape of a garment of which the top rows are seen, and a latent that the reader moves through it."""

from traitlets import Dict, Float, Int, List

from pcltut.explorables.explorable import Explorable, script
from pcltut.explorables.garment import ROWS, packed_decoder, packed_picture


class Landscape(Explorable):
    r"""The energy of :eq:`eq-energy` over the latent plane, and its two errors at the latent that a handle moves.

    The energies shown are the sum of the pixel error :math:`\lVert x - f(z) \rVert^2 / 2 \sigma^2` and the latent
    error :math:`\lVert z \rVert^2 / 2`, with :math:`\sigma = 1`, and :math:`x` the rows that are seen. The constant
    :math:`\tfrac{D + d}{2} \log 2 \pi`, with :math:`D` the number of pixels seen and :math:`d = 2`, is left out: so
    an energy is `-garment_model(rows).log_joint` less that constant. The posterior :math:`e^{-E}`, normalized, is
    summed over 71 x 71 points of the plane: the share of each valley, and the smallest area that holds 95 % of it.

    Attributes:
        rows: how many rows of the picture are seen, 0 to 28; with none the posterior is the prior.
        z: where the handle is, two numbers from -3.5 to 3.5.
    """

    _esm = script("landscape")

    decoder = Dict().tag(sync=True)
    picture = List().tag(sync=True)
    rows = Int(ROWS).tag(sync=True)
    z = List(Float(), [-1.5, 0.4], minlen=2, maxlen=2).tag(sync=True)

    def __init__(self, **options: object) -> None:
        super().__init__(decoder=packed_decoder(), picture=packed_picture(), **options)
