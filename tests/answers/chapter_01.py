"""Exercises of chapter 1: right answers in any form, and likely mistakes with a part of their hints."""

import math
from collections.abc import Callable

import numpy as np
import torch
from oracles import normal
from scipy.stats import norm

from pcltut.models import DiscretizedGaussian, LinearGaussian

WEIGHT = torch.tensor([[1.0, 0.0], [1.0, 2.0], [0.0, 1.0]], dtype=torch.float64)
X, Z = torch.tensor([[1.0, 2.0, 1.0]], dtype=torch.float64), torch.tensor([[0.5, -1.0]], dtype=torch.float64)


def energy_gradient() -> torch.Tensor:
    z = Z.clone().requires_grad_()
    (-LinearGaussian(WEIGHT, scale=0.5).log_joint(X, z)).sum().backward()
    return z.grad


def estimator(shared=False, divide=True, log_of_mean=True, two_pi=True, width=True, proposal=True) -> Callable:
    """Importance sampling, or one of its likely mistakes."""

    def estimate(log_joint, mean, spread, num_draws, generator):
        shape = (num_draws, 1 if shared else len(mean), mean.shape[1])
        z = mean + spread * torch.randn(shape, generator=generator, dtype=mean.dtype)
        log_q = -0.5 * ((z - mean) / spread).square().sum(-1)
        log_q = log_q - 0.5 * mean.shape[1] * math.log(2 * math.pi) * two_pi - mean.shape[1] * math.log(spread) * width
        log_w = log_joint(z) - log_q * proposal
        total = log_w.logsumexp(0) if log_of_mean else log_w.mean(0) + math.log(num_draws)
        return total - math.log(num_draws) * divide

    return estimate


def one_at_a_time(log_joint, mean, spread, num_draws, generator) -> torch.Tensor:
    """Draw by draw, with torch's own densities."""
    q = torch.distributions.Normal(mean, spread)
    log_w = []
    for _ in range(num_draws):
        z = mean + spread * torch.empty_like(mean).normal_(generator=generator)
        log_w.append(log_joint(z[None])[0] - q.log_prob(z).sum(-1))
    return torch.stack(log_w).exp().mean(0).log()


def log_mass(reduce=torch.sum, open_ends=True, half=1 / 255) -> Callable:
    """The discretized Gaussian, or one of its likely mistakes."""

    def log_prob(x, mean, scale):
        q = torch.distributions.Normal(mean, scale)
        end = (x.abs() > 1 - 1e-6) & open_ends
        upper = torch.where(end & (x > 0), torch.inf, x + half)
        lower = torch.where(end & (x < 0), -torch.inf, x - half)
        return reduce((phi(upper, q) - phi(lower, q)).clamp(min=1e-12).log(), -1)

    return log_prob


def phi(edge: torch.Tensor, q: torch.distributions.Normal) -> torch.Tensor:
    return torch.special.ndtr((edge - q.loc) / q.scale)


def density(width: float) -> Callable:
    def log_prob(x, mean, scale):
        return (torch.distributions.Normal(mean, scale).log_prob(x) + math.log(width)).sum(-1)

    return log_prob


def by_loops(x, mean, scale) -> list[float]:
    """Pixel by pixel, with scipy."""
    return torch.tensor(
        [
            sum(
                math.log(
                    max(
                        (1 if pixel > 0.999 else norm(loc, scale).cdf(pixel + 1 / 255))
                        - (0 if pixel < -0.999 else norm(loc, scale).cdf(pixel - 1 / 255)),
                        1e-12,
                    )
                )
                for pixel, loc in zip(image.tolist(), locs.tolist(), strict=True)
            )
            for image, locs in zip(x, mean, strict=True)
        ],
        dtype=torch.float64,
    )


def right() -> dict[str, list]:
    scalar = LinearGaussian(normal(1, 1, seed=0) * 0 + 2, normal(1, seed=0) * 0 + 1, 1.5)
    evidence = scalar.log_evidence(torch.full((1, 1), 5.0, dtype=torch.float64))
    black = torch.tensor([-1.0])
    return {
        "1.1": [evidence, evidence.item(), round(evidence.item(), 2), norm(1, 2.5).logpdf(5)],
        "1.5": [32, 32.0, torch.tensor(32.0)],
        "1.6": [estimator(), one_at_a_time],
        "1.7": [log_mass(), by_loops],
        "1.8": [math.log(6), 0.5 * torch.linalg.slogdet(torch.diag(torch.tensor([4.0, 9.0])))[1], 1.79],
        "1.3": [energy_gradient(), energy_gradient().flatten().tolist(), (-15.5, -37)],
        "1.4": [7, 7.0, 28 * 0.25],
        "1.2": [DiscretizedGaussian(0.2).log_prob(black, black).exp(), 0.508],
    }


