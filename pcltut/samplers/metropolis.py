"""The Metropolis test that makes MALA and HMC exact: both hand it a proposal and a log-ratio."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.samplers.kernel import ChainState, MetropolisNoise, StepInfo, Target, standard_normal


def draw_metropolis_noise(state: ChainState, generator: torch.Generator) -> MetropolisNoise:
    """A normal for each latent and a uniform for each chain."""
    normal = standard_normal(state.z, generator)
    shape = state.z.shape[:-1]
    return MetropolisNoise(normal, torch.rand(shape, generator=generator, device=generator.device, dtype=normal.dtype))


def evaluated_state(target: Target, z: Tensor) -> ChainState:
    """The first state of a kernel that keeps log-density and score of its position."""
    log_density, score = target(z.detach())
    return ChainState(z.detach(), log_density=log_density, score=score)


def metropolis(
    state: ChainState, proposal: ChainState, log_ratio: Float[Tensor, "*chain"], uniform: Float[Tensor, "*chain"]
) -> tuple[ChainState, StepInfo]:
    """Accept `proposal` with probability min(1, exp(log_ratio)), chain by chain; a ratio that is NaN rejects."""
    accepts = uniform.log() < log_ratio
    z = torch.where(accepts[..., None], proposal.z, state.z)
    log_density = torch.where(accepts, proposal.log_density, state.log_density)
    score = torch.where(accepts[..., None], proposal.score, state.score)
    acceptance = torch.nan_to_num(log_ratio.clamp(max=0).exp(), nan=0.0)
    return ChainState(z, log_density=log_density, score=score), StepInfo(z, log_density, score, acceptance)


def check_metropolis(temperature: float, scale: Tensor | None) -> None:
    """Raise ValueError for a temperature or a scale without a Metropolis test."""
    if temperature <= 0:
        raise ValueError(f"got temperature={temperature}, expected a positive number; for 0 use gradient_ascent")
    if scale is not None and not bool((scale > 0).all()):
        raise ValueError(f"got a scale with entries down to {scale.min().item():.3g}, expected positive ones")
