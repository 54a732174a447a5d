"""How far a Langevin step is from divergence, by power iteration on the energy's curvature."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.models import GenerativeModel

MAX_IMAGES = 32


@torch.no_grad()
def stability_margin(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    z: Float[Tensor, "batch latent"],
    step_size: float,
    *,
    scale: Float[Tensor, "*batch latent"] | None = None,
    num_iterations: int = 20,
    generator: torch.Generator,
) -> float:
    r"""An estimate of the factor by which `step_size` may still grow before the chain diverges.

    .. math:: \frac{2}{\gamma \, \lambda_{max}(M^{1/2} H M^{1/2})}

    with H the model's (Gauss-Newton) curvature at `z`, the largest over the images. Below 1 the chain diverges; see
    :eq:`eq-stability`. Power iteration approaches lambda_max from below, so the margin is an estimate from above.

    Args:
        x: images; the first 32 are used.
        z: their latents, where the curvature is taken.
        scale: diagonal of the preconditioner M; ones if not given.
    """
    scale_shape = z.shape
    x, z = x[:MAX_IMAGES], z[:MAX_IMAGES].detach()
    root = torch.ones_like(z) if scale is None else scale.expand(scale_shape)[:MAX_IMAGES].sqrt()
    direction = torch.randn(z.shape, generator=generator, device=generator.device, dtype=z.dtype)
    curvature = torch.ones_like(z[:, 0])
    for _ in range(num_iterations):
        direction = direction / direction.norm(dim=-1, keepdim=True)
        product = root * model.curvature_product(x, z, root * direction)
        curvature = (direction * product).sum(-1)
        direction = product
    return 2 / (step_size * curvature.max().item())
