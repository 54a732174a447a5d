"""The latents of real images in the garment's plane, and the law that samples are drawn from."""

import base64

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Dict, Int, List, Unicode
from traitlets import Float as Number

from pcltut.explorables.explorable import Explorable, script
from pcltut.explorables.garment import HIDDEN, SCALE, garment_model
from pcltut.models import GaussianMixture

REACH = 5.0  # the plane is summed over, and shown, from -REACH to REACH
CELLS = 121  # of the grid, a side: a cell is as wide as a typical posterior's standard deviation
CHUNK = 500  # images at a time
DIGITS = 4


def garment_latents(images: Float[Tensor, "batch 1 28 28"], *, generator: torch.Generator) -> Float[Tensor, "batch 2"]:
    r"""One draw from the posterior of each whole image under the garment's model, as :eq:`eq-aggregate` wants it.

    With two latents no chain is needed: the posterior is summed over a grid of the plane, a cell is drawn, and a
    point within the cell. No valley is missed, and the error is at most a cell.
    """
    model = garment_model().to(images.device)
    axis = torch.linspace(-REACH, REACH, CELLS, device=images.device)
    plane = torch.cartesian_prod(axis, axis)
    pictures = model.decode(plane).flatten(1)
    own = (pictures.square().sum(1) / SCALE**2 + plane.square().sum(1)) / 2
    cells = [
        torch.multinomial((part.flatten(1) @ pictures.T / SCALE**2 - own).softmax(1), 1, generator=generator)[:, 0]
        for part in images.split(CHUNK)
    ]
    within = torch.rand(len(images), 2, generator=generator, device=images.device) - 0.5
    return plane[torch.cat(cells)] + within * (axis[1] - axis[0])


def decoder_in_bytes() -> dict[str, object]:
    """The garment's decoder for a page, each matrix and bias as bytes that count steps of its own: half of float16.

    Its pictures are off by half a hundredth of the range of gray on average, which no eye sees.
    """
    parts = list(garment_model().decoder.parameters())
    steps = [part.abs().max().item() / 127 for part in parts]
    numbers = [(part / step).round().flatten().to(torch.int8) for part, step in zip(parts, steps, strict=True)]
    weights = base64.b64encode(torch.cat(numbers).numpy().tobytes()).decode("ascii")
    return {"sizes": [2, *HIDDEN, 784], "steps": steps, "weights": weights}


class Holes(Explorable):
    r"""The aggregate posterior :eq:`eq-aggregate` in the plane of two latents, beside the law of the samples.

    Samples come from :math:`\mathcal N(0, s^2 I)` or from a density that is fitted to latents, and are decoded. A hole
    is where this density is lower than at 95 % of the images' latents. How much of the images the draws reach is
    the coverage of :eq:`eq-density-coverage` in the plane, with k = 5 and 200 draws.

    Attributes:
        source: "prior" or "fitted", where samples come from.
        stretch: :math:`s`, .25 to 3; moving it on the page goes back to the prior.
        place: the point of the plane that is decoded beside the draws.
        seed: of the draws.
    """

    _esm = script("holes")

    decoder = Dict().tag(sync=True)
    latents = List().tag(sync=True)
    density = List().tag(sync=True)
    source = Unicode("prior").tag(sync=True)
    stretch = Number(1.0).tag(sync=True)
    place = List([0.0, 0.0]).tag(sync=True)
    seed = Int(0).tag(sync=True)

    def __init__(self, latents: Float[Tensor, "images 2"], density: GaussianMixture, **options: object) -> None:
        """Show latents of images that the density was not fitted to.

        Args:
            latents: one for each image, from `garment_latents`.
            density: fitted to latents of other images, by `fit_latent_density`.
        """
        lower = density.cholesky[:, [0, 1, 1], [0, 0, 1]]
        parts = torch.cat([density.weights[:, None], density.means, lower], dim=1)
        super().__init__(decoder=decoder_in_bytes(), latents=_rounded(latents), density=_rounded(parts), **options)


def _rounded(numbers: Tensor) -> list[list[float]]:
    return [[round(number, DIGITS) for number in row] for row in numbers.tolist()]
