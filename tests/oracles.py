"""What the numerical tests compare with: Monte-Carlo standard errors, and models whose answers are known."""

import numpy as np
import torch
from scipy.special import digamma, polygamma
from torch import Tensor

SIGMAS = 4.5  # how many standard errors a Monte-Carlo estimate may be off


def seeded(seed: int) -> torch.Generator:
    """A generator with this seed."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers that depend on the seed alone."""
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def standard_error(values: Tensor, *, chain_dim: int = 0) -> Tensor:
    """Standard error of the mean over `chain_dim`, whose entries are independent.

    For a Markov chain average over time first: the spread of the chains' own means then holds the
    autocorrelation, so that the effective sample size, not the number of states, sets the error.
    """
    return values.std(chain_dim) / values.shape[chain_dim] ** 0.5


def effective_sample_size(values: Tensor) -> float:
    """Effective number of independent states in `[time, chain]`: variance over squared standard error."""
    return (values.var() / standard_error(values.mean(0)).square()).item()


def assert_mean(values: Tensor, expected: Tensor | np.ndarray | float, *, chain_dim: int = 0) -> None:
    """The mean over independent entries of `chain_dim` is `expected`, within SIGMAS standard errors."""
    error = standard_error(values, chain_dim=chain_dim)
    expected = torch.as_tensor(expected, dtype=values.dtype)
    deviation = (values.mean(chain_dim) - expected).abs() / error
    assert deviation.max() < SIGMAS, (
        f"mean {values.mean(chain_dim)}, expected {expected}: {deviation.max():.1f} standard errors off"
    )


def assert_covariance(samples: Tensor, expected: Tensor) -> None:
    """Independent zero-mean `samples` `[n, d]` have this covariance, element by element."""
    assert_mean(samples[:, :, None] * samples[:, None, :], expected)


def close(actual: Tensor, expected: Tensor | np.ndarray | float, tolerance: float = 1e-10) -> None:
    """Equal in shape, and in value to `tolerance` (relative and absolute): algebra in float64."""
    expected = torch.as_tensor(np.asarray(expected) if not isinstance(expected, Tensor) else expected)
    torch.testing.assert_close(actual.detach(), expected.detach().to(actual.dtype), rtol=tolerance, atol=tolerance)


def condition(mean: np.ndarray, covariance: np.ndarray, x: np.ndarray, num_observed: int):
    """Mean and covariance of a joint Gaussian's rest, given its first coordinates `x` `[batch, observed]`."""
    xx, xz = covariance[:num_observed, :num_observed], covariance[:num_observed, num_observed:]
    gain = np.linalg.solve(xx, xz).T
    return mean[num_observed:] + (x - mean[:num_observed]) @ gain.T, covariance[
        num_observed:, num_observed:
    ] - gain @ xz


def linear_weight(seed: int = 3, observed: int = 5, latent: int = 3) -> Tensor:
    """A weight whose posterior is correlated and unequal in its directions."""
    return normal(observed, latent, seed=seed) @ torch.diag(torch.linspace(0.6, 1.4, latent, dtype=torch.float64))


LEFT, RIGHT = 1.0, 6.0  # log-density LEFT z - (LEFT + RIGHT) softplus(z): exponential tails of unequal slopes


def skewed(z: Tensor) -> tuple[Tensor, Tensor]:
    """The logistic law of type IV, in each coordinate on its own: curvature at most (LEFT + RIGHT) / 4."""
    log_density = LEFT * z - (LEFT + RIGHT) * torch.nn.functional.softplus(z)
    return log_density.sum(-1), LEFT - (LEFT + RIGHT) * torch.sigmoid(z)


def skewed_moments(temperature: float = 1.0) -> tuple[float, float, float]:
    """Mean, variance and third central moment of `skewed` at a temperature: differences of polygamma functions."""
    left, right = LEFT / temperature, RIGHT / temperature
    return (
        digamma(left) - digamma(right),
        polygamma(1, left) + polygamma(1, right),
        polygamma(2, left) - polygamma(2, right),
    )
