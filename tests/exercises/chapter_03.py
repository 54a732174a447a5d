"""Exercises of chapter 3: right answers in any form, and likely mistakes with a part of their hints."""

import math

import torch
from oracles import seeded

from pcltut.models import LinearGaussian
from pcltut.samplers import run, ula, value_and_score_of

W = torch.tensor([[3.0, 0.0], [4.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
# Stationarity at variance 1 / lambda: c = (1 - (1 - gamma lambda)^2) / lambda, over 2 gamma.
LESS_NOISE = (1 - (1 - 0.1 * 9) ** 2) / 9 / (2 * 0.1)


def toy_chains(share_noise: bool) -> torch.Tensor:
    """The last states of exercise 3.4, `[1000, 2]`."""
    toy = LinearGaussian(torch.tensor([[2.0, 2.0]], dtype=torch.float64)).requires_grad_(False)
    x = torch.tensor([[3.0]], dtype=torch.float64)
    kernel = ula(value_and_score_of(lambda z: toy.log_joint(x, z)), 0.05)
    start = toy.sample_prior(1000, generator=seeded(0))[:, None]
    if share_noise:
        kernel = kernel._replace(draw=lambda state, generator: torch.randn(1, 1, 2, generator=generator).double())
    return run(kernel, kernel.init(start), 1000, generator=seeded(1), keep="last")[0].z[:, 0]


def right() -> dict[str, list]:
    precision = torch.eye(2).double() + W.T @ W / 4
    edge = 2 / torch.linalg.eigvalsh(precision).max()
    return {
        "3.1": [0.5, 1 / 2, torch.tensor(0.5)],
        "3.2": [2, 2.0, torch.tensor([2.0])],
        "3.3": [edge, edge.item(), 0.276],
        "3.4": [toy_chains(share_noise=True)[:, 0].var(), 0, 1e-20],
        "3.6": [LESS_NOISE, 0.55, torch.tensor(0.55)],
        "3.5": [35, math.ceil(math.log(0.5) / math.log(0.98)), torch.tensor(35)],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("3.1", 0.5**0.5, "scales its variance"),
        ("3.1", 2.0, "other way round: this code"),
        ("3.1", 2**0.5, "other way round, and"),
        ("3.1", 1, "would need the variance"),
        ("3.1", 0.25, "square too many"),
        ("3.1", 0, "not zero"),
        ("3.1", 3.7, "Compare variances"),
        ("3.2", 1.0, "no bias at all"),
        ("3.2", 1.5, "first-order"),
        ("3.2", 0.5, "wider"),
        ("3.2", 2**0.5, "standard deviations"),
        ("3.2", 7, "Put gamma lambda"),
        ("3.3", 2 / 6.25, "forgot the prior:"),
        ("3.3", 1 / 7.25, "2 over the curvature"),
        ("3.3", 7.25, "largest curvature"),
        ("3.3", 2 / 1.25, "softest direction"),
        ("3.3", 2 / 13.5, "not by sigma"),
        ("3.3", 2 / 26, "forgot to divide"),
        ("3.3", 2 / 25, "prior and sigma"),
        ("3.3", 2 / 2.25, "squared length"),
        ("3.3", 2 / 101, "stiffer"),
        ("3.3", 1.0, "eigenvalues"),
        ("3.4", toy_chains(share_noise=False)[:, 0].var(), "independent noise gives"),
        ("3.4", 1.0, "start's variance"),
        ("3.4", 0.01, "not quite met"),
        ("3.4", -1.0, "cannot be negative"),
        ("3.4", 5.0, "left of the noise"),
        ("3.4", [1.0, 2.0], "one number"),
        ("3.6", 0.45, "what must go"),
        ("3.6", 0.1, "distance from the mean"),
        ("3.6", 0.01, "survives a step"),
        ("3.6", 0.11, "divide it by 2 gamma"),
        ("3.6", 0.55**0.5, "standard deviations"),
        ("3.6", 1 / 0.55, "other way round: that is how much"),
        ("3.6", 0.99, "Multiply by"),
        ("3.6", 3, "Ask for"),
        ("3.5", 34, "after 34"),
        ("3.5", math.log(0.5) / math.log(0.98), "after 34"),
        ("3.5", math.ceil(0.5 * math.log(0.5) / math.log(0.98)), "variance"),
        ("3.5", 1 / (0.01 * 2), "1/e"),
        ("3.5", 0.5 / (0.01 * 2), "constant amount"),
        ("3.5", math.ceil(math.log(0.5) / math.log(0.99)), "Use the curvature"),
        ("3.5", math.log(0.1) / math.log(0.98), "to a tenth"),
        ("3.5", 500, "By which factor"),
    ]