SLOPE = (WEIGHT.T @ (X - Z @ WEIGHT.T)[0]).tolist()  # W^T (x - W z)


def wrong() -> list[tuple[str, object, str]]:
    z = np.linspace(0, 3, 3001)
    return [
        ("1.1", norm(1, 1.5).logpdf(5), "prior's spread"),
        ("1.1", norm(1, 2).logpdf(5), "left out the noise"),
        ("1.1", norm(1, 3.5).logpdf(5), "standard deviations do not"),
        ("1.1", norm(1, 6.25).logpdf(5), "as a standard deviation"),
        ("1.1", norm(0, 2.5).logpdf(5), "Subtract the mean"),
        ("1.1", (norm.logpdf(z) + norm.logpdf(5, 2 * z + 1, 1.5)).max(), "pick the best"),
        ("1.1", -norm(1, 2.5).logpdf(5), "sign is not"),
        ("1.1", norm(1, 2.5).pdf(5), "take its logarithm"),
        ("1.1", 17.0, "First find the variance"),
        ("1.5", 64, "ratio of variances"),
        ("1.5", 1, "All 32"),
        ("1.5", math.log10(320), "do not add"),
        ("1.5", 32 * math.log(10), "in nats"),
        ("1.5", -32, "inverse"),
        ("1.5", 1e32, "its power of ten"),
        ("1.5", (32 / 100 - 32 - 32 * math.log(0.01)) / 2 / math.log(10), "sits at zero"),
        ("1.5", 5, "What share"),
        ("1.3", -energy_gradient(), "score"),
        ("1.3", energy_gradient() - Z, "forgot the prior"),
        ("1.3", [0.5 - SLOPE[0] / 0.5, -1 - SLOPE[1] / 0.5], "not by sigma"),
        ("1.3", [0.5 - SLOPE[0], -1 - SLOPE[1]], "forgot to divide"),
        ("1.3", [0.5 - SLOPE[0] / 0.75, -1 - SLOPE[1] / 0.75], "averaged"),
        ("1.3", energy_gradient() - 2 * Z, "wrong sign"),
        ("1.3", 2 * Z - energy_gradient(), "with a minus"),
        ("1.3", [3.0, 4.0], "Start from"),
        ("1.3", -15.5, "2 numbers"),
        ("1.4", 196, "its root"),
        ("1.4", 0.25 / 28, "other way round"),
        ("1.4", 49, "take the root"),
        ("1.4", 0.25, "acts like a change"),
        ("1.4", 0.25 / 784, "Two slips"),
        ("1.4", 28, "multiply it"),
        ("1.4", 3.0, "solve for sigma"),
        ("1.2", norm(-1, 0.2).pdf(-1) * 2 / 255, "closed bin"),
        ("1.2", 0.5, "half a bin above"),
        ("1.2", norm.cdf(2 / 255 / 0.2), "whole bin"),
        ("1.2", norm.cdf(1 / 255), "divide by sigma"),
        ("1.2", norm.logcdf(1 / 255 / 0.2), "log of it"),
        ("1.2", norm.sf(1 / 255 / 0.2), "above the bin"),
        ("1.2", 0.9, "upper edge"),
        ("1.6", estimator(shared=True), "same draws"),
        ("1.6", estimator(divide=False), "number of draws"),
        ("1.6", estimator(log_of_mean=False), "bound below"),
        ("1.6", estimator(two_pi=False), "(2 pi)"),
        ("1.6", estimator(width=False), "s^(-d)"),
        ("1.6", estimator(proposal=False), "Divide by q"),
        ("1.6", lambda *given: 0 * estimator()(*given), "Each log-weight"),
        ("1.6", lambda *given: None, "stopped with"),
        ("1.7", log_mass(reduce=torch.mean), "A mean over pixels"),
        ("1.7", log_mass(open_ends=False), "open below"),
        ("1.7", log_mass(half=2 / 255), "twice as wide"),
        ("1.7", lambda *given: log_mass()(*given).exp(), "Give the logarithm"),
        ("1.7", density(2 / 255), "density times width"),
        ("1.7", density(1), "That is the density"),
        ("1.7", lambda x, mean, scale: 0 * x.sum(-1) - 1, "both edges"),
        ("1.8", math.log(36), "Half of it"),
        ("1.8", 0.5 * math.log(24), "prior's 1"),
        ("1.8", math.log2(6), "in bits"),
        ("1.8", 0.5 * (1 / 4 + 1 / 9 - 2 + math.log(36)), "mean is zero"),
        ("1.8", -math.log(6), "never negative"),
        ("1.8", 5.0, "Lambda is diagonal"),
    ]
