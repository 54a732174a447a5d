"""How far a Langevin step is from divergence, by power iteration on the energy's curvature."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.models import GenerativeModel
from pcltut.noise import standard_normal
from pcltut.samplers.kernel import check_step_size

MAX_IMAGES = 32


@torch.no_grad()
def stability_margin(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    z: Float[Tensor, "batch latent"],
    step_size: float,
    *,
    preconditioner: Float[Tensor, "*batch latent"] | None = None,
    num_iterations: int = 20,
    generator: torch.Generator,
) -> float:
    r"""An estimate of the factor by which `step_size` may still grow before the chain diverges.

    .. math:: \frac{2}{\gamma \, \lambda_{max}(M^{1/2} H M^{1/2})}

    with H the model's (Gauss-Newton) curvature at `z`, the largest over the images. Below 1 a chain on a Gaussian
    diverges, :eq:`eq-stability`, and elsewhere the stiff directions are sampled badly. Power iteration approaches
    lambda_max from below, so the margin is an estimate from above.

    Args:
        x: images; the first 32 are used.
        z: their latents, where the curvature is taken.
        preconditioner: diagonal of M at `z`; ones if not given.
    """
    step_size = check_step_size(step_size)
    num_iterations = whole_number("num_iterations", num_iterations, remedy="20 are usual")
    diagonal = torch.ones_like(z) if preconditioner is None else preconditioner.expand(z.shape)
    x, z, root = x[:MAX_IMAGES], z[:MAX_IMAGES].detach(), diagonal[:MAX_IMAGES].sqrt()
    direction = standard_normal(z.shape, generator=generator, dtype=z.dtype)
    curvature = torch.ones_like(z[:, 0])
    for _ in range(num_iterations):
        direction = direction / direction.norm(dim=-1, keepdim=True)
        product = root * model.curvature_product(x, z, root * direction)
        curvature = (direction * product).sum(-1)
        direction = product
    return 2 / (step_size * curvature.max().item())
