"""ULA on a skewed target at large steps, against the exact stationary law of its transition operator on a grid."""

import itertools

import numpy as np
import pytest
import torch
from oracles import LEFT, RIGHT, assert_mean, effective_sample_size, seeded, skewed, skewed_moments
from scipy.special import expit
from scipy.stats import norm

from pcltut.samplers import ConstantPreconditioner, run, ula

GRID = np.linspace(-30, 14, 2201)


def stationary_moments(step_size: float, temperature: float) -> tuple[float, float, float]:
    """Moments of the law that ULA's transition density leaves invariant, found on the grid by quadrature."""
    score = LEFT - (LEFT + RIGHT) * expit(GRID)
    spread = np.sqrt(2 * step_size * temperature)
    transition = norm(GRID + step_size * score, spread).pdf(GRID[:, None]) * (GRID[1] - GRID[0])
    equations = transition - np.eye(len(GRID))
    equations[0] = 1.0  # the masses sum to one
    mass = np.linalg.solve(equations, np.eye(len(GRID))[0])
    mean = mass @ GRID
    return mean, mass @ (GRID - mean) ** 2, mass @ (GRID - mean) ** 3


def sample(kernel, seed: int) -> torch.Tensor:
    """States `[time, chain]` of many short chains, after they have forgotten their start."""
    generator = seeded(seed)
    state, _ = run(kernel, kernel.init(torch.zeros(1000, 12)), 300, generator=generator, keep="last")
    kept = []
    for _ in range(60):
        state, trace = run(kernel, state, 3, generator=generator, keep="last")
        kept.append(trace.z[-1].flatten().double())
    return torch.stack(kept)


def assert_moments(states: torch.Tensor, moments: tuple[float, float, float]) -> None:
    centered = states - moments[0]
    for power, expected in zip((1, 2, 3), (0.0, *moments[1:]), strict=True):
        assert_mean((centered**power).mean(0), expected)


@pytest.mark.slow
def test_grid_reproduces_the_target_as_the_step_shrinks():
    errors = [
        np.abs(np.subtract(stationary_moments(step_size, 1.0), skewed_moments())) for step_size in (0.1, 0.05, 0.025)
    ]
    for coarse, fine in itertools.pairwise(errors):
        np.testing.assert_allclose(coarse[:2] / fine[:2], 2.0, rtol=0.05)  # the bias is of first order in the step


@pytest.mark.parametrize(("step_size", "temperature"), [(0.15, 1.0), (0.8, 1.0), (0.8, 0.4)])
def test_stationary_law_of_large_steps(step_size, temperature):
    states = sample(ula(skewed, step_size, temperature=temperature), seed=1)
    assert effective_sample_size(states) > 20_000
    assert_moments(states, stationary_moments(step_size, temperature))


@pytest.mark.slow
def test_constant_preconditioner_is_a_larger_step_in_its_coordinate():
    scale = torch.tensor([0.5, 2.0, 1.0]).repeat(4)
    kernel = ula(skewed, 0.4, preconditioner=ConstantPreconditioner(scale))
    states = sample(kernel, seed=3).reshape(60, 1000, 12)
    for column in range(3):
        exact = stationary_moments(0.4 * scale[column].item(), 1.0)
        assert_moments(states[:, :, column::3].reshape(60, -1), exact)


def test_bias_of_large_steps_is_seen():
    """The oracle can tell the target from the law that ULA really samples."""
    mean, variance, _ = stationary_moments(0.8, 1.0)
    states = sample(ula(skewed, 0.8), seed=4)
    assert abs(mean - skewed_moments()[0]) > 0.05
    assert variance / skewed_moments()[1] > 1.03
    with pytest.raises(AssertionError, match="standard errors off"):
        assert_moments(states, skewed_moments())
