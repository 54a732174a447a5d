"""The unadjusted Langevin algorithm, and predictive coding as its zero-temperature case."""

import torch
from torch import Tensor

from pcltut.arguments import real_number
from pcltut.samplers.kernel import ChainState, Kernel, StepInfo, Target, check_step_size, draw_normal, evaluate
from pcltut.samplers.preconditioners import Preconditioner


def ula(
    target: Target,
    step_size: float,
    *,
    temperature: float = 1.0,
    preconditioner: Preconditioner | None = None,
) -> Kernel:
    r"""Overdamped Langevin dynamics, by Euler-Maruyama without correction.

    .. math:: z_{t+1} = z_t + \gamma M_t \nabla \log p(x, z_t) + \sqrt{2 \gamma \tau M_t}\, \varepsilon_t

    with gamma = `step_size`, tau = `temperature` and a diagonal M (ones without a preconditioner). Source: Zahid, Guo
    and Fountas (2024), equations (3)-(5), and (18)-(20) with M. See :eq:`eq-ula`. (Welling and Teh's step size is
    twice this one.)

    Biased: at any positive step the stationary law is not the target but wider (:eq:`eq-ula-stationary`), and a running
    preconditioner adds a bias of its own. Diverges where `step_size` times the largest curvature exceeds 2.

    Args:
        target: `z -> (log_density [*chain, batch], score [*chain, batch, latent])`; make one with `value_and_score_of`.
        temperature: 1 samples the target, 0 climbs to a mode and draws no noise.
    """
    step_size = check_step_size(step_size)
    remedy = "1 samples the target, 0 finds its mode"
    temperature = real_number("temperature", temperature, at_least=0.0, remedy=remedy)

    def init(z: Tensor) -> ChainState:
        return ChainState(z.detach(), None if preconditioner is None else preconditioner.init(z.detach()))

    def draw(state: ChainState, generator: torch.Generator) -> Tensor | None:
        return None if temperature == 0 else draw_normal(state, generator)

    def step(state: ChainState, noise: Tensor | None) -> tuple[ChainState, StepInfo]:
        z, memory = state.z, state.preconditioner
        log_density, score, aux = evaluate(target, z)
        if preconditioner is None:
            drift, spread = step_size * score, (2 * step_size * temperature) ** 0.5
        else:
            diagonal, memory = preconditioner.update(memory, score)
            drift, spread = step_size * diagonal * score, (2 * step_size * temperature * diagonal).sqrt()
        moved = z + drift if noise is None else z + drift + spread * noise
        return ChainState(moved, memory), StepInfo(z, log_density, score, aux=aux)

    return Kernel(init, draw, step)


def gradient_ascent(target: Target, step_size: float, *, preconditioner: Preconditioner | None = None) -> Kernel:
    r"""Predictive-coding inference, :math:`z_{t+1} = z_t + \gamma \nabla \log p(x, z_t)`: `ula` at temperature 0.

    Source: Zahid, Guo and Fountas (2024), equation (1). See :eq:`eq-pc-step`. It ends at a mode, a point without
    spread.
    """
    return ula(target, step_size, temperature=0.0, preconditioner=preconditioner)
