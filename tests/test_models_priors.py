"""Priors against SciPy, and evidence under a mixture against its closed form in a linear-Gaussian model."""

import numpy as np
import pytest
import torch
from oracles import assert_covariance, assert_mean, close, linear_weight, normal, seeded
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from pcltut.evaluation import ais_log_evidence, bdmc
from pcltut.models import (
    GaussianMixture,
    GenerativeModel,
    LearnedMixture,
    LinearGaussian,
    StandardNormal,
    mlp_decoder,
    mlp_encoder,
)
from pcltut.training import LPC, VAE, fit

WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = 2 * normal(3, 3, seed=1)
CHOLESKY = 0.4 * normal(3, 3, 3, seed=2).tril(-1) + torch.diag_embed(0.3 + normal(3, 3, seed=3).abs())
COVARIANCES = CHOLESKY @ CHOLESKY.mT
MIXTURE = GaussianMixture(WEIGHTS, MEANS, CHOLESKY)
LINEAR = LinearGaussian(linear_weight(), normal(5, seed=4), 0.7)
MODEL = GenerativeModel(LINEAR.decoder, LINEAR.likelihood, 3, MIXTURE)


def scipy_log_prob(x: torch.Tensor, means: torch.Tensor, covariances: torch.Tensor) -> np.ndarray:
    parts = [
        multivariate_normal(m.numpy(), c.numpy()).logpdf(x.numpy()) for m, c in zip(means, covariances, strict=True)
    ]
    return logsumexp(np.stack(parts), axis=0, b=WEIGHTS.numpy()[:, None])


def exact_evidence(x: torch.Tensor) -> np.ndarray:
    """Each component goes through the linear decoder: x is a mixture of Gaussians, too."""
    weight, bias = LINEAR.weight.detach(), LINEAR.bias.detach()
    covariances = weight @ COVARIANCES @ weight.T + 0.7**2 * torch.eye(5, dtype=torch.float64)
    return scipy_log_prob(x, MEANS @ weight.T + bias, covariances)


def test_log_prob_is_that_of_scipy():
    z = 2 * normal(40, 3, seed=5)
    close(MIXTURE.log_prob(z), scipy_log_prob(z, MEANS, COVARIANCES))
    close(MIXTURE.log_prob(z.reshape(5, 8, 3)), scipy_log_prob(z, MEANS, COVARIANCES).reshape(5, 8))
    close(StandardNormal(3).log_prob(z), multivariate_normal(np.zeros(3)).logpdf(z.numpy()))


def test_score_and_curvature():
    """Curvature is exact for one component; for several it is at least that of -log p(z)."""
    z = (2 * normal(6, 3, seed=6)).requires_grad_()
    assert torch.autograd.gradcheck(MIXTURE.log_prob, z)
    hessians = torch.stack([torch.func.hessian(lambda u: -MIXTURE.log_prob(u))(row) for row in z.detach()])
    basis = torch.eye(3, dtype=torch.float64)
    bound = torch.stack([MIXTURE.curvature_product(z.detach(), row.expand(6, 3)) for row in basis], -1)
    assert torch.linalg.eigvalsh(bound - hessians).min() > -1e-9
    single = GaussianMixture(torch.ones(1, dtype=torch.float64), MEANS[:1], CHOLESKY[:1])
    close(single.curvature_product(z.detach(), z.detach()), z.detach() @ torch.linalg.inv(COVARIANCES[0]))


def test_samples_have_the_moments_of_the_mixture():
    z = MIXTURE.sample(40_000, generator=seeded(7))
    mean = WEIGHTS @ MEANS
    assert_mean(z, mean)
    centered = MEANS - mean
    assert_covariance(
        z - mean, torch.einsum("k,kij->ij", WEIGHTS, COVARIANCES + centered[:, :, None] * centered[:, None, :])
    )


def test_evidence_under_a_mixture_is_the_closed_form():
    """Weights of AIS have the evidence as their mean, and BDMC's images are those of the mixture."""
    x = MODEL.sample(4, generator=seeded(8))
    found = ais_log_evidence(MODEL, x, generator=seeded(9), num_bridges=12, num_chains=4000)
    assert_mean((found.log_weights - torch.as_tensor(exact_evidence(x))).exp(), 1.0)
    bounds = bdmc(MODEL, 200, generator=seeded(10), num_bridges=60, num_chains=4)
    exact = torch.as_tensor(exact_evidence(bounds.x))
    error = 4.5 * (bounds.lower - bounds.upper).std() / 200**0.5
    assert bounds.lower.mean() - error < exact.mean() < bounds.upper.mean() + error


def test_chains_start_at_the_standard_normal_under_any_prior():
    """A mixture of one component that is N(0, I) gives what the default prior gives: the same start, the same walk."""
    identity = torch.eye(3, dtype=torch.float64)
    mixture = GaussianMixture(torch.ones(1, dtype=torch.float64), torch.zeros_like(MEANS[:1]), identity[None])
    model = GenerativeModel(LINEAR.decoder, LINEAR.likelihood, 3, mixture)
    x = MODEL.sample(4, generator=seeded(8))
    plain, other = (
        ais_log_evidence(each, x, generator=seeded(9), num_bridges=12, num_chains=3).log_weights
        for each in (LINEAR, model)
    )
    close(other, plain)


