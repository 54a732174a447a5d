"""ULA on Gaussian targets: one transition, the covariance recursion, the stationary law at large steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_covariance, assert_mean, close, linear_weight, normal, seeded
from scipy.stats import kstest

from pcltut.models import Gaussian, GenerativeModel, LinearGaussian, mlp_decoder
from pcltut.samplers import (
    ChainDiverged,
    ConstantPreconditioner,
    RMSPreconditioner,
    gradient_ascent,
    run,
    ula,
    value_and_score_of,
)

M = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)
MODEL = LinearGaussian(linear_weight(), scale=0.8)
PRECISION = MODEL.posterior_precision().detach()
X = normal(1, 5, seed=5) * 2
MEAN = torch.linalg.solve(PRECISION, X[0] @ MODEL.weight.detach() / 0.64)


def gaussian(z):
    """Log-density (without its constant) and score of N(MEAN, PRECISION^-1)."""
    score = (MEAN - z) @ PRECISION
    return -0.5 * ((z - MEAN) * (z - MEAN) @ PRECISION).sum(-1), score


def largest_curvature(scale: torch.Tensor | None) -> float:
    root = torch.ones(3, dtype=torch.float64) if scale is None else scale.sqrt()
    return torch.linalg.eigvalsh(root[:, None] * PRECISION * root).max().item()


def recursion(initial: torch.Tensor, num_steps: int, step_size: float, temperature: float, scale) -> torch.Tensor:
    """Covariance after some steps: P <- A P A' + 2 gamma tau M."""
    diagonal = torch.diag(torch.ones(3, dtype=torch.float64) if scale is None else scale)
    transition = torch.eye(3, dtype=torch.float64) - step_size * diagonal @ PRECISION
    for _ in range(num_steps):
        initial = transition @ initial @ transition.T + 2 * step_size * temperature * diagonal
    return initial


@pytest.mark.parametrize("temperature", [1.0, 0.37])
@pytest.mark.parametrize("scale", [None, M], ids=["plain", "scaled"])
def test_one_transition_is_drift_plus_scaled_noise(temperature, scale):
    preconditioner = None if scale is None else ConstantPreconditioner(scale)
    kernel = ula(gaussian, 0.2, temperature=temperature, preconditioner=preconditioner)
    z, noise = normal(4, 7, 3, seed=1), normal(4, 7, 3, seed=2)
    state, info = kernel.step(kernel.init(z), noise)
    diagonal = torch.ones(3, dtype=torch.float64) if scale is None else scale
    log_density, score = gaussian(z)
    close(state.z, z + 0.2 * diagonal * score + (2 * 0.2 * temperature * diagonal).sqrt() * noise, 1e-12)
    for actual, expected in zip(
        info[:3], (z, log_density, score), strict=True
    ):  # where it was evaluated: before the step
        assert torch.equal(actual, expected)


def test_score_of_is_autograds_gradient_of_each_chain():
    model = GenerativeModel(mlp_decoder(3, (1, 2, 2), hidden=(8,), generator=seeded(1)), Gaussian(0.5), 3).double()
    x, z = normal(6, 1, 2, 2, seed=3), normal(2, 6, 3, seed=4).requires_grad_()
    log_density, score = value_and_score_of(lambda z: model.log_joint(x, z))(z.detach())
    values = model.log_joint(x, z)
    close(log_density, values)
    close(score, torch.autograd.grad(values.sum(), z)[0])
    assert not log_density.requires_grad and not score.requires_grad


