"""ULA with noise that makes it exact on a Gaussian target whose curvature is known."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import real_number
from pcltut.samplers.kernel import ChainState, Kernel, StepInfo, Target, check_step_size, draw_normal, evaluate
from pcltut.samplers.preconditioners import ConstantPreconditioner


def corrected_ula(
    target: Target,
    step_size: float,
    precision: Float[Tensor, "*batch latent latent"],
    *,
    temperature: float = 1.0,
    preconditioner: ConstantPreconditioner | None = None,
) -> Kernel:
    r"""Langevin steps with noise that accounts for the step's own error, of covariance

    .. math:: \tau (2 \gamma M - \gamma^2 M \Lambda M) \quad \text{instead of} \quad 2 \gamma \tau M.

    On a Gaussian target with this precision the stationary law is the target at every stable step: the discretization
    widens what the smaller noise narrows. On other targets it corrects the part of ULA's bias that comes from the
    curvature given, and no more.

    Args:
        precision: Lambda, one for all images or one for each.
        preconditioner: a constant M; ones if not given.

    Raises:
        ValueError: the step is not stable, so that no noise makes it exact.
    """
    step_size = check_step_size(step_size)
    temperature = real_number("temperature", temperature, above=0.0, remedy="for 0 use gradient_ascent")
    diagonal = torch.ones_like(precision[..., 0]) if preconditioner is None else preconditioner.diagonal
    diagonal = diagonal.expand(precision.shape[:-1])
    metric = torch.diag_embed(diagonal)
    covariance = temperature * (2 * step_size * metric - step_size**2 * metric @ precision @ metric)
    root, failures = torch.linalg.cholesky_ex(covariance)
    if bool(failures.any()):
        raise ValueError(
            f"got step_size={step_size}, expected one below 2 over the largest curvature (beyond it no "
            "noise makes the step exact); lower step_size"
        )

    def init(z: Tensor) -> ChainState:
        return ChainState(z.detach())

    def step(state: ChainState, noise: Tensor) -> tuple[ChainState, StepInfo]:
        log_density, score, aux = evaluate(target, state.z)
        z = state.z + step_size * diagonal * score + (root @ noise[..., None])[..., 0]
        return ChainState(z), StepInfo(state.z, log_density, score, aux=aux)

    return Kernel(init, draw_normal, step)
