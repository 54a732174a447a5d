"""Bidirectional Monte Carlo: the evidence of simulated data between a lower and an upper bound."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.evaluation.ais import Evidence, check_annealing, kernel_maker, start_bridge, summarize
from pcltut.evaluation.annealing import anneal, pilot
from pcltut.models import DiagonalGaussian, GenerativeModel


class BDMC(NamedTuple):
    """Bounds in nats on the evidence of images that the model has drawn itself.

    `lower` and `upper` hold one value an image and bound its evidence in expectation; `gap` is the mean of their
    difference: no average over such images can be further off. `forward` and `reverse` are the two estimates with
    their weights, `x` the images.
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
    num_steps: int = 300,
    num_chains: int = 2,
    kernel: Literal["hmc", "mala"] = "hmc",
    num_leapfrog: int = 2,
    encoder: Callable[[Tensor], DiagonalGaussian] | None = None,
) -> BDMC:
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
        num_steps: as for `ais_log_evidence`, like the rest.
    """
    if num_images < 1:
        raise ValueError(f"got num_images={num_images}, expected at least 1; the gap is a mean over images")
    with torch.no_grad():
        z = model.sample_prior(num_images, generator=generator)
        x = model.likelihood.sample(model.decode(z), generator=generator)
    check_annealing(x, num_steps, num_chains, kernel)
    bridge, betas = start_bridge(model, x, encoder, num_steps)
    make_kernel = kernel_maker(kernel, num_leapfrog)
    schedule = pilot(bridge, betas, make_kernel, generator)

    point = bridge.start(num_chains, generator)
    forward = summarize(*anneal(bridge, point, schedule, make_kernel, generator), schedule)

    point = bridge.evaluate(z.expand(num_chains, *z.shape))
    log_weights, acceptance = anneal(bridge, point, schedule.reversed(), make_kernel, generator)
    inverse = summarize(-log_weights, acceptance, schedule)
    reverse = inverse._replace(log_evidence=-inverse.log_evidence, log_weights=log_weights)

    lower, upper = forward.log_evidence, reverse.log_evidence
    return BDMC(lower, upper, (upper - lower).mean().item(), forward, reverse, x)
