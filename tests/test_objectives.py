"""The ELBO and reverse KL in closed form on the linear-Gaussian model, with noise that integrates exactly."""

import math

import pytest
import torch
from oracles import assert_mean, close, linear_weight, normal
from torch.distributions import MultivariateNormal, kl_divergence

from pcltut.models import DiagonalGaussian, Gaussian, GenerativeModel, LinearGaussian, mlp_decoder
from pcltut.objectives import elbo, forward_kl_loss, iwae_bound, jeffreys_loss, log_mean_weight, reverse_kl_loss

MODEL = LinearGaussian(linear_weight(), normal(5, seed=1), 0.7)
X = 2 * normal(4, 5, seed=2)
# The log-joint is quadratic in the noise, so the mean over +-sqrt(d) e_i is its exact expectation.
SIGMA_POINTS = torch.cat([torch.eye(3), -torch.eye(3)]).double()[:, None].expand(6, 4, 3) * 3**0.5


def q_of(mean: torch.Tensor, log_scale: torch.Tensor) -> DiagonalGaussian:
    return DiagonalGaussian(mean, log_scale)


def exact_elbo(q: DiagonalGaussian) -> torch.Tensor:
    """log p(x) - KL(q || posterior)."""
    mean, covariance = MODEL.posterior(X)
    posterior = MultivariateNormal(mean, covariance.expand(4, 3, 3))
    return MODEL.log_evidence(X) - kl_divergence(MultivariateNormal(q.mean, torch.diag_embed(q.scale**2)), posterior)


def test_elbo_is_evidence_minus_kl_in_expectation():
    q = q_of(normal(4, 3, seed=3), normal(4, 3, seed=4) / 2)
    close(elbo(MODEL, X, q, SIGMA_POINTS), exact_elbo(q))
    close(reverse_kl_loss(MODEL, X, q, SIGMA_POINTS), -exact_elbo(q))


def test_elbo_is_unbiased_under_standard_normal_noise():
    q = q_of(normal(4, 3, seed=5), normal(4, 3, seed=6) / 2)
    bounds = torch.stack([elbo(MODEL, X, q, noise[None]) for noise in normal(3000, 4, 3, seed=7)]).detach()
    assert_mean(bounds, exact_elbo(q).detach())


def test_samples_are_averaged_and_images_are_not():
    q, noise = q_of(normal(4, 3, seed=8), normal(4, 3, seed=9)), normal(7, 4, 3, seed=10)
    whole = elbo(MODEL, X, q, noise)
    assert whole.shape == (4,)
    close(whole, torch.stack([elbo(MODEL, X, q, part[None]) for part in noise]).mean(0))
    log_joint = MODEL.log_joint(X, q.mean + q.scale * noise)
    entropy = torch.distributions.Normal(q.mean, q.scale).entropy().sum(-1)
    close(whole, log_joint.mean(0) + entropy)


def test_bound_is_tight_at_the_posterior_of_one_latent_and_below_elsewhere():
    model = LinearGaussian(linear_weight(latent=1), scale=0.7)
    mean, covariance = model.posterior(X)
    exact = q_of(mean, covariance.sqrt().log().expand(4, 1))
    points = torch.tensor([1.0, -1.0]).double()[:, None, None].expand(2, 4, 1)
    close(elbo(model, X, exact, points), model.log_evidence(X))
    q = q_of(normal(4, 3, seed=12), normal(4, 3, seed=13))
    assert (elbo(MODEL, X, q, SIGMA_POINTS) < MODEL.log_evidence(X)).all()


def test_gradients_for_q_are_the_closed_forms():
    """d ELBO / d mean = -Lambda (mean - m), d ELBO / d log_scale = 1 - scale^2 Lambda_ii."""
    mean, log_scale = normal(4, 3, seed=14).requires_grad_(), (normal(4, 3, seed=15) / 2).requires_grad_()
    bound = elbo(MODEL, X, q_of(mean, log_scale), SIGMA_POINTS)
    mean_gradient, log_scale_gradient = torch.autograd.grad(bound.sum(), (mean, log_scale))
    precision, optimum = MODEL.posterior_precision(), MODEL.posterior(X)[0]
    close(mean_gradient, -(mean - optimum) @ precision)
    close(log_scale_gradient, 1 - log_scale.exp() ** 2 * precision.diagonal())


def test_gradients_for_the_decoder_are_those_of_the_joint():
    model = GenerativeModel(
        mlp_decoder(3, (1, 2, 2), hidden=(8,), generator=torch.Generator().manual_seed(1)), Gaussian(0.5), 3
    ).double()
    x, noise, parameters = normal(4, 1, 2, 2, seed=16), normal(2, 4, 3, seed=17), list(model.parameters())
    q = q_of(normal(4, 3, seed=18), normal(4, 3, seed=19))
    actual = torch.autograd.grad(elbo(model, x, q, noise).sum(), parameters)
    expected = torch.autograd.grad(model.log_joint(x, q.mean + q.scale * noise).sum() / 2, parameters)
    for a, e in zip(actual, expected, strict=True):
        close(a, e)


