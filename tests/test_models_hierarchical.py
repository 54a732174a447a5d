"""Layered predictive coding: local rules against autograd, densities against scipy, linear models exactly."""

import numpy as np
import pytest
import torch
from oracles import assert_covariance, assert_mean, close, condition, normal, seeded
from scipy.stats import multivariate_normal

from pcltut.models import HierarchicalGaussian

SHAPES = {"two layers": ((5, 4, 3), (0.6, 0.8)), "three layers": ((6, 4, 3, 2), (0.5, 0.9, 1.3))}
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "linear": lambda z: z}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request):
    return request.param


@pytest.fixture(params=ACTIVATIONS)
def activation(request):
    return request.param


def build(shape, activation: str) -> HierarchicalGaussian:
    sizes, scales = shape
    model = HierarchicalGaussian(sizes, scales=scales, activation=activation, generator=seeded(1)).double()
    return model


def arrays(model) -> tuple[list[np.ndarray], list[np.ndarray], list[float]]:
    """Weights, biases and scales as numpy arrays, from the data layer up."""
    weights = [layer.weight.detach().numpy() for layer in model.layers]
    biases = [layer.bias.detach().numpy() for layer in model.layers]
    return weights, biases, [model.likelihood.scale.item(), *model.scales[1:]]


def joint_gaussian(model) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (x, z_1, ..., z_L) of a linear model, built from the top layer down."""
    weights, biases, scales = arrays(model)
    mean, covariance = np.zeros(model.sizes[-1]), np.eye(model.sizes[-1])
    for weight, bias, scale in reversed(list(zip(weights, biases, scales, strict=True))):
        gain = np.zeros((len(bias), len(mean)))
        gain[:, : weight.shape[1]] = weight  # the layer just above stands first
        corner = gain @ covariance @ gain.T + scale**2 * np.eye(len(bias))
        covariance = np.block([[corner, gain @ covariance], [covariance @ gain.T, covariance]])
        mean = np.concatenate([gain @ mean + bias, mean])
    return mean, covariance


def log_density(model, activation: str, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scipy's log p(z) and log p(x | z), layer by layer."""
    weights, biases, scales = arrays(model)
    layers = [x, *np.split(z, np.cumsum(model.sizes[1:-1]), axis=-1)]
    terms = [multivariate_normal(np.zeros(model.sizes[-1])).logpdf(layers[-1])]
    for level in reversed(range(len(weights))):
        mean = ACTIVATIONS[activation](layers[level + 1]) @ weights[level].T + biases[level]
        terms.append(multivariate_normal(np.zeros(mean.shape[-1]), scales[level] ** 2).logpdf(layers[level] - mean))
    return sum(terms[:-1]), terms[-1]


def test_log_densities_are_scipys_layer_by_layer(shape, activation):
    model = build(shape, activation)
    x, z = normal(7, model.sizes[0], seed=2), normal(7, model.latent_dim, seed=3)
    prior, likelihood = log_density(model, activation, x.numpy(), z.numpy())
    close(model.log_prior(z), prior)
    close(model.log_likelihood(x, z), likelihood)
    close(model.log_joint(x, z), prior + likelihood)


def test_local_score_is_autograds(shape, activation):
    model = build(shape, activation)
    x, z = normal(7, model.sizes[0], seed=4), normal(7, model.latent_dim, seed=5).requires_grad_()
    expected = torch.autograd.grad(model.log_joint(x, z).sum(), z)[0]
    close(model.local_score(x, z.detach()), expected)


def test_hebbian_weight_gradients_are_autograds(shape, activation):
    model = build(shape, activation)
    x, z = normal(7, model.sizes[0], seed=6), normal(7, model.latent_dim, seed=7)
    expected = torch.autograd.grad(model.log_joint(x, z).sum(), [layer.weight for layer in model.layers])
    actual = model.local_weight_gradients(x, z)
    assert len(actual) == len(model.sizes) - 1
    for local, exact in zip(actual, expected, strict=True):
        close(local, exact)


def test_prediction_errors_are_precision_times_deviation(shape, activation):
    model = build(shape, activation)
    weights, biases, scales = arrays(model)
    x, z = normal(7, model.sizes[0], seed=8), normal(7, model.latent_dim, seed=9)
    layers = [x.numpy(), *(part.numpy() for part in model.split(z))]
    errors = model.prediction_errors(x, z)
    assert len(errors) == len(layers)
    for level, (weight, bias, scale) in enumerate(zip(weights, biases, scales, strict=True)):
        prediction = ACTIVATIONS[activation](layers[level + 1]) @ weight.T + bias
        close(errors[level], (layers[level] - prediction) / scale**2)
    close(errors[-1], layers[-1])  # the top layer is predicted by zero with variance one


