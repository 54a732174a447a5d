"""A density fitted to the latents of training images, to sample from where the posteriors are."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.evaluation.inputs import check_inputs, check_q
from pcltut.models import DiagonalGaussian, GaussianMixture, GenerativeModel
from pcltut.noise import standard_normal
from pcltut.samplers import ConstantPreconditioner, mala, value_and_score_of

CHUNK = 500  # images whose chains run together
FIRST_STEP_SIZE = 0.3  # in units of the inverse curvature
TARGET_ACCEPTANCE = 0.574  # of MALA (Roberts and Rosenthal, 1998)
ADAPTATION_RATE = 0.5
HELD_OUT = 0.2  # share of the latents on which the number of components is chosen


def refined_latents(
    model: GenerativeModel,
    encoder: Callable[[Tensor], DiagonalGaussian] | None,
    x: Float[Tensor, "batch ..."],
    *,
    num_steps: int = 30,
    generator: torch.Generator,
) -> Float[Tensor, "batch latent"]:
    r"""One latent for each image: a draw from the encoder, or the prior, refined by steps towards the posterior.

    The steps are MALA's with :math:`M = \gamma_i / c_j`, c the size of the energy's (Gauss-Newton) curvature along
    latent j and :math:`\gamma_i` a step for each image, which follows the acceptance in the first half of the steps.
    The second half is frozen and leaves the posterior invariant. It reads nothing of how a model was trained and
    needs no tuning, so it is the same for all methods.

    Args:
        x: images as the model takes them.
        num_steps: decoder passes, forward and backward, for each image; 0 gives the draws themselves.
    """
    num_steps = whole_number("num_steps", num_steps, at_least=0, remedy="0 gives the draws themselves")
    check_inputs(model, x, generator=generator)
    return torch.cat([_refine(model, encoder, part, num_steps, generator=generator) for part in x.split(CHUNK)])


def _refine(
    model: GenerativeModel,
    encoder: Callable[[Tensor], DiagonalGaussian] | None,
    x: Tensor,
    num_steps: int,
    *,
    generator: torch.Generator,
) -> Tensor:
    with torch.no_grad():
        if encoder is None:
            z = model.sample_prior(len(x), generator=generator)
        else:
            q = encoder(x)
            check_q(model, x, q)
            z = q.sample(standard_normal(q.mean.shape, generator=generator, dtype=q.mean.dtype))
    if not num_steps:
        return z
    target = value_and_score_of(lambda z: model.log_joint(x, z))
    state = mala(target, 1.0).init(z)
    log_step = torch.full_like(z[:, :1], FIRST_STEP_SIZE).log()
    pilot = num_steps // 2
    for step in range(num_steps):
        if step in (0, pilot):
            curvature = _curvature(model, x, state.z, generator=generator)
        kernel = mala(target, 1.0, preconditioner=ConstantPreconditioner(log_step.exp() / curvature))
        state, info = kernel.step(state, kernel.draw(state, generator))
        if step < pilot:
            log_step = log_step + ADAPTATION_RATE * (info.acceptance[:, None] - TARGET_ACCEPTANCE)
    return state.z


@torch.no_grad()
def _curvature(model: GenerativeModel, x: Tensor, z: Tensor, *, generator: torch.Generator) -> Tensor:
    r"""For each latent the root mean square over images of :math:`(H v)_j`, v standard normal: the norm of H's row."""
    v = standard_normal(z.shape, generator=generator, dtype=z.dtype)
    return model.curvature_product(x, z, v).square().mean(0).sqrt()


def fit_latent_density(
    z: Float[Tensor, "batch latent"], *, seed: int = 0, candidates: Sequence[int] = (1, 2, 5, 10, 20, 50, 100)
) -> GaussianMixture:
    r"""A mixture of Gaussians with full covariances, by expectation maximization (scikit-learn).

    The number of components is the candidate with the largest mean log-density of held-out latents, a fifth of `z`;
    the chosen number is then fitted to all of `z`. A density fitted ex post to latents: Dai and Wipf (2019), Ghosh et
    al. (2020).

    Args:
        z: latents, in random order or not.
        seed: of the split and the first means; one seed gives one mixture.
        candidates: numbers of components; those with fewer than latent + 1 latents a component, too few for a
            covariance of full rank, are left out.

    Raises:
        ValueError: latents that are not finite, or too few for the smallest candidate.
    """
    if z.ndim != 2 or not bool(torch.isfinite(z).all()):
        raise ValueError(
            f"got latents of shape {tuple(z.shape)}, finite: {bool(torch.isfinite(z).all())}, expected finite ones of "
            "shape (images, latent); train with a lower learning rate"
        )
    candidates = [whole_number("a candidate", each, remedy="one component is a Gaussian") for each in candidates]
    points = z.detach().cpu().double().numpy()
    order = np.random.default_rng(seed).permutation(len(points))
    held_out, kept = np.split(points[order], [int(HELD_OUT * len(points))])
    needed = z.shape[1] + 1
    possible = [each for each in candidates if len(kept) >= needed * each]
    if not possible:
        raise ValueError(
            f"got {len(points)} latents, too few for any of candidates={tuple(candidates)}, expected {needed} for each "
            f"component in the {1 - HELD_OUT:.0%} that are not held out; pass more images"
        )
    scores = {each: _fit(kept, each, seed).score(held_out) for each in possible}
    found = _fit(points, max(scores, key=scores.get), seed)
    parts = (found.weights_ / found.weights_.sum(), found.means_, np.linalg.cholesky(found.covariances_))
    return GaussianMixture(*(torch.as_tensor(part).to(z) for part in parts))


def _fit(points: np.ndarray, num_components: int, seed: int) -> Any:
    """scikit-learn's mixture after expectation maximization from k-means, as far as it gets in its iterations."""
    from sklearn import mixture  # here, since its import takes long and moves a global random state
    from sklearn.exceptions import ConvergenceWarning

    found = mixture.GaussianMixture(num_components, covariance_type="full", random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return found.fit(points)
