"""The linear-Gaussian oracle against scipy and against conditioning of the dense joint Gaussian."""

import numpy as np
import pytest
import scipy.linalg
import torch
from oracles import assert_covariance, assert_mean, close, condition, linear_weight, normal, seeded
from scipy.stats import multivariate_normal

from pcltut.models import LinearGaussian

SCALE = 0.7
WEIGHT = linear_weight()
BIAS = normal(5, seed=4)
X = normal(6, 5, seed=5) * 2


@pytest.fixture
def model() -> LinearGaussian:
    return LinearGaussian(WEIGHT, BIAS, SCALE)


def joint_gaussian() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (x, z), written down without any precision matrix."""
    weight = WEIGHT.numpy()
    covariance = np.block([[weight @ weight.T + SCALE**2 * np.eye(5), weight], [weight.T, np.eye(3)]])
    return np.concatenate([BIAS.numpy(), np.zeros(3)]), covariance


def test_posterior_is_the_conditional_of_the_joint_gaussian(model):
    mean, covariance = condition(*joint_gaussian(), X.numpy(), 5)
    close(model.posterior(X)[0], mean)
    close(model.posterior(X)[1], covariance)
    close(model.posterior_precision(), np.linalg.inv(covariance))


def test_log_evidence_is_scipys_normal(model):
    mean, covariance = joint_gaussian()
    close(model.log_evidence(X), multivariate_normal(mean[:5], covariance[:5, :5]).logpdf(X.numpy()))


def test_log_joint_is_scipys_normal_of_x_and_z(model):
    z = normal(6, 3, seed=6)
    points = torch.cat([X, z], 1).numpy()
    close(model.log_joint(X, z), multivariate_normal(*joint_gaussian()).logpdf(points))


def test_terms_are_sums_over_pixels_and_latents_not_means(model):
    z = normal(6, 3, seed=6)
    likelihood = [
        multivariate_normal(BIAS + WEIGHT @ u, SCALE**2 * np.eye(5)).logpdf(x) for x, u in zip(X, z, strict=True)
    ]
    close(model.log_prior(z), multivariate_normal(np.zeros(3), np.eye(3)).logpdf(z.numpy()))
    close(model.log_likelihood(X, z), np.array(likelihood))
    close(model.log_joint(X, z), model.log_prior(z) + model.log_likelihood(X, z))


def test_bayes_rule_at_any_z(model):
    z = normal(6, 3, seed=7) * 3
    mean, covariance = model.posterior(X)
    posterior = torch.distributions.MultivariateNormal(mean, covariance).log_prob(z)
    close(model.log_joint(X, z) - posterior, model.log_evidence(X))


def test_score_is_the_precision_times_the_distance_to_the_posterior_mean(model):
    z = normal(6, 3, seed=8).requires_grad_()
    score = torch.autograd.grad(model.log_joint(X, z).sum(), z)[0]
    mean, covariance = condition(*joint_gaussian(), X.numpy(), 5)
    close(score, np.linalg.solve(covariance, (mean - z.detach().numpy()).T).T)


def test_curvature_product_is_the_exact_hessian(model):
    z, v = normal(6, 3, seed=9).requires_grad_(), normal(6, 3, seed=10)
    score = torch.autograd.grad(model.log_joint(X, z).sum(), z, create_graph=True)[0]
    hessian_product = torch.autograd.grad(-(score * v).sum(), z)[0]
    close(model.curvature_product(X, z.detach(), v), hessian_product)


def test_chain_dimensions_lead_and_x_is_broadcast(model):
    z = normal(4, 2, 6, 3, seed=11)
    log_joint = model.log_joint(X, z)
    assert log_joint.shape == (4, 2, 6)
    for i in range(4):
        for j in range(2):
            close(log_joint[i, j], model.log_joint(X, z[i, j]))
    assert model.decode(z).shape == (4, 2, 6, 5)
    close(model.decode(z), z @ WEIGHT.T + BIAS)


def test_ancestral_samples_have_the_marginal_law(model):
    x = model.sample(40_000, generator=seeded(12)).detach()
    assert_mean(x, BIAS)
    assert_covariance(x - BIAS, torch.from_numpy(joint_gaussian()[1][:5, :5]))
    assert_covariance(model.sample_prior(40_000, generator=seeded(13)), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("scale", [None, torch.tensor([0.5, 2.0, 0.1], dtype=torch.float64)])
def test_ula_stationary_covariance_solves_scipys_lyapunov_equation(model, temperature, scale):
    step_size, matrix = 0.03, np.diag(np.ones(3) if scale is None else scale.numpy())
    transition = np.eye(3) - step_size * matrix @ model.posterior_precision().detach().numpy()
    expected = scipy.linalg.solve_discrete_lyapunov(transition, 2 * step_size * temperature * matrix)
    close(model.ula_stationary_covariance(step_size, temperature=temperature, preconditioner=scale), expected)


def test_ula_covariance_follows_the_recursion_to_its_limit(model):
    scale = torch.tensor([0.5, 2.0, 0.1], dtype=torch.float64)
    step_size, temperature, initial = 0.03, 0.6, np.diag([1.0, 2.0, 3.0]) + 0.2
    precision, matrix = model.posterior_precision().detach().numpy(), np.diag(scale.numpy())
    expected = initial
    for num_steps in range(5):
        actual = model.ula_covariance_after(
            num_steps, step_size, torch.from_numpy(initial), temperature=temperature, preconditioner=scale
        )
        close(actual, expected)
        moved = expected - step_size * matrix @ precision @ expected  # A P
        expected = moved - step_size * moved @ precision @ matrix + 2 * step_size * temperature * matrix
    limit = model.ula_covariance_after(
        5000, step_size, torch.from_numpy(initial), temperature=temperature, preconditioner=scale
    )
    close(limit, model.ula_stationary_covariance(step_size, temperature=temperature, preconditioner=scale))


def test_scalar_stationary_variance():
    model = LinearGaussian(torch.full((1, 1), 2.0, dtype=torch.float64), scale=0.5)
    precision = 1 + 4 / 0.25
    for product in (0.1, 1.0, 1.5, 1.9):
        close(
            model.ula_stationary_covariance(product / precision)[0, 0],
            torch.tensor(2 / (precision * (2 - product)), dtype=torch.float64),
        )


def test_unstable_step_has_no_stationary_law(model):
    edge = 2 / torch.linalg.eigvalsh(model.posterior_precision()).max().item()
    assert model.ula_stationary_covariance(0.99 * edge).isfinite().all()
    with pytest.raises(ValueError, match="lower step_size"):
        model.ula_stationary_covariance(1.01 * edge)


def test_weight_is_kept_in_its_dtype_and_scale_learns_only_if_asked(model):
    assert model.weight.dtype == torch.float64 and model.bias.dtype == torch.float64
    close(model.weight, WEIGHT)
    assert isinstance(model.weight, torch.nn.Parameter) and isinstance(model.bias, torch.nn.Parameter)
    assert model.scale.item() == pytest.approx(SCALE, rel=1e-7)
    assert len([p for p in model.parameters() if p.requires_grad]) == 2
    learned = LinearGaussian(WEIGHT, BIAS, SCALE, learn_scale=True)
    assert len([p for p in learned.parameters() if p.requires_grad]) == 3


def test_scale_gradient_is_the_gaussians():
    model = LinearGaussian(WEIGHT, BIAS, SCALE, learn_scale=True)
    z = normal(6, 3, seed=14)
    model.log_joint(X, z).sum().backward()
    residual = X - z @ WEIGHT.T - BIAS
    scale_parameter = next(p for name, p in model.named_parameters() if "scale" in name)
    close(scale_parameter.grad, (residual.square() / SCALE**2 - 1).sum(), 1e-6)


@pytest.mark.usefixtures("no_shape_checks")
def test_wrong_shapes_say_got_expected_and_remedy(model):
    with pytest.raises(ValueError, match=r"(?s)got.*expected.*;"):
        model.decode(normal(6, 4, seed=1))
    with pytest.raises(ValueError, match=r"(?s)got.*expected.*;"):
        model.log_joint(normal(6, 4, seed=1), normal(6, 3, seed=2))
