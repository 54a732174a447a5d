"""Hamiltonian Monte Carlo: several leapfrog steps between two Metropolis tests."""

from pcltut.arguments import whole_number
from pcltut.samplers.kernel import ChainState, Kernel, MetropolisNoise, StepInfo, Target, check_step_size, evaluate
from pcltut.samplers.metropolis import check_metropolis, draw_metropolis_noise, evaluated_state, metropolis
from pcltut.samplers.preconditioners import Preconditioner


def hmc(
    target: Target,
    step_size: float,
    *,
    num_leapfrog: int,
    temperature: float = 1.0,
    preconditioner: Preconditioner | None = None,
) -> Kernel:
    r"""Hamiltonian Monte Carlo on :math:`p(z)^{1/\tau}` with a standard normal momentum r in coordinates scaled by M.

    One leapfrog step of size :math:`\epsilon`, `step_size`:

    .. math:: r \leftarrow r + \tfrac{\epsilon}{2\tau} M^{1/2} s(z), \quad z \leftarrow z + \epsilon M^{1/2} r, \quad
       r \leftarrow r + \tfrac{\epsilon}{2\tau} M^{1/2} s(z)

    and a Metropolis test on the change of :math:`\log p(z)/\tau - |r|^2/2` after `num_leapfrog` of them. With one
    step it is `mala` at :math:`\gamma = \epsilon^2 / (2\tau)`. Source: Neal (2011). Exact for a fixed M; its
    proposals' gradients belong to no state of the chain.

    Args:
        step_size: epsilon of a leapfrog step, a length, where the Langevin kernels' step size is a length squared.
        preconditioner: a constant M; ones if not given.
    """
    step_size = check_step_size(step_size)
    temperature, diagonal = check_metropolis(temperature, preconditioner)
    num_leapfrog = whole_number("num_leapfrog", num_leapfrog, remedy="one is MALA")
    stride = step_size * diagonal**0.5

    def step(state: ChainState, noise: MetropolisNoise) -> tuple[ChainState, StepInfo]:
        z, score, momentum = state.z, state.score, noise.normal
        for _ in range(num_leapfrog):
            momentum = momentum + 0.5 * stride * score / temperature
            z = z + stride * momentum
            log_density, score, aux = evaluate(target, z)
            momentum = momentum + 0.5 * stride * score / temperature
        log_ratio = (log_density - state.log_density) / temperature
        log_ratio = log_ratio + 0.5 * (noise.normal.square() - momentum.square()).sum(-1)
        return metropolis(state, ChainState(z, None, log_density, score, aux), log_ratio, noise.uniform)

    return Kernel(lambda z: evaluated_state(target, z), draw_metropolis_noise, step)
