"""The stability margin against eigenvalues, and against what chains do on either side of it."""

import pytest
import torch
from oracles import linear_weight, normal, seeded

from pcltut.models import Gaussian, GenerativeModel, HierarchicalGaussian, LinearGaussian, mlp_decoder
from pcltut.samplers import ConstantPreconditioner, gradient_ascent, run, stability_margin, value_and_score_of


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [None, torch.tensor([0.2, 1.0, 3.0])], ids=["plain", "scaled"])
def test_margin_is_two_over_step_and_largest_eigenvalue(scale, dtype):
    model = LinearGaussian(linear_weight().to(dtype), scale=0.6)
    scale = None if scale is None else scale.to(dtype)
    root = torch.ones(3, dtype=dtype) if scale is None else scale.sqrt()
    largest = torch.linalg.eigvalsh(root[:, None] * model.posterior_precision() * root).max().item()
    x, z = normal(8, 5, seed=1, dtype=dtype), normal(8, 3, seed=2, dtype=dtype)
    for step_size in (1e-3, 0.5):
        margin = stability_margin(model, x, z, step_size, preconditioner=scale, generator=seeded(3))
        assert isinstance(margin, float)
        assert margin == pytest.approx(2 / (step_size * largest), rel=1e-3)


def mlp_model() -> GenerativeModel:
    decoder = mlp_decoder(3, (1, 2, 4), hidden=(16,), generator=seeded(4))
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.mul_(3)
    return GenerativeModel(decoder, Gaussian(0.3), 3).double()


def gauss_newton(model: GenerativeModel, z: torch.Tensor) -> torch.Tensor:
    jacobian = torch.func.vmap(torch.func.jacrev(lambda z: model.decode(z).flatten()))(z)
    return torch.eye(3, dtype=z.dtype) + jacobian.mT @ jacobian / model.likelihood.scale**2


@pytest.mark.parametrize("scaled", [False, True])
def test_margin_is_that_of_the_image_with_the_largest_curvature(scaled):
    model, x, z = mlp_model(), normal(20, 1, 2, 4, seed=5), 2 * normal(20, 3, seed=6)
    scale = normal(20, 3, seed=7).exp() if scaled else None
    root = torch.ones_like(z) if scale is None else scale.sqrt()
    curvature = root[:, :, None] * gauss_newton(model, z) * root[:, None, :]
    largest = torch.linalg.eigvalsh(curvature).max().item()
    margin = stability_margin(model, x, z, 0.01, preconditioner=scale, num_iterations=200, generator=seeded(8))
    assert margin == pytest.approx(2 / (0.01 * largest), rel=1e-3)
    default = stability_margin(model, x, z, 0.01, preconditioner=scale, generator=seeded(8))
    assert default == pytest.approx(margin, rel=0.05)  # twenty iterations are an estimate


def test_at_most_32_images_are_used():
    model, x, z = mlp_model(), normal(500, 1, 2, 4, seed=9), normal(500, 3, seed=10)
    largest = torch.linalg.eigvalsh(gauss_newton(model, z[:32])).max().item()
    rows = []
    handle = model.decoder.register_forward_hook(lambda module, inputs, output: rows.append(inputs[0].shape[0]))
    margin = stability_margin(model, x, z, 0.01, num_iterations=100, generator=seeded(11))
    handle.remove()
    assert max(rows) <= 32
    assert margin == pytest.approx(2 / (0.01 * largest), rel=1e-2)


def test_hierarchical_models_have_a_margin():
    model = HierarchicalGaussian((5, 4, 3), scales=(0.5, 0.8), activation="linear", generator=seeded(12)).double()
    x = normal(6, 5, seed=13)
    mean, covariance = model.posterior(x)
    largest = 1 / torch.linalg.eigvalsh(covariance).min().item()
    margin = stability_margin(model, x, mean.detach(), 0.05, num_iterations=100, generator=seeded(14))
    assert margin == pytest.approx(2 / (0.05 * largest), rel=1e-3)


@pytest.mark.parametrize("scale", [None, torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64)], ids=["plain", "scaled"])
def test_the_margin_is_the_factor_by_which_the_step_may_grow(scale):
    model, x = LinearGaussian(linear_weight(), scale=0.6), normal(8, 5, seed=15)
    target, z = value_and_score_of(lambda z: model.log_joint(x, z)), normal(8, 3, seed=16)
    margin = stability_margin(model, x, z, 0.01, preconditioner=scale, num_iterations=100, generator=seeded(17))
    preconditioner = None if scale is None else ConstantPreconditioner(scale)
    distances = []
    for factor in (0.98, 1.02):
        kernel = gradient_ascent(target, 0.01 * margin * factor, preconditioner=preconditioner)
        _, trace = run(kernel, kernel.init(z), 300, generator=seeded(18))
        distances.append((trace.z[200:] - model.posterior(x)[0]).norm(dim=(1, 2)).detach())
    assert distances[0].max() == distances[0][0] and distances[0][-1] < 0.8 * distances[0][0]
    assert distances[1][-1] > 20 * distances[1][0]  # it grows by 1.04 a step


def test_margin_takes_its_numbers_from_the_generator_and_keeps_no_graph():
    model, x, z = mlp_model(), normal(4, 1, 2, 4, seed=19), normal(4, 3, seed=20)
    first, again = (stability_margin(model, x, z, 0.01, num_iterations=3, generator=seeded(21)) for _ in range(2))
    assert first == again
    assert all(p.grad is None for p in model.parameters())
