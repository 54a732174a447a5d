"""The Metropolis-adjusted Langevin algorithm: Langevin steps whose stationary law is the target itself."""

from pcltut.samplers.kernel import ChainState, Kernel, MetropolisNoise, StepInfo, Target, check_step_size, evaluate
from pcltut.samplers.metropolis import check_metropolis, draw_metropolis_noise, evaluated_state, metropolis
from pcltut.samplers.preconditioners import Preconditioner


def mala(
    target: Target,
    step_size: float,
    *,
    temperature: float = 1.0,
    preconditioner: Preconditioner | None = None,
) -> Kernel:
    r"""Langevin proposals with a Metropolis test, one evaluation of the target a step.

    A proposal :math:`z' = z + \gamma M s(z) + \sqrt{2 \gamma \tau M} \varepsilon` is accepted with log-probability

    .. math::
       \min\Big(0, \; & \frac{\log p(z') - \log p(z)}{\tau} \\
       & + \sum_i \frac{(z' - z - \gamma M s(z))_i^2 - (z - z' - \gamma M s(z'))_i^2}{4 \gamma \tau M_i}\Big)

    Source: Roberts and Tweedie (1996). Exact at any step size and temperature for a fixed M; chains that start far
    out at a large step reject for a long time.

    Args:
        preconditioner: a constant M (an adaptive one would change the target); ones if not given.
    """
    step_size = check_step_size(step_size)
    temperature, diagonal = check_metropolis(temperature, preconditioner)

    def step(state: ChainState, noise: MetropolisNoise) -> tuple[ChainState, StepInfo]:
        variance = 2 * step_size * temperature * diagonal
        z = state.z + step_size * diagonal * state.score + variance**0.5 * noise.normal
        log_density, score, aux = evaluate(target, z)
        proposal = ChainState(z, None, log_density, score, aux)
        back = state.z - z - step_size * diagonal * proposal.score
        # The forward move's square over 4 gamma tau M is half the squared noise.
        log_ratio = (proposal.log_density - state.log_density) / temperature
        log_ratio = log_ratio + 0.5 * (noise.normal.square() - back.square() / variance).sum(-1)
        return metropolis(state, proposal, log_ratio, noise.uniform)

    return Kernel(lambda z: evaluated_state(target, z), draw_metropolis_noise, step)
