"""The Metropolis test that makes MALA and HMC exact: both hand it a proposal and a log-ratio."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import real_number
from pcltut.samplers.kernel import (
    ChainState,
    MetropolisNoise,
    StepInfo,
    Target,
    check_start,
    draw_normal,
    evaluate,
    select_chains,
)
from pcltut.samplers.preconditioners import ConstantPreconditioner, Preconditioner


def draw_metropolis_noise(state: ChainState, generator: torch.Generator) -> MetropolisNoise:
    """A normal for each latent and a uniform for each chain."""
    normal = draw_normal(state, generator)
    shape = state.z.shape[:-1]
    return MetropolisNoise(normal, torch.rand(shape, generator=generator, device=generator.device, dtype=normal.dtype))


def evaluated_state(target: Target, z: Tensor) -> ChainState:
    """The first state of a kernel that keeps what the target gives at its position.

    Raises:
        ValueError: its shapes are wrong, or it is not finite there.
    """
    log_density, score, aux = evaluate(target, z.detach())
    check_start(z, log_density, score)
    return ChainState(z.detach(), log_density=log_density, score=score, aux=aux)


def metropolis(
    state: ChainState, proposal: ChainState, log_ratio: Float[Tensor, "*chain"], uniform: Float[Tensor, "*chain"]
) -> tuple[ChainState, StepInfo]:
    """Accept `proposal` with probability min(1, exp(log_ratio)), chain by chain; a ratio that is NaN rejects."""
    acceptance = torch.nan_to_num(log_ratio.clamp(max=0).exp(), nan=0.0)
    info = StepInfo(state.z, state.log_density, state.score, acceptance, state.aux)
    return select_chains(uniform.log() < log_ratio, proposal, state), info


def check_metropolis(temperature: float, preconditioner: Preconditioner | None) -> tuple[float, Tensor | float]:
    """The temperature and the diagonal of M, or a ValueError where there is no Metropolis test."""
    temperature = real_number("temperature", temperature, above=0.0, remedy="for 0 use gradient_ascent")
    if preconditioner is None:
        return temperature, 1.0
    if not isinstance(preconditioner, ConstantPreconditioner):
        raise ValueError(
            f"got {preconditioner}, expected a ConstantPreconditioner or none; an adaptive one breaks the Metropolis "
            "test, use ula or ConstantPreconditioner(...)"
        )
    return temperature, preconditioner.diagonal