def minimize(loss) -> DiagonalGaussian:
    """The q that minimizes a loss, found by LBFGS."""
    mean, log_scale = torch.zeros(4, 3).double().requires_grad_(), torch.zeros(4, 3).double().requires_grad_()
    settings = {"max_iter": 500, "tolerance_grad": 1e-10, "tolerance_change": 0, "line_search_fn": "strong_wolfe"}
    optimizer = torch.optim.LBFGS([mean, log_scale], lr=1, **settings)

    def closure():
        optimizer.zero_grad()
        value = loss(q_of(mean, log_scale)).sum()
        value.backward(inputs=[mean, log_scale])
        return value

    optimizer.step(closure)
    return q_of(mean.detach(), log_scale.detach())


def test_optima_of_the_encoder_losses():
    """Mean m for all; variances 1 / Lambda_ii, S_ii on exact samples, and sqrt(S_ii / Lambda_ii) for their sum."""
    mean, covariance = (value.detach() for value in MODEL.posterior(X))
    precisions, variances = MODEL.posterior_precision().detach().diagonal(), covariance.diagonal()
    samples = mean + SIGMA_POINTS @ torch.linalg.cholesky(covariance).T  # with the posterior's first two moments
    optima = {
        "reverse": (minimize(lambda q: reverse_kl_loss(MODEL, X, q, SIGMA_POINTS)), 1 / precisions),
        "forward": (minimize(lambda q: forward_kl_loss(q, samples)), variances),
        "jeffreys": (
            minimize(lambda q: jeffreys_loss(MODEL, X, q, SIGMA_POINTS, samples)),
            (variances / precisions).sqrt(),
        ),
    }
    for q, expected in optima.values():
        close(q.mean, mean, 1e-6)
        close(q.scale**2, expected.expand(4, 3), 1e-6)
    assert (1 / precisions < 0.9 * variances).all()  # the three answers differ here


def test_no_gradient_flows_into_the_forward_losses_samples():
    samples = normal(6, 4, 3, seed=20).requires_grad_()
    q = q_of(torch.zeros(4, 3, dtype=torch.float64, requires_grad=True), torch.zeros(4, 3, dtype=torch.float64))
    forward_kl_loss(q, samples).sum().backward()
    assert samples.grad is None and q.mean.grad is not None


@pytest.mark.parametrize("loss", [elbo, reverse_kl_loss])
def test_a_loss_keeps_the_graph_to_both_networks(loss):
    mean = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    value = loss(MODEL, X, q_of(mean, torch.zeros_like(mean)), SIGMA_POINTS)
    gradients = torch.autograd.grad(value.sum(), (mean, MODEL.weight))
    assert all(g.abs().max() > 0 for g in gradients)


def test_importance_weighted_bound_is_exact_at_the_posterior():
    """A posterior without correlations is a diagonal Gaussian: then every weight is p(x), for any number of draws."""
    model = LinearGaussian(torch.eye(5, 3).double() * torch.tensor([1.0, 2.0, 3.0]), normal(5, seed=1), 0.7)
    mean, covariance = model.posterior(X)
    q = q_of(mean, covariance.diagonal().sqrt().log().expand(4, 3))
    for num_samples in (1, 2, 9):
        close(iwae_bound(model, X, q, normal(num_samples, 4, 3, seed=11)), model.log_evidence(X))


def test_importance_weights_average_to_the_evidence():
    mean, covariance = MODEL.posterior(X)
    q = q_of(mean + 0.1, (1.2 * covariance.diagonal().sqrt()).log().expand(4, 3))
    bound = iwae_bound(MODEL, X, q, normal(20_000, 4, 3, seed=12)).detach()
    close(bound, MODEL.log_evidence(X).detach(), 0.05)
    one_draw = torch.stack([iwae_bound(MODEL, X, q, noise[None]) for noise in normal(4000, 4, 3, seed=13)]).detach()
    assert_mean((one_draw - MODEL.log_evidence(X).detach()).exp(), 1.0)


@pytest.mark.slow
def test_importance_weighted_bound_rises_with_the_draws_from_the_elbo_towards_the_evidence():
    q = q_of(normal(4, 3, seed=14) / 3 + MODEL.posterior(X)[0].detach(), torch.full((4, 3), -0.5).double())
    noise = normal(3000, 8, 4, 3, seed=15)
    one, two, eight = (torch.stack([iwae_bound(MODEL, X, q, part[:k]) for part in noise]).detach() for k in (1, 2, 8))
    assert_mean(one, exact_elbo(q).detach())
    for fewer, more in ((one, two), (two, eight)):
        gain = more - fewer
        assert (gain.mean(0) > 4.5 * gain.std(0) / len(gain) ** 0.5).all()
    assert (eight.mean(0) < MODEL.log_evidence(X) + 4.5 * eight.std(0) / len(noise) ** 0.5).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_weights_that_no_float_sees_are_zero_and_not_subnormal(dtype):
    """exp(-95) is subnormal in 32 bits: gradients of that size made IWAE several times as slow on processors."""
    log_weights = torch.tensor([[0.0], [-1.0], [-95.0], [-torch.inf]], dtype=dtype, requires_grad=True)
    bound = log_mean_weight(log_weights)
    torch.testing.assert_close(bound, log_weights.detach().logsumexp(0) - math.log(4), rtol=0, atol=1e-7)
    (gradient,) = torch.autograd.grad(bound.sum(), log_weights)
    torch.testing.assert_close(gradient[:2, 0], log_weights.detach()[:2, 0].softmax(0))
    assert (gradient[2:] == 0).all()
