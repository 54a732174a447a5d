"""Underdamped Langevin dynamics by the BAOAB splitting: momentum, no Metropolis test, little bias."""

import math

import torch
from torch import Tensor

from pcltut.arguments import real_number
from pcltut.samplers.kernel import ChainState, Kernel, StepInfo, Target, check_step_size, draw_normal, evaluate
from pcltut.samplers.metropolis import evaluated_state


def underdamped(target: Target, step_size: float, *, friction: float, temperature: float = 1.0) -> Kernel:
    r"""Langevin dynamics with momentum, :math:`dz = r\,dt, \; dr = s(z)\,dt - \xi r\,dt + \sqrt{2 \xi \tau}\,dW`.

    One step of size h kicks (B), drifts (A), refreshes the momentum (O), drifts and kicks:

    .. math::
       r & \leftarrow r + \tfrac{h}{2} s(z), \quad z \leftarrow z + \tfrac{h}{2} r \\
       r & \leftarrow e^{-\xi h} r + \sqrt{\tau (1 - e^{-2 \xi h})}\, \varepsilon \\
       z & \leftarrow z + \tfrac{h}{2} r, \quad r \leftarrow r + \tfrac{h}{2} s(z)

    with one evaluation of the target. Source: Leimkuhler and Matthews (2013). On a Gaussian target the positions' law
    is exact at every stable step (:math:`h^2 \lambda < 4`), where ULA's is too wide; elsewhere the bias is of order
    h^2. The momentum starts at zero, so that the first states are narrower than they should be.

    Args:
        step_size: h, a length; h^2 / 2 compares with the Langevin kernels' step size.
        friction: xi; large values approach `ula`.
    """
    step_size = check_step_size(step_size)
    friction = real_number("friction", friction, above=0.0, remedy="raise it")
    temperature = real_number("temperature", temperature, above=0.0, remedy="raise it")
    keep = math.exp(-friction * step_size)
    refresh = math.sqrt(temperature * (1 - keep**2))

    def init(z: Tensor) -> ChainState:
        return evaluated_state(target, z)._replace(momentum=torch.zeros_like(z))

    def step(state: ChainState, noise: Tensor) -> tuple[ChainState, StepInfo]:
        momentum = state.momentum + 0.5 * step_size * state.score
        z = state.z + 0.5 * step_size * momentum
        momentum = keep * momentum + refresh * noise
        z = z + 0.5 * step_size * momentum
        log_density, score, aux = evaluate(target, z)
        momentum = momentum + 0.5 * step_size * score
        info = StepInfo(state.z, state.log_density, state.score, aux=state.aux)
        return ChainState(z, None, log_density, score, aux, momentum), info

    return Kernel(init, draw_normal, step)
