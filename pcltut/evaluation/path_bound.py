"""A bound on the evidence from the path of an unadjusted Langevin chain, step by step."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.evaluation.annealing import Bridges
from pcltut.evaluation.inputs import check_inputs
from pcltut.models import DiagonalGaussian, GenerativeModel
from pcltut.noise import standard_normal
from pcltut.samplers.kernel import check_step_size


@torch.no_grad()
def ula_path_bound(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    q: DiagonalGaussian,
    step_size: float,
    num_steps: int,
    *,
    annealed: bool,
    generator: torch.Generator,
    num_samples: int = 1,
) -> Float[Tensor, "samples batch"]:
    r"""Log-weights of ULA paths that start at q, with :math:`E\, w = p(x)`: their mean is a bound from below.

    .. math:: \log w = \log \frac{p(x, z_T)}{q(z_0)} + \sum_{t=1}^{T}
       \frac{|z_t - z_{t-1} - \gamma s_t(z_{t-1})|^2 - |z_{t-1} - z_t - \gamma s_t(z_t)|^2}{4 \gamma}

    The sum is the log-density of the path's steps backward over that forward. With `annealed` the t-th step follows
    the score :math:`s_t` of the bridge :math:`q^{1 - t/T} \, p(x, \cdot)^{t/T}`; without, every step follows that of
    the posterior, as the chain of LPC does. Holds at every step size; no test accepts or rejects. See
    :eq:`eq-path-bound`.

    Un-annealed the bound hardly rises above the ELBO of q, however near z_T is to the posterior: going backward the
    same steps would have to lead from the posterior to q, and they do not. It costs one decoder pass a step.

    Args:
        num_samples: independent paths for each image.
    """
    step_size = check_step_size(step_size)
    num_steps = whole_number("num_steps", num_steps, remedy="for none the bound is the ELBO")
    num_samples = whole_number("num_samples", num_samples, remedy="take one or more paths for each image")
    check_inputs(model, x, generator=generator)
    bridges = Bridges(model, x, q)
    point = bridges.start(num_samples, generator=generator)
    log_weights = -point.base.double()
    for step in range(1, num_steps + 1):
        beta = step / num_steps if annealed else 1.0
        noise = standard_normal(point.z.shape, generator=generator, dtype=point.z.dtype)
        moved = bridges.evaluate(point.z + step_size * point.score(beta) + (2 * step_size) ** 0.5 * noise)
        back = point.z - moved.z - step_size * moved.score(beta)
        # The forward step's square over 4 gamma is half the squared noise.
        log_weights += 0.5 * noise.square().sum(-1) - back.square().sum(-1) / (4 * step_size)
        point = moved
    return log_weights + point.base + point.gain
