"""Bidirectional Monte Carlo: the evidence of simulated data between a lower and an upper bound."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.evaluation.ais import Evidence, find_walk, summarize
from pcltut.evaluation.annealing import anneal
from pcltut.evaluation.inputs import check_generator
from pcltut.models import DiagonalGaussian, GenerativeModel


class EvidenceBounds(NamedTuple):
    """Bounds in nats on the evidence of images that the model has drawn itself.

    `lower` and `upper` hold one value an image and bound its evidence in expectation; `gap` is the mean of their
    difference: in expectation no average over such images is further off. `forward` and `reverse` are the two
    estimates with their weights, `x` the images.
    """

    lower: Float[Tensor, " batch"]
    upper: Float[Tensor, " batch"]
    gap: float
    forward: Evidence
    reverse: Evidence
    x: Float[Tensor, "batch ..."]


def bdmc(
    model: GenerativeModel,
    num_images: int,
    *,
    generator: torch.Generator,
    num_bridges: int = 300,
    num_chains: int = 2,
    kernel: Literal["hmc", "mala"] = "hmc",
    num_leapfrog: int = 2,
    encoder: Callable[[Tensor], DiagonalGaussian] | None = None,
) -> EvidenceBounds:
    r"""Sandwich :math:`\log p(x)` of simulated images between AIS and AIS in reverse.

    Draw z from the prior and x from p(x | z): that z is an exact sample of the posterior of x. Led back from it over
    the same bridges, with the same moves, a chain has a weight with :math:`E [1/w] = 1/p(x)`. So

    .. math:: E \log w_{forward} \le \log p(x) \le E \log w_{reverse},

    and the two meet as the number of bridges grows. See :eq:`eq-bdmc`. Source: Grosse, Ghahramani
    and Adams (2015). The lower bound is the logarithm of an image's mean forward weight, the upper one that of its
    harmonic mean reverse weight: both stay bounds, and several chains tighten them.

    The gap says how far AIS may be off on images that the model makes; on real images it may be off by more.

    Args:
        num_images: how many images to simulate.
        num_bridges: as for `ais_log_evidence`, like the rest.
    """
    num_images = whole_number("num_images", num_images, remedy="the gap is a mean over images")
    num_chains = whole_number("num_chains", num_chains, remedy="take one or more for each image")
    check_generator(model, generator=generator)
    with torch.no_grad():
        z = model.sample_prior(num_images, generator=generator)
        x = model.likelihood.sample(model.decode(z), generator=generator)
    walk = find_walk(model, x, encoder, num_bridges, kernel, num_leapfrog, generator=generator)

    point = walk.bridges.start(num_chains, generator=generator)
    forward = summarize(walk, *anneal(walk, point, generator=generator))

    point = walk.bridges.evaluate(z.expand(num_chains, *z.shape))
    log_weights, acceptance = anneal(walk.reversed(), point, generator=generator)
    inverse = summarize(walk, -log_weights, acceptance)
    reverse = inverse._replace(log_evidence=-inverse.log_evidence, log_weights=log_weights)

    lower, upper = forward.log_evidence, reverse.log_evidence
    return EvidenceBounds(lower, upper, (upper - lower).mean().item(), forward, reverse, x)