def test_errors_and_score_take_chain_dimensions(activation):
    model = build(SHAPES["three layers"], activation)
    x, z = normal(7, 6, seed=10), normal(3, 7, 9, seed=11)
    assert model.log_joint(x, z).shape == (3, 7)
    for chain in range(3):
        close(model.local_score(x, z)[chain], model.local_score(x, z[chain]))
        close(model.log_joint(x, z)[chain], model.log_joint(x, z[chain]))
    total = model.local_weight_gradients(x, z)
    singles = [model.local_weight_gradients(x, z[chain]) for chain in range(3)]
    for level in range(3):
        close(total[level], sum(single[level] for single in singles))


def test_split_puts_the_layer_nearest_the_data_first(shape):
    model = build(shape, "tanh")
    z = torch.arange(float(model.latent_dim)).double().expand(2, -1)
    parts = model.split(z)
    assert [part.shape[-1] for part in parts] == list(model.sizes[1:])
    assert torch.equal(torch.cat(parts, -1), z)
    moved = z.clone()
    moved[:, model.sizes[1] :] += 1  # the layers above z_1 do not reach the data but through z_1
    close(model.decode(moved), model.decode(z))


def test_linear_posterior_is_the_conditional_of_the_flattened_gaussian(shape):
    model = build(shape, "linear")
    x = normal(5, model.sizes[0], seed=12)
    mean, covariance = condition(*joint_gaussian(model), x.numpy(), model.sizes[0])
    close(model.posterior(x)[0], mean)
    close(model.posterior(x)[1], covariance)


def test_linear_score_vanishes_at_the_posterior_mean_with_the_posteriors_curvature(shape):
    model = build(shape, "linear")
    x = normal(5, model.sizes[0], seed=13)
    mean, covariance = condition(*joint_gaussian(model), x.numpy(), model.sizes[0])
    close(model.local_score(x, torch.from_numpy(mean)), torch.zeros(mean.shape, dtype=torch.float64))
    v = normal(5, model.latent_dim, seed=14)
    expected = np.linalg.solve(covariance, v.numpy().T).T
    close(model.curvature_product(x, torch.from_numpy(mean), v), expected)


def test_curvature_is_gauss_newton_of_the_residuals(shape, activation):
    model = build(shape, activation)
    x, z, v = (normal(4, n, seed=s) for n, s in ((model.sizes[0], 15), (model.latent_dim, 16), (model.latent_dim, 17)))
    scales = [model.likelihood.scale, *model.scales[1:], 1.0]

    def residual(x, z):
        errors = model.prediction_errors(x[None], z[None])
        return torch.cat([error[0] * scale for error, scale in zip(errors, scales, strict=True)])

    jacobian = torch.func.vmap(torch.func.jacrev(residual, argnums=1))(x, z)
    close(model.curvature_product(x, z, v), torch.einsum("noi,noj,nj->ni", jacobian, jacobian, v))


def test_ancestral_samples_of_a_linear_model_have_the_joint_law():
    model = build(SHAPES["three layers"], "linear")
    mean, covariance = joint_gaussian(model)
    z = model.sample_prior(40_000, generator=seeded(18)).detach()
    assert_mean(z, mean[6:])
    assert_covariance(z - torch.from_numpy(mean[6:]), torch.from_numpy(covariance[6:, 6:]))
    x = model.sample(40_000, generator=seeded(19)).detach()
    assert_covariance(x - torch.from_numpy(mean[:6]), torch.from_numpy(covariance[:6, :6]))


def test_nonlinear_prior_samples_have_unit_variance_of_each_layers_standardized_error():
    model = build(SHAPES["three layers"], "tanh")
    z = model.sample_prior(20_000, generator=seeded(20)).detach()
    x = model.likelihood.sample(model.decode(z), generator=seeded(21)).detach()
    scales = [model.likelihood.scale.item(), *model.scales[1:], 1.0]
    for error, scale in zip(model.prediction_errors(x, z), scales, strict=True):
        assert_covariance(error.detach() * scale, torch.eye(error.shape[-1], dtype=torch.float64))


def test_one_scale_serves_all_layers():
    model = HierarchicalGaussian((5, 4, 3), scales=0.5, activation="linear", generator=seeded(1))
    assert tuple(model.scales) == (0.5, 0.5)
    assert model.likelihood.scale.item() == pytest.approx(0.5)


def test_weights_come_from_the_generator():
    first, again, other = (
        torch.cat([p.flatten() for p in HierarchicalGaussian((5, 4, 3), generator=seeded(s)).parameters()])
        for s in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "arguments",
    [
        {"sizes": (5,)},
        {"sizes": (5, 4, 3), "scales": (1.0,)},
        {"sizes": (5, 4, 3), "scales": (1.0, -1.0)},
        {"sizes": (5, 4, 3), "scales": 0.0},
    ],
)
def test_wrong_arguments_say_got_expected_and_remedy(arguments):
    with pytest.raises(ValueError, match=r"(?s)got.*expected.*;"):
        HierarchicalGaussian(**arguments, generator=seeded(1))


def test_posterior_of_a_nonlinear_model_is_refused():
    with pytest.raises(ValueError, match=r"(?s)got.*linear.*;"):
        build(SHAPES["two layers"], "tanh").posterior(normal(5, 5, seed=22))
