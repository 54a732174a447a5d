"""Annealed importance sampling: the evidence of a model, image by image."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import one_of, whole_number
from pcltut.evaluation.annealing import Bridges, MakeKernel, Walk, anneal, pilot
from pcltut.evaluation.inputs import check_inputs
from pcltut.models import DiagonalGaussian, GenerativeModel, StandardNormal
from pcltut.samplers import hmc, mala


class Evidence(NamedTuple):
    """What `ais_log_evidence` found, in nats.

    `log_evidence` is the logarithm of the mean weight of each image's chains, `log_weights` those chains' weights and
    `effective_sample_size` how many equal weights theirs are worth, from 1 to the number of chains. `acceptance` is
    the mean over chains and bridges, `step_size` the frozen step size of each bridge's moves.
    """

    log_evidence: Float[Tensor, " batch"]
    log_weights: Float[Tensor, "chains batch"]
    effective_sample_size: Float[Tensor, " batch"]
    acceptance: float
    step_size: Float[Tensor, " moves"]


def ais_log_evidence(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    *,
    generator: torch.Generator,
    num_bridges: int = 300,
    num_chains: int = 2,
    kernel: Literal["hmc", "mala"] = "hmc",
    num_leapfrog: int = 2,
    encoder: Callable[[Tensor], DiagonalGaussian] | None = None,
) -> Evidence:
    r"""Estimate :math:`\log p(x)` of each image by annealed importance sampling.

    A chain is drawn from a first distribution :math:`p_0` and led over bridges
    :math:`f_t \propto p_0^{1 - b_t} \, p(x, \cdot)^{b_t}` to the posterior. Its weight

    .. math:: \log w = \sum_{t=1}^{T} (b_t - b_{t-1}) \log \frac{p(x, z_{t-1})}{p_0(z_{t-1})}, \qquad
       z_t \text{ from } z_{t-1} \text{ by a move that leaves } f_t \text{ invariant,}

    has mean :math:`p(x)`, so that :math:`E \log w \le \log p(x)`, and the estimate from the mean of several weights
    lies between. See :eq:`eq-ais`. Source: Neal (2001). The moves' step sizes are found by a pilot walk and frozen.

    Too low wherever the chains lag behind the bridges: check with `bdmc` on the same model. It costs one decoder pass
    a leapfrog step, `num_bridges * num_leapfrog` for the pilot and as many for the weights, of all chains at once.

    Args:
        x: images as the model takes them (`model.check_data`).
        num_bridges: number of bridges T.
        kernel: of the moves; exact ones alone, since the bias of ULA would enter the weights.
        num_leapfrog: leapfrog steps of one HMC move; MALA has none.
        encoder: gives the first distribution q(z | x); N(0, I) if not given, whatever the model's prior is: chains walk
            into the components of a mixture more easily than from one to another.
    """
    num_chains = whole_number("num_chains", num_chains, remedy="take one or more for each image")
    check_inputs(model, x, generator=generator)
    walk = find_walk(model, x, encoder, num_bridges, kernel, num_leapfrog, generator=generator)
    point = walk.bridges.start(num_chains, generator=generator)
    return summarize(walk, *anneal(walk, point, generator=generator))


def bits_per_dimension(log_evidence: Float[Tensor, " batch"], event_shape: Sequence[int]) -> Float[Tensor, " batch"]:
    r"""Bits that a code spends on a pixel, :math:`-\log p(x) / (D \log 2)` with D the number of pixels and channels.

    For likelihoods that give masses to pixel levels (`DiscretizedGaussian`): there 8 is what uniform noise costs. The
    logarithm of a density is not a code length: it depends on the units of x.
    """
    if not isinstance(event_shape, Sequence):
        raise ValueError(f"got event_shape={event_shape!r}, expected sizes; write a tuple, as (1, 28, 28)")
    sizes = [whole_number("a size in event_shape", size, remedy="write it as (1, 28, 28)") for size in event_shape]
    return -log_evidence / (math.prod(sizes) * math.log(2))


def find_walk(
    model: GenerativeModel,
    x: Tensor,
    encoder: Callable[[Tensor], DiagonalGaussian] | None,
    num_bridges: int,
    kernel: Literal["hmc", "mala"],
    num_leapfrog: int,
    *,
    generator: torch.Generator,
) -> Walk:
    """The bridges from N(0, I) or from the encoder's q, with the moves that a pilot walk found.

    From N(0, I) the first few bridges do most of the work, so betas grow as the fourth power; an encoder's q is
    near the posterior, and they grow evenly.
    """
    num_bridges = whole_number("num_bridges", num_bridges, remedy="100 is a beginning")
    make_kernel = kernel_maker(kernel, num_leapfrog)
    with torch.no_grad():
        q = standard_q(model, x) if encoder is None else encoder(x)
    power = 4 if encoder is None else 1
    betas = [(bridge / num_bridges) ** power for bridge in range(num_bridges + 1)]
    return pilot(Bridges(model, x, q), make_kernel, betas, generator=generator)


def standard_q(model: GenerativeModel, x: Tensor) -> DiagonalGaussian | None:
    """N(0, I) for each image; None where it is the prior, whose density then need not be taken twice."""
    if isinstance(model.prior, StandardNormal):
        return None
    mean = torch.zeros(len(x), model.latent_dim, dtype=model.dtype, device=x.device)
    return DiagonalGaussian(mean, torch.zeros_like(mean))


def kernel_maker(kernel: str, num_leapfrog: int) -> MakeKernel:
    """The kernel with a step of one for M = 1: MALA's step size is half the square of a leapfrog step's."""
    if one_of("kernel", kernel, ("hmc", "mala")) == "mala":
        return functools.partial(mala, step_size=0.5)
    num_leapfrog = whole_number("num_leapfrog", num_leapfrog, remedy="one is MALA")
    return functools.partial(hmc, step_size=1.0, num_leapfrog=num_leapfrog)


def summarize(walk: Walk, log_weights: Tensor, acceptance: float) -> Evidence:
    """The evidence from the weights of the chains."""
    step_sizes = [squares.log().mean().div(2).exp() for squares in walk.squares]
    weights = torch.softmax(log_weights, 0)
    return Evidence(
        torch.logsumexp(log_weights, 0) - math.log(len(log_weights)),
        log_weights,
        1 / weights.square().sum(0),
        acceptance,
        torch.stack(step_sizes) if step_sizes else log_weights.new_zeros(0),
    )
