"""Exercises of chapter 4: right answers in any form, and likely mistakes with a part of their hints."""

import math

import torch
from torch.distributions import MultivariateNormal, kl_divergence

from pcltut.evaluation import bits_per_dimension
from pcltut.models import LinearGaussian

TOY = LinearGaussian(torch.tensor([[2.0, 2.0]], dtype=torch.float64)).requires_grad_(False)
X = torch.tensor([[4.0]], dtype=torch.float64)
PRIOR = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
MEAN, COVARIANCE = TOY.posterior(X)
POSTERIOR = MultivariateNormal(MEAN[0], COVARIANCE)
EVIDENCE = TOY.log_evidence(X).item()
WALKS = torch.tensor([[-103.0, -100.0, -101.0], [-98.0, -96.0, -99.0]]).double()
LOWER, UPPER = WALKS[0].exp().mean().log().item(), -(-WALKS[1]).exp().mean().log().item()


def right() -> dict[str, list]:
    start = EVIDENCE - kl_divergence(PRIOR, POSTERIOR).item()
    bits = bits_per_dimension(torch.tensor([-199.0]) + 784 * math.log(2 / 255), (1, 28, 28))
    return {
        "4.1": [start, -12.92, torch.tensor(start)],
        "4.2": [math.exp(-5), 0.0067, torch.tensor([0.00674])],
        "4.3": [[LOWER, UPPER], (-100.75, -98.25), torch.tensor([LOWER, UPPER])],
        "4.4": [kl_divergence(POSTERIOR, PRIOR), 1.444],
        "4.5": [bits, 7.36],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("4.1", EVIDENCE, "forgotten that it did"),
        ("4.1", TOY.log_likelihood(X, torch.zeros(1, 2).double()), "spread of the start"),
        ("4.1", EVIDENCE - kl_divergence(PRIOR, POSTERIOR) - PRIOR.entropy(), "adds the entropy"),
        ("4.1", -0.5 * math.log(2 * math.pi) - 0.5 * (16 + 4), "4 + 4, not 2 + 2"),
        ("4.1", -12.0, "constant"),
        ("4.1", 3, "only the start counts"),
        ("4.2", 1 - math.exp(-5), "how sure"),
        ("4.2", math.exp(5), "at most 1"),
        ("4.2", -5, "logarithm"),
        ("4.2", 0, "do err high"),
        ("4.2", math.exp(-180), "do err high"),
        ("4.2", 0.2, "c = e^5"),
        ("4.2", 0.5, "Use Markov"),
        ("4.3", WALKS.mean(1), "averaged logarithms"),
        ("4.3", [LOWER, WALKS[1].exp().mean().log()], "average 1/w and not w"),
        ("4.3", [WALKS[0].mean(), UPPER], "upper one is right"),
        ("4.3", [LOWER, WALKS[1].mean()], "lower one is right"),
        ("4.3", [WALKS[0].logsumexp(0), -(-WALKS[1]).logsumexp(0)], "forgot to divide"),
        ("4.3", [UPPER, LOWER], "lower bound first"),
        ("4.3", [-100, -99], "picks the lucky"),
        ("4.3", [-1, -2], "Average what is unbiased"),
        ("4.3", LOWER, "2 numbers"),
        ("4.4", kl_divergence(PRIOR, POSTERIOR), "KL(prior || posterior)"),
        ("4.4", -kl_divergence(POSTERIOR, PRIOR), "excess is positive"),
        ("4.4", 0, "law of the start"),
        ("4.4", 0.5 * (COVARIANCE.trace() - 2 - COVARIANCE.logdet()), "left out the posterior's mean"),
        ("4.4", 0.5 * (COVARIANCE.trace() + MEAN.square().sum() - 2), "log-determinants"),
        ("4.4", 0.5 * (COVARIANCE.trace() + MEAN.square().sum() - 2 + COVARIANCE.logdet()), "other sign"),
        ("4.4", 77, "what is left is a divergence"),
        ("4.5", 199 / 784 / math.log(2), "converts a density"),
        ("4.5", 199 / 784 + math.log(255 / 2), "nats; divide"),
        ("4.5", (199 / 784 + math.log(255)) / math.log(2), "not 1/255"),
        ("4.5", (-199 / 784 + math.log(255 / 2)) / math.log(2), "low log-density"),
        ("4.5", (199 / 784 - math.log(255 / 2)) / math.log(2), "below one"),
        ("4.5", (199 + 784 * math.log(255 / 2)) / math.log(2), "divide by 784 pixels"),
        ("4.5", (199 + math.log(255 / 2)) / 784 / math.log(2), "for each pixel"),
        ("4.5", 8, "change to base 2"),
    ]
