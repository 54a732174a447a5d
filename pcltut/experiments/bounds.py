"""Lower bounds on the evidence of one trained model, side by side."""

import torch
from torch import Tensor

from pcltut.evaluation import ais_log_evidence, bdmc, ula_path_bound
from pcltut.experiments.declaration import Effort
from pcltut.models import DiagonalGaussian, GaussianEncoder, GenerativeModel
from pcltut.objectives import elbo, iwae_bound

ELBO_SAMPLES, IWAE_SAMPLES, PATH_STEPS = 64, (8, 64, 512), (10, 100)
PATH_STEP_SIZES = (1e-4, 3e-4, 1e-3)


@torch.no_grad()
def lower_bounds(
    model: GenerativeModel, encoder: GaussianEncoder | None, x: Tensor, effort: Effort, generator: torch.Generator
) -> dict[str, float]:
    """Mean bounds over images, in nats, all on the same model; and the sandwich on data that the model simulates.

    ELBO and importance-weighted bounds need an encoder; paths start at its draw, or at the prior's without one. A
    path's step size is the best of three: each is a bound in expectation, and so is the highest mean (but for its
    choice on the same images, which the number of images makes small).
    """
    options = {
        "generator": generator,
        "num_steps": effort.num_bridges,
        "num_chains": effort.num_chains,
        "num_leapfrog": effort.num_leapfrog,
    }
    found: dict[str, float] = {}
    q = encoder(x) if encoder is not None else _prior(model, x)
    if encoder is not None:
        found["ELBO"] = elbo(model, x, q, _noise(q, ELBO_SAMPLES, generator)).mean().item()
        for num in IWAE_SAMPLES:
            found[f"IWAE {num}"] = iwae_bound(model, x, q, _noise(q, num, generator)).mean().item()
    for num_steps in PATH_STEPS:
        for annealed in (False, True):
            name = f"{'annealed' if annealed else 'plain'} ULA path {num_steps}"
            found[name] = max(
                ula_path_bound(model, x, q, step, num_steps, annealed=annealed, generator=generator).mean().item()
                for step in PATH_STEP_SIZES
            )
    found["AIS from the prior"] = ais_log_evidence(model, x, **options).log_evidence.mean().item()
    if encoder is not None:
        found["AIS from the encoder"] = (
            ais_log_evidence(model, x, encoder=encoder, **options).log_evidence.mean().item()
        )
    sandwich = bdmc(model, len(x), **options)
    found |= {
        "simulated: lower": sandwich.lower.mean().item(),
        "simulated: upper": sandwich.upper.mean().item(),
        "simulated: gap": float(sandwich.gap),
    }
    return found


def _noise(q: DiagonalGaussian, num: int, generator: torch.Generator) -> Tensor:
    return torch.randn((num, *q.mean.shape), generator=generator, device=q.mean.device)


def _prior(model: GenerativeModel, x: Tensor) -> DiagonalGaussian:
    zeros = torch.zeros(len(x), model.latent_dim, device=x.device)
    return DiagonalGaussian(zeros, zeros)
