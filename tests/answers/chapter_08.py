"""Exercises of chapter 8: right answers in any form, and likely mistakes with a part of their hints."""

import math

import torch
from oracles import normal

from pcltut.evaluation import density_coverage, frechet_distance


def expected_coverage(n: int, m: int, k: int) -> float:
    return 1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1))


def forged_features(*, full_covariance: bool) -> list[float]:
    """Exercise 8.4 on ten heaps of features, as a classifier makes them."""
    real = 6 * normal(10, 64, seed=1).repeat(100, 1) + normal(1000, 64, seed=2)
    values, vectors = torch.linalg.eigh(real.T.cov())
    root = vectors * values.sqrt() if full_covariance else real.std(0).diag()
    forged = real.mean(0) + normal(1000, 64, seed=3) @ root.T
    return [frechet_distance(real, forged), density_coverage(real, forged)[0]]


def right() -> dict[str, list]:
    forged = forged_features(full_covariance=True)
    return {
        "8.1": [math.log(1000), 6.91, torch.tensor(1000.0).log()],
        "8.2": [expected_coverage(100, 25, 5), 0.682, torch.tensor(0.682)],
        "8.3": [4416, (2 * 64 + 64 * 65 / 2) / 0.5, 4416.0],
        "8.4": [[5.9, 0.04], torch.tensor([6.5, 0.05]), forged],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("8.1", 3, "base 10"),
        ("8.1", math.log2(1000), "bits"),
        ("8.1", 784 * math.log(1000), "not once a pixel"),
        ("8.1", -math.log(1000), "how much is lost"),
        ("8.1", -math.log(0.999), "99.9 %"),
        ("8.1", 1000, "alpha = 1 / 1000"),
        ("8.2", expected_coverage(100, 100, 5), "here m = 25"),
        ("8.2", expected_coverage(25, 100, 5), "exchange n and m"),
        ("8.2", 1 - expected_coverage(100, 25, 5), "stays empty"),
        ("8.2", expected_coverage(100, 25, 1), "k = 5 factors"),
        ("8.2", 1, "exchange n and m"),
        ("8.2", 1 - math.prod((100 - i) / (125 - i) for i in range(5)), "begins at i = 1"),
        ("8.2", 1 - (100 / 125) ** 5, "with replacement"),
        ("8.2", 0.5, "Put n = 100"),
        ("8.3", 64 * 65 / 2 / 0.5, "left out the means"),
        ("8.3", (64 + 64 * 65 / 2) / 0.5, "two means"),
        ("8.3", (2 * 64 + 64**2) / 0.5, "symmetric"),
        ("8.3", 2 * 64 / 0.5, "left out the covariances"),
        ("8.3", 2208, "divide by the 0.5"),
        ("8.3", 1104, "do not multiply"),
        ("8.3", 1000, "solve for N"),
        ("8.3", 4415, "solve for N"),
        ("8.4", [0.04, 5.9], "other way round"),
        ("8.4", [0.0, 0.04], "mean and a covariance of their own"),
        ("8.4", forged_features(full_covariance=False), "too far away"),
        ("8.4", [11.5, 1.02], "density of real images"),
        ("8.4", [6, 0.5], "whole covariance"),
        ("8.4", 5.9, "two numbers"),
    ]