@pytest.mark.parametrize("batch", [1, 2, 50])
def test_a_chains_score_does_not_depend_on_the_number_of_chains(batch):
    x = X.expand(batch, 5)
    z = normal(1, 3, seed=6).expand(batch, 3).clone()
    _, score = value_and_score_of(lambda z: MODEL.log_joint(x, z))(z)
    close(score, gaussian(z)[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_is_standard_normal_and_independent_in_each_element(dtype):
    kernel = ula(gaussian, 0.1)
    noise = kernel.draw(kernel.init(torch.zeros(40, 500, 3, dtype=dtype)), seeded(7))
    assert noise.shape == (40, 500, 3) and noise.dtype == dtype
    assert kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
    assert_covariance(noise.reshape(-1, 3), torch.eye(3, dtype=dtype))
    by_chain = noise[:, :, 0]  # chains share nothing: neighbors along either dimension are uncorrelated
    assert_mean((by_chain[:, 1:] * by_chain[:, :-1]).flatten(), 0.0)
    assert_mean((by_chain[1:] * by_chain[:-1]).flatten(), 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1.0, 0.37])
@pytest.mark.parametrize("scale", [None, M], ids=["plain", "scaled"])
@pytest.mark.parametrize("product", [0.5, 1.5])
def test_stationary_law_at_large_steps(product, scale, temperature, dtype):
    step_size = product / largest_curvature(scale)
    preconditioner = None if scale is None else ConstantPreconditioner(scale.to(dtype))

    def target(z):
        return tuple(value.to(dtype) for value in gaussian(z.double()))

    kernel = ula(target, step_size, temperature=temperature, preconditioner=preconditioner)
    factor = torch.linalg.cholesky(torch.linalg.inv(PRECISION))
    z = (MEAN + normal(20_000, 3, seed=8) @ factor.T).to(dtype)
    diagonal = torch.diag(torch.ones(3, dtype=torch.float64) if scale is None else scale)
    expected = temperature * torch.linalg.inv(PRECISION - step_size / 2 * PRECISION @ diagonal @ PRECISION)
    slowest = torch.linalg.eigvals(torch.eye(3, dtype=torch.float64) - step_size * diagonal @ PRECISION)
    num_steps = int(np.ceil(np.log(1e-4) / np.log(slowest.abs().max().item()))) // 2 + 1
    state, _ = run(kernel, kernel.init(z), num_steps, generator=seeded(9), keep="last")
    samples = state.z.double() - MEAN
    assert_mean(samples, 0.0)
    assert_covariance(samples, expected)
    close(MODEL.ula_stationary_covariance(step_size, temperature=temperature, preconditioner=scale), expected)


@pytest.mark.parametrize("product", [0.5, 1.0, 1.5])
def test_scalar_variance_at_large_steps(product):
    precision = 3.0
    kernel = ula(lambda z: (-precision / 2 * z.square().sum(-1), -precision * z), product / precision)
    state, _ = run(kernel, kernel.init(normal(40_000, 1, seed=10)), 60, generator=seeded(11), keep="last")
    assert_mean(state.z.square(), 2 / (precision * (2 - product)))


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_covariance_after_some_steps_follows_the_recursion(num_steps):
    step_size, temperature = 1.2 / largest_curvature(M), 0.6
    initial = torch.tensor([[1.0, 0.3, 0.0], [0.3, 0.5, -0.2], [0.0, -0.2, 2.0]], dtype=torch.float64)
    z = MEAN + normal(30_000, 3, seed=12) @ torch.linalg.cholesky(initial).T
    kernel = ula(gaussian, step_size, temperature=temperature, preconditioner=ConstantPreconditioner(M))
    state, _ = run(kernel, kernel.init(z), num_steps, generator=seeded(13))
    expected = recursion(initial, num_steps, step_size, temperature, M)
    assert_covariance(state.z - MEAN, expected)
    closed_form = MODEL.ula_covariance_after(num_steps, step_size, initial, temperature=temperature, preconditioner=M)
    close(closed_form, expected)


def test_long_run_of_few_chains_agrees_within_its_effective_sample_size():
    step_size = 0.5 / largest_curvature(None)
    kernel = ula(gaussian, step_size)
    state, _ = run(kernel, kernel.init(MEAN.expand(64, 3)), 200, generator=seeded(14), keep="last")
    _, trace = run(kernel, state, 2000, generator=seeded(15))
    centered = trace.z - MEAN
    products = (centered[..., :, None] * centered[..., None, :]).mean(0)  # the chains' own averages over time
    assert_mean(products, MODEL.ula_stationary_covariance(step_size).detach())


@pytest.mark.parametrize("scale", [None, M], ids=["plain", "scaled"])
def test_diverges_beyond_two_over_the_curvature_and_not_below(scale):
    preconditioner = None if scale is None else ConstantPreconditioner(scale)
    edge = 2 / largest_curvature(scale)
    z = normal(10, 3, seed=16)
    for temperature in (0.0, 1.0):
        stable = ula(gaussian, 0.98 * edge, temperature=temperature, preconditioner=preconditioner)
        state, _ = run(stable, stable.init(z), 3000, generator=seeded(17), keep="last")
        assert (state.z - MEAN).abs().max() < 100
        unstable = ula(gaussian, 1.2 * edge, temperature=temperature, preconditioner=preconditioner)
        with pytest.raises(ChainDiverged, match="lower step_size") as error:
            run(unstable, unstable.init(z), 3000, generator=seeded(17), keep="last")
        assert isinstance(error.value, FloatingPointError)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_temperature_zero_is_torchs_gradient_descent(dtype):
    model = GenerativeModel(mlp_decoder(3, (1, 2, 2), hidden=(8,), generator=seeded(1)), Gaussian(0.5), 3).to(dtype)
    x, z = normal(6, 1, 2, 2, seed=18, dtype=dtype), normal(6, 3, seed=19, dtype=dtype)
    parameter = torch.nn.Parameter(z.clone())
    optimizer = torch.optim.SGD([parameter], lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (-model.log_joint(x, parameter).sum()).backward()
        optimizer.step()
    target = value_and_score_of(lambda z: model.log_joint(x, z))
    for kernel in (gradient_ascent(target, 0.01), ula(target, 0.01, temperature=0.0)):
        generator = seeded(20)
        before = generator.get_state()
        state, _ = run(kernel, kernel.init(z), 20, generator=generator)
        close(state.z, parameter, 1e-12 if dtype == torch.float64 else 1e-5)
        assert kernel.draw(state, generator) is None
        assert torch.equal(generator.get_state(), before)  # no noise was drawn


def test_gradient_ascent_climbs_to_the_posterior_mean():
    kernel = gradient_ascent(gaussian, 1 / largest_curvature(M), preconditioner=ConstantPreconditioner(M))
    state, _ = run(kernel, kernel.init(normal(4, 3, seed=21)), 3000, generator=seeded(22))
    close(state.z, MEAN.expand(4, 3))


@given(j=st.integers(0, 5), chain=st.integers(0, 1), preconditioned=st.booleans())
def test_changing_one_chain_leaves_the_others_untouched(j, chain, preconditioned):
    model = GenerativeModel(mlp_decoder(3, (1, 2, 2), hidden=(8,), generator=seeded(1)), Gaussian(0.5), 3)
    x, z = normal(6, 1, 2, 2, seed=23, dtype=torch.float32), normal(2, 6, 3, seed=24, dtype=torch.float32)
    preconditioner = RMSPreconditioner(0.9) if preconditioned else None
    kernel = ula(value_and_score_of(lambda z: model.log_joint(x, z)), 0.05, preconditioner=preconditioner)
    other = z.clone()
    other[chain, j] += 1.0
    first, second = (run(kernel, kernel.init(start), 5, generator=seeded(25))[0].z for start in (z, other))
    is_untouched = torch.ones(2, 6, dtype=torch.bool)
    is_untouched[chain, j] = False
    assert torch.equal(first[is_untouched], second[is_untouched])
    assert not torch.equal(first[chain, j], second[chain, j])


@given(permutation=st.permutations(range(6)))
def test_permuting_batch_and_noise_permutes_the_chains(permutation):
    order, x, z, noise = torch.tensor(permutation), *(normal(6, n, seed=s) for n, s in ((5, 26), (3, 27), (3, 28)))

    def moved(x, z, noise):
        kernel = ula(value_and_score_of(lambda z: MODEL.log_joint(x, z)), 0.1, preconditioner=RMSPreconditioner(0.9))
        state = kernel.init(z)
        for _ in range(3):
            state, _ = kernel.step(state, noise)
        return state.z

    close(moved(x[order], z[order], noise[order]), moved(x, z, noise)[order])
