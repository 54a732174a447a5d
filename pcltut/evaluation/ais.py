"""Annealed importance sampling: the evidence of a model, image by image."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.evaluation.annealing import Bridge, MakeKernel, Schedule, anneal, pilot
from pcltut.models import DiagonalGaussian, GenerativeModel
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
    num_steps: int = 300,
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
    a leapfrog step, `num_steps * num_leapfrog` for the pilot and as many for the weights, of all chains at once.

    Args:
        num_steps: number of bridges T.
        num_leapfrog: leapfrog steps of one HMC move; MALA has none.
        encoder: gives the first distribution q(z | x); the prior if not given.
    """
    check_annealing(x, num_steps, num_chains, kernel)
    bridge, betas = start_bridge(model, x, encoder, num_steps)
    make_kernel = kernel_maker(kernel, num_leapfrog)
    schedule = pilot(bridge, betas, make_kernel, generator)
    point = bridge.start(num_chains, generator)
    log_weights, acceptance = anneal(bridge, point, schedule, make_kernel, generator)
    return summarize(log_weights, acceptance, schedule)


def bits_per_dimension(log_evidence: Float[Tensor, " batch"], event_shape: Sequence[int]) -> Float[Tensor, " batch"]:
    r"""Bits that a code spends on a pixel, :math:`-\log p(x) / (D \log 2)` with D the number of pixels and channels.

    For likelihoods that give masses to pixel levels (`DiscretizedGaussian`): there 8 is what uniform noise costs. The
    logarithm of a density is not a code length: it depends on the units of x.
    """
    num_dimensions = math.prod(event_shape)
    if num_dimensions < 1:
        raise ValueError(f"got event_shape={tuple(event_shape)}, expected sizes of at least 1, as (1, 28, 28)")
    return -log_evidence / (num_dimensions * math.log(2))


def start_bridge(
    model: GenerativeModel, x: Tensor, encoder: Callable[[Tensor], DiagonalGaussian] | None, num_steps: int
) -> tuple[Bridge, list[float]]:
    """The bridges from the prior or from the encoder's q, and their betas.

    From the prior the first few bridges do most of the work, so betas grow as the fourth power; an encoder's q is
    near the posterior, and they grow evenly.
    """
    if encoder is None:
        return Bridge(model, x, None), [(step / num_steps) ** 4 for step in range(num_steps + 1)]
    with torch.no_grad():
        q = encoder(x)
    if q.mean.shape[-1] != model.latent_dim:
        raise ValueError(
            f"got an encoder with {q.mean.shape[-1]} latents, expected {model.latent_dim} like the model; "
            "build both with one latent_dim"
        )
    return Bridge(model, x, q), [step / num_steps for step in range(num_steps + 1)]


def kernel_maker(kernel: str, num_leapfrog: int) -> MakeKernel:
    """A kernel from a target and squared steps, `scale`; MALA's step size is half the square of a leapfrog step's."""
    if kernel == "hmc":
        return lambda target, scale: hmc(target, 1.0, num_leapfrog=num_leapfrog, scale=scale)
    return lambda target, scale: mala(target, 0.5, scale=scale)


def summarize(log_weights: Tensor, acceptance: float, schedule: Schedule) -> Evidence:
    """The evidence from the weights of the chains."""
    step_sizes = [scale.log().mean().div(2).exp() for scale in schedule.scales]
    weights = torch.softmax(log_weights, 0)
    return Evidence(
        torch.logsumexp(log_weights, 0) - math.log(len(log_weights)),
        log_weights,
        1 / weights.square().sum(0),
        acceptance,
        torch.stack(step_sizes) if step_sizes else log_weights.new_zeros(0),
    )


def check_annealing(x: Tensor, num_steps: int, num_chains: int, kernel: str) -> None:
    """Raise ValueError for settings without a meaning."""
    if num_steps < 1:
        raise ValueError(f"got num_steps={num_steps}, expected at least 1 bridge; 100 is a beginning")
    if num_chains < 1:
        raise ValueError(f"got num_chains={num_chains}, expected at least 1 for each image")
    if kernel not in ("hmc", "mala"):
        raise ValueError(f"got kernel={kernel!r}, expected 'hmc' or 'mala'; ULA's bias would enter the weights")
    if not bool(torch.isfinite(x).all()):
        raise ValueError("got images with values that are not finite, expected finite ones; check how x was made")
