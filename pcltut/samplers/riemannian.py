"""Langevin steps with a position-dependent M: what the omitted divergence term is worth."""

import torch
from torch import Tensor

from pcltut.arguments import real_number
from pcltut.samplers.kernel import ChainState, Kernel, StepInfo, Target, check_step_size, draw_normal, evaluate


def riemannian_ula(
    target: Target, step_size: float, *, eps: float, divergence: bool = True, temperature: float = 1.0
) -> Kernel:
    r"""Langevin steps with an instantaneous metric, :math:`M_i(z) = 1 / (\epsilon + |s_i(z)|)`, to learn from.

    .. math:: z' = z + \gamma (M(z) s(z) + \tau \nabla \cdot M(z)) + \sqrt{2 \gamma \tau M(z)}\, \varepsilon, \qquad
       (\nabla \cdot M)_i = \partial M_i / \partial z_i

    Source: Girolami and Calderhead (2011), in the corrected form of Xifara et al. (2014). With the divergence term the
    target is stationary as the step shrinks. Without it, where each M_i depends on its own z_i, the stationary
    density is proportional to :math:`p(z) / \prod_i M_i(z_i)`: on N(0, 1) with eps = .5, E z^2 is 1.6148 instead of
    1. The term costs one backward pass through the score for each latent, which is why it is omitted in practice.

    Args:
        target: from `value_and_score_of(log_density, differentiable=True)`; without the divergence term any.
        divergence: whether the divergence term is there.
    """
    step_size = check_step_size(step_size)
    eps = real_number("eps", eps, above=0.0, remedy="try 0.5")
    temperature = real_number("temperature", temperature, above=0.0, remedy="raise it")

    def divergence_of_metric(z: Tensor, diagonal: Tensor) -> Tensor:
        if not diagonal.requires_grad:
            raise ValueError(
                "got a target whose score has no graph, expected one that can be differentiated again; make it with "
                "value_and_score_of(log_density, differentiable=True), or leave the term out with divergence=False"
            )
        # Each chain's M depends on its own z: one backward pass through M_i gives d M_i / d z_i of all chains.
        parts = [torch.autograd.grad(column.sum(), z, retain_graph=True)[0] for column in diagonal.unbind(-1)]
        return torch.stack([part[..., index] for index, part in enumerate(parts)], dim=-1)

    def init(z: Tensor) -> ChainState:
        return ChainState(z.detach())

    def step(state: ChainState, noise: Tensor) -> tuple[ChainState, StepInfo]:
        with torch.enable_grad():
            z = state.z.detach().requires_grad_(divergence)
            log_density, score, aux = evaluate(target, z)
            diagonal = 1 / (eps + score.abs())
            correction = temperature * divergence_of_metric(z, diagonal) if divergence else 0.0
        log_density, score, diagonal = log_density.detach(), score.detach(), diagonal.detach()
        drift = diagonal * score + correction
        moved = state.z + step_size * drift + (2 * step_size * temperature * diagonal).sqrt() * noise
        return ChainState(moved), StepInfo(state.z, log_density, score, aux=aux)

    return Kernel(init, draw_normal, step)
