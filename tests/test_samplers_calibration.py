"""Samplers on posteriors of whole models: a dense grid, Geweke's joint test, simulation-based calibration, blackjax."""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from oracles import LEFT, RIGHT, assert_mean, normal, seeded, skewed
from scipy.stats import chisquare

from pcltut.models import Gaussian, GenerativeModel, LinearGaussian, mlp_decoder
from pcltut.samplers import hmc, mala, run, ula, value_and_score_of


def curved_model(dtype: torch.dtype) -> GenerativeModel:
    """Two latents, six pixels, one hidden layer with weights large enough to bend the posterior."""
    decoder = mlp_decoder(2, (6,), hidden=(16,), generator=seeded(4))
    model = GenerativeModel(decoder, Gaussian(0.35), 2).to(dtype)
    for parameter in decoder.parameters():
        parameter.data *= 1.7
    return model.requires_grad_(False)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [lambda t: mala(t, 0.03), lambda t: hmc(t, 0.25, num_leapfrog=4)], ids=["mala", "hmc"])
def test_moments_agree_with_a_dense_grid(make, dtype):
    model = curved_model(dtype)
    x = model.sample(1, generator=seeded(5))
    axis = torch.linspace(-5, 5, 401, dtype=dtype)
    grid = torch.cartesian_prod(axis, axis)
    mass = model.log_joint(x, grid).double().softmax(0)
    grid = grid.double()
    mean = mass @ grid
    second = torch.einsum("n,ni,nj->ij", mass, grid - mean, grid - mean)

    kernel = make(value_and_score_of(lambda z: model.log_joint(x, z)))
    generator = seeded(6)
    state, _ = run(kernel, kernel.init(normal(2000, 2, seed=7, dtype=dtype)), 400, generator=generator, keep="last")
    _, trace = run(kernel, state, 60, generator=generator)
    z = trace.z.double().movedim(1, 0)
    assert_mean(z.mean(1), mean)
    assert_mean(torch.einsum("nti,ntj->nij", z - mean, z - mean) / z.shape[1], second)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [(lambda t, h: ula(t, h), "ula"), (lambda t, h: mala(t, h), 1.0), (lambda t, h: hmc(t, h, num_leapfrog=2), 1.0)],
    ids=["ula", "mala", "hmc"],
)
def test_gewekes_joint_test(kernel, expected):
    """Alternate x | z and a transition on z | x: z keeps its prior's variance.

    Under ULA it has (2 + gamma w^2 / sigma^2) / (2 - gamma).
    """
    weight, scale, step_size = 0.9, 0.8, 0.5
    model = LinearGaussian(torch.tensor([[weight]], dtype=torch.float64), scale=scale).requires_grad_(False)
    if expected == "ula":
        expected = (2 + step_size * weight**2 / scale**2) / (2 - step_size)
    generator, z = seeded(8), normal(40000, 1, seed=9)
    for _ in range(60):
        x = model.likelihood.sample(model.decode(z), generator=generator)
        transition = kernel(value_and_score_of(lambda z, x=x: model.log_joint(x, z)), step_size)
        z = run(transition, transition.init(z), 1, generator=generator, keep="last")[0].z
    assert_mean(z.square(), expected)


def ranks(kernel, num: int = 3000, draws: int = 15) -> np.ndarray:
    """How often the true first latent has each rank among `draws` posterior draws, over `num` simulated images."""
    model = curved_model(torch.float64)
    generator = seeded(10)
    truth = model.sample_prior(num, generator=generator)
    x = model.likelihood.sample(model.decode(truth), generator=generator)
    transition = kernel(value_and_score_of(lambda z: model.log_joint(x, z)))
    # From the truth a chain that keeps the posterior needs no warm-up; one that does not has 300 steps to leave it.
    state, _ = run(transition, transition.init(truth), 300, generator=generator, keep="last")
    below = torch.zeros(num, dtype=torch.long)
    for _ in range(draws):
        state, _ = run(transition, state, 25, generator=generator, keep="last")
        below += state.z[:, 0] < truth[:, 0]
    return np.bincount(below.numpy(), minlength=draws + 1)


@pytest.mark.slow
def test_simulation_based_calibration_is_uniform_for_mala():
    assert chisquare(ranks(lambda target: mala(target, 0.03))).pvalue > 1e-4


def test_simulation_based_calibration_has_a_dome_for_chains_that_are_too_wide():
    counts = ranks(lambda target: ula(target, 0.02, temperature=2.0))
    assert chisquare(counts).pvalue < 1e-6
    assert counts[4:12].mean() > 1.2 * counts[[0, 1, 14, 15]].mean()


@pytest.mark.slow
def test_one_mala_step_has_the_law_of_blackjaxs():
    """Same target, same start, same step size (the same convention): acceptance and position after one transition."""
    step_size, num = 1.2, 40000
    start = np.array([-1.8, -1.0, -3.0], dtype=np.float32)

    def log_density(z):
        return jnp.sum(LEFT * z - (LEFT + RIGHT) * jax.nn.softplus(z))

    algorithm = blackjax.mala(log_density, step_size)
    state = algorithm.init(jnp.array(start))
    theirs, info = jax.vmap(lambda key: algorithm.step(key, state))(jax.random.split(jax.random.key(0), num))
    kernel = mala(skewed, step_size)
    ours, trace = run(kernel, kernel.init(torch.tensor(start).expand(num, -1)), 1, generator=seeded(11))
    pairs = [
        (trace.acceptance[0], info.acceptance_rate),
        *zip(ours.z.T, theirs.position.T, strict=True),
        *zip(ours.z.T.square(), theirs.position.T**2, strict=True),
    ]
    for mine, other in pairs:
        other = torch.from_numpy(np.array(other))
        error = ((mine.var() + other.var()) / num).sqrt()
        assert (mine.mean() - other.mean()).abs() < 4.5 * error
    assert 0.2 < trace.acceptance.mean() < 0.9