def learned() -> LearnedMixture:
    """Three components in two dimensions, in double precision, with numbers unlike those of the start."""
    prior = LearnedMixture(3, 2, generator=seeded(20)).double()
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([1.0, -0.5, 0.3]))
        prior.means.mul_(2)
        prior.log_scale.copy_(0.4 * normal(3, 2, seed=21))
    return prior


def test_a_learned_mixture_is_that_of_torch_distributions():
    prior, z = learned(), 2 * normal(4, 10, 2, seed=22)
    components = Independent(Normal(prior.means, prior.log_scale.exp()), 1)
    law = MixtureSameFamily(Categorical(logits=prior.logits), components)
    close(prior.log_prob(z), law.log_prob(z))
    draws = prior.sample(40_000, generator=seeded(23))
    assert_mean(draws, law.mean.detach())
    assert_mean((draws - law.mean.detach()).square(), law.variance.detach())
    fixed = GaussianMixture(prior.logits.softmax(-1), prior.means, torch.diag_embed(prior.log_scale.exp()))
    close(prior.curvature_product(z[0], z[1]), fixed.curvature_product(z[0], z[1]))


def test_a_learned_mixture_is_at_first_about_the_standard_normal():
    z = LearnedMixture(20_000, 2, generator=seeded(24)).double().sample(40_000, generator=seeded(25))
    assert_mean(z, 0.0)
    assert_covariance(z, torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("algorithm", [VAE(), LPC(3, 0.004)])
def test_a_learned_prior_becomes_the_law_of_the_latents(algorithm, no_shape_checks):
    """Of one latent seen by a fixed linear decoder in noise, mean and variance follow from the images' moments.

    The encoder can be exact here, so that the VAE's bound has the same optimum, and LPC's chains start where they end.
    """
    weight, sigma = torch.tensor([[2.0], [-1.0], [2.0]]), 0.5
    decoder = LinearGaussian(weight, torch.zeros(3), sigma)
    z = 1.5 + 0.4 * torch.randn(4000, 1, generator=seeded(26))
    x = z @ weight.T + sigma * torch.randn(4000, 3, generator=seeded(27))
    model = GenerativeModel(decoder.decoder, decoder.likelihood, 1, LearnedMixture(1, 1, generator=seeded(28)))
    for part in (model.decoder, model.likelihood):
        part.requires_grad_(False)
    encoder = mlp_encoder((3,), 1, hidden=(), generator=seeded(29))
    fit(
        algorithm,
        model,
        x,
        encoder=encoder,
        generator=seeded(30),
        num_iterations=1500,
        learning_rate=lambda i: 0.05 * 0.997**i,
        batch_size=400,
    )
    projected = x @ weight[:, 0] / weight.square().sum()  # z plus noise of variance sigma^2 / |W|^2
    variance = projected.var() - sigma**2 / weight.square().sum()
    assert model.prior.means.item() == pytest.approx(projected.mean().item(), abs=0.01)
    assert model.prior.log_scale.exp().item() == pytest.approx(variance.sqrt().item(), abs=0.01)


def test_the_default_prior_changes_nothing():
    """N(0, I) adds no entry to the state, and draws what it always drew."""
    model = GenerativeModel(LINEAR.decoder, LINEAR.likelihood, 3)
    assert set(model.state_dict()) == set(LINEAR.state_dict())
    assert not any("prior" in name for name in model.state_dict())
    assert torch.equal(model.sample_prior(5, generator=seeded(1)), normal(5, 3, seed=1))
    assert {"prior.weights", "prior.means", "prior.cholesky"} <= set(MODEL.state_dict())
    assert not any(name.startswith("prior") for name, _ in MODEL.named_parameters())


def test_a_loaded_mixture_is_the_saved_one():
    other = GaussianMixture(WEIGHTS.flip(0), MEANS + 1, 2 * CHOLESKY)
    other.load_state_dict(MIXTURE.state_dict())
    z = normal(4, 3, seed=11)
    assert torch.equal(other.log_prob(z), MIXTURE.log_prob(z))


def test_closed_forms_refuse_another_prior():
    model = LinearGaussian(linear_weight())
    model.prior = MIXTURE
    for closed_form in (model.log_evidence, model.posterior):
        with pytest.raises(ValueError, match=r"got a prior of type GaussianMixture, expected StandardNormal"):
            closed_form(normal(2, 5, seed=0))


@pytest.mark.usefixtures("no_shape_checks")
def test_bad_mixtures():
    for parts, message in [
        ((WEIGHTS[:2], MEANS, CHOLESKY), "shapes"),
        ((WEIGHTS, MEANS.float(), CHOLESKY), "one type"),
        ((WEIGHTS, MEANS * torch.nan, CHOLESKY), "not finite"),
        ((2 * WEIGHTS, MEANS, CHOLESKY), "sum"),
        ((WEIGHTS, MEANS, COVARIANCES), "lower triangular"),
    ]:
        with pytest.raises(ValueError, match=message):
            GaussianMixture(*parts)
    with pytest.raises(ValueError, match=r"got a prior of 3 latents, expected latent_dim=2"):
        GenerativeModel(mlp_decoder(2, (5,), generator=seeded(0)), LINEAR.likelihood, 2, MIXTURE)
    with pytest.raises(ValueError, match="decoder's type"):
        GenerativeModel(mlp_decoder(3, (5,), generator=seeded(0)), LINEAR.likelihood, 3, MIXTURE)
