"""Exercises of chapter 1: right answers in any form, and likely mistakes with a part of their hints."""

import math

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


def right() -> dict[str, list]:
    scalar = LinearGaussian(normal(1, 1, seed=0) * 0 + 2, normal(1, seed=0) * 0 + 1, 1.5)
    evidence = scalar.log_evidence(torch.full((1, 1), 5.0, dtype=torch.float64))
    black = torch.tensor([-1.0])
    return {
        "1.1": [evidence, evidence.item(), round(evidence.item(), 2), norm(1, 2.5).logpdf(5)],
        "1.2": [32, 32.0, torch.tensor(32.0)],
        "1.3": [energy_gradient(), energy_gradient().flatten().tolist(), (-15.5, -37)],
        "1.4": [7, 7.0, 28 * 0.25],
        "1.5": [DiscretizedGaussian(0.2).log_prob(black, black).exp(), 0.508],
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
        ("1.2", 64, "ratio of variances"),
        ("1.2", 1, "All 32"),
        ("1.2", math.log10(320), "do not add"),
        ("1.2", 32 * math.log(10), "in nats"),
        ("1.2", -32, "inverse"),
        ("1.2", 1e32, "its power of ten"),
        ("1.2", 5, "What share"),
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
        ("1.5", norm(-1, 0.2).pdf(-1) * 2 / 255, "closed bin"),
        ("1.5", 0.5, "half a bin above"),
        ("1.5", norm.cdf(2 / 255 / 0.2), "whole bin"),
        ("1.5", norm.cdf(1 / 255), "divide by sigma"),
        ("1.5", norm.logcdf(1 / 255 / 0.2), "log of it"),
        ("1.5", norm.sf(1 / 255 / 0.2), "above the bin"),
        ("1.5", 0.9, "upper edge"),
    ]
