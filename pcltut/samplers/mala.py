"""The Metropolis-adjusted Langevin algorithm: Langevin steps whose stationary law is the target itself."""

from jaxtyping import Float
from torch import Tensor

from pcltut.samplers.kernel import ChainState, Kernel, MetropolisNoise, StepInfo, Target, check_step_size
from pcltut.samplers.metropolis import check_metropolis, draw_metropolis_noise, evaluated_state, metropolis


def mala(
    target: Target,
    step_size: float,
    *,
    temperature: float = 1.0,
    scale: Float[Tensor, "*batch latent"] | None = None,
) -> Kernel:
    r"""Langevin proposals with a Metropolis test, one evaluation of the target a step.

    A proposal :math:`z' = z + \gamma M s(z) + \sqrt{2 \gamma \tau M} \varepsilon` is accepted with log-probability

    .. math::
       \min\Big(0, \; & \frac{\log p(z') - \log p(z)}{\tau} \\
       & + \sum_i \frac{(z' - z - \gamma M s(z))_i^2 - (z - z' - \gamma M s(z'))_i^2}{4 \gamma \tau M_i}\Big)

    Source: Roberts and Tweedie (1996). Exact at any step size and temperature for a fixed M; chains that start far
    out at a large step reject for a long time.

    Args:
        scale: diagonal of M, fixed (an adaptive one would change the target); ones if not given.
    """
    check_step_size(step_size)
    check_metropolis(temperature, scale)
    metric = 1.0 if scale is None else scale

    def step(state: ChainState, noise: MetropolisNoise) -> tuple[ChainState, StepInfo]:
        variance = 2 * step_size * temperature * metric
        z = state.z + step_size * metric * state.score + variance**0.5 * noise.normal
        proposal = ChainState(z, None, *target(z))
        back = state.z - z - step_size * metric * proposal.score
        # The forward move's square over 4 gamma tau M is half the squared noise.
        log_ratio = (proposal.log_density - state.log_density) / temperature
        log_ratio = log_ratio + 0.5 * (noise.normal.square() - back.square() / variance).sum(-1)
        return metropolis(state, proposal, log_ratio, noise.uniform)

    return Kernel(lambda z: evaluated_state(target, z), draw_metropolis_noise, step)
