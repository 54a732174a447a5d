"""Latents refined towards posteriors that are known, and densities fitted to draws of mixtures that are known."""

import pytest
import torch
from oracles import assert_covariance, assert_mean, linear_weight, normal, seeded

from pcltut.evaluation import fit_latent_density, refined_latents
from pcltut.models import DiagonalGaussian, GaussianMixture, LinearGaussian

MODEL = LinearGaussian(linear_weight(), normal(5, seed=1), 0.3)
MIXTURE = GaussianMixture(
    torch.tensor([0.7, 0.3], dtype=torch.float64),
    torch.tensor([[-3.0, 0.0], [3.0, 1.0]], dtype=torch.float64),
    torch.eye(2, dtype=torch.float64).expand(2, 2, 2).clone(),
)


def off_encoder(x: torch.Tensor) -> DiagonalGaussian:
    """Displaced by two of the posterior's standard deviations, and half as wide."""
    mean, covariance = MODEL.posterior(x)
    scale = covariance.diagonal().sqrt()
    return DiagonalGaussian((mean + 2 * scale).detach(), (0.5 * scale).log().expand_as(mean).detach())


@pytest.mark.parametrize("encoder", [off_encoder, None], ids=["encoder", "prior"])
def test_refined_latents_are_posterior_draws(encoder):
    x = MODEL.sample(2000, generator=seeded(2))
    z = refined_latents(MODEL, encoder, x, num_steps=300, generator=seeded(3))
    mean, covariance = (part.detach() for part in MODEL.posterior(x))
    assert_mean(z - mean, 0.0)
    assert_covariance(z - mean, covariance)


def test_no_steps_give_the_draws():
    x = MODEL.sample(20, generator=seeded(2))
    q, noise = off_encoder(x), normal(20, 3, seed=4)
    assert torch.equal(refined_latents(MODEL, off_encoder, x, num_steps=0, generator=seeded(4)), q.sample(noise))
    assert torch.equal(refined_latents(MODEL, None, x, num_steps=0, generator=seeded(4)), noise)


def test_thirty_steps_bring_a_bad_start_near():
    """The log-joint, on average, is then that of the posterior within a nat; it began far below."""
    x = MODEL.sample(500, generator=seeded(2))
    mean, covariance = MODEL.posterior(x)
    exact = mean + normal(500, 3, seed=5) @ torch.linalg.cholesky(covariance).T
    levels = [MODEL.log_joint(x, refined_latents(MODEL, None, x, num_steps=n, generator=seeded(6))) for n in (0, 30)]
    lag = [(MODEL.log_joint(x, exact) - level).mean().item() for level in levels]
    assert lag[0] > 10
    assert abs(lag[1]) < 1


def test_the_fit_finds_the_mixture():
    """Two well-separated components: their number, weights and means, and a held-out density near the truth."""
    z = MIXTURE.sample(4000, generator=seeded(7))
    found = fit_latent_density(z, candidates=(1, 2, 8))
    assert len(found.weights) == 2
    order = found.means[:, 0].argsort()
    assert (found.weights[order] - MIXTURE.weights).abs().max() < 4.5 * (0.21 / 4000) ** 0.5
    assert (found.means[order] - MIXTURE.means).abs().max() < 4.5 * (1 / (0.3 * 4000)) ** 0.5
    fresh = MIXTURE.sample(4000, generator=seeded(8))
    assert abs((MIXTURE.log_prob(fresh) - found.log_prob(fresh)).mean()) < 0.01


def test_the_fit_is_deterministic_and_keeps_the_type():
    z = MIXTURE.sample(400, generator=seeded(7)).float()
    first, second = (fit_latent_density(z, seed=3, candidates=(2, 4)) for _ in range(2))
    assert torch.equal(first.cholesky, second.cholesky)
    assert first.means.dtype == torch.float32


@pytest.mark.usefixtures("no_shape_checks")
def test_bad_latents():
    z = normal(100, 4, seed=9)
    with pytest.raises(ValueError, match=r"got 100 latents, too few .*, expected 5 for each component .*; pass more"):
        fit_latent_density(z, candidates=(50, 100))
    z[3, 1] = torch.inf
    with pytest.raises(ValueError, match="expected finite ones"):
        fit_latent_density(z)
