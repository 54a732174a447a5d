"""Self-checks of chapter 1, generative models and their energy."""

import math
from collections.abc import Callable

import torch

from pcltut.check.answers import diagnose


def _log_normal(error: int | float, variance: int | float) -> float:
    return -0.5 * math.log(2 * math.pi * variance) - error**2 / (2 * variance)


def _evidence(answer: object) -> str | None:
    right = _log_normal(4, 6.25)
    mistakes = {
        "That is log p(x | z = 0), the noise alone: the prior's spread adds variance too, 2^2 times 1.": [
            _log_normal(4, 1.5**2)
        ],
        "You left out the noise: x varies by 2 z and by 1.5 times epsilon.": [_log_normal(4, 2**2)],
        "Variances add, standard deviations do not: 2^2 + 1.5^2, not (2 + 1.5)^2.": [_log_normal(4, 3.5**2)],
        "You used the variance 6.25 as a standard deviation.": [_log_normal(4, 6.25**2)],
        "Subtract the mean of x, which is 1, before squaring.": [_log_normal(5, 6.25)],
        "That is the largest value of log p(x, z) over z; the evidence adds up all z, it does not pick the best.": [
            _log_normal(4, 6.25) + _log_normal(0, 2.25 / 6.25)
        ],
        "The size is right and the sign is not: the log-evidence, not minus it.": -right,
        "That is p(x); take its logarithm.": math.exp(right),
    }
    return diagnose(answer, right, mistakes, "First find the variance of x = 2 z + 1 + 1.5 epsilon.", 0.005)


def _draws(answer: object) -> str | None:
    mistakes = {
        "You used the ratio of variances, 100 a latent; volumes go with standard deviations, 10 a latent.": 64.0,
        "That is one latent. All 32 must be right at once, so the factors multiply.": 1.0,
        "The factors multiply, they do not add: 10^32, not 32 times 10.": math.log10(320),
        "That is in nats; divide by log 10 for a power of ten.": 32 * math.log(10),
        "Sign: that is the share of the prior's volume; the number of draws is its inverse.": -32.0,
        "That is the number of draws; give its power of ten.": 1e32,
    }
    otherwise = "What share of the prior's range does the posterior fill along one latent, and along all 32?"
    return diagnose(answer, 32.0, mistakes, otherwise)


def _gradient(answer: object) -> str | None:
    prior, pixels = torch.tensor([0.5, -1.0]), torch.tensor([4.0, 9.0])  # z and W^T (x - W z)
    mistakes = {
        "That is the score, minus the gradient of the energy.": (pixels / 0.25 - prior).tolist(),
        "You forgot the prior: the latent error adds z.": (-pixels / 0.25).tolist(),
        "Divide the pixel error by sigma^2 = 0.25, not by sigma.": (prior - pixels / 0.5).tolist(),
        "You forgot to divide the pixel error by sigma^2.": (prior - pixels).tolist(),
        "You averaged over the three pixels; the energy sums.": (prior - pixels / 0.75).tolist(),
        "The prior's term has the wrong sign: it pulls z to zero.": (-prior - pixels / 0.25).tolist(),
        "The pixel error enters with a minus: moving f(z) towards x lowers the energy.": (
            prior + pixels / 0.25
        ).tolist(),
    }
    otherwise = "Start from x - W z = (0.5, 3.5, 2), send it back through W^T, and mind both terms."
    return diagnose(answer, (prior - pixels / 0.25).tolist(), mistakes, otherwise, 0.01)


def _mean_for_sum(answer: object) -> str | None:
    mistakes = {
        "The factor 784 falls on sigma^2; on sigma it is its root.": 0.25 * 784,
        "The other way round: a smaller pixel error means a larger sigma.": 0.25 / 28,
        "That is sigma^2; take the root.": 49.0,
        "The code says 0.25, but the division by 784 acts like a change of sigma.": 0.25,
        "Two slips: sigma grows, and by the root of 784.": 0.25 / 784,
        "That is the factor; multiply it by 0.25.": 28.0,
    }
    otherwise = "Set |x - f|^2 / (784 * 2 * 0.25^2) equal to |x - f|^2 / (2 sigma^2) and solve for sigma."
    return diagnose(answer, 7.0, mistakes, otherwise)


def _open_bin(answer: object) -> str | None:
    def below(value: float) -> float:
        return 0.5 * (1 + math.erf(value / math.sqrt(2)))

    right = below(1 / 255 / 0.2)
    mistakes = {
        "That is a closed bin (or density times width): black is an end bin, and open below.": (
            2 * below(1 / 255 / 0.2) - 1
        ),
        "The bin ends half a bin above black, at -1 + 1/255, not at black itself.": 0.5,
        "Half a bin is 1/255; you went a whole bin up.": below(2 / 255 / 0.2),
        "You forgot to divide by sigma.": below(1 / 255),
        "That is the log of it; give the probability.": math.log(right),
        "That is the mass above the bin; black lies below its edge.": 1 - right,
    }
    otherwise = "The bin of black reaches from minus infinity to -1 + 1/255; put its upper edge into Phi."
    return diagnose(answer, right, mistakes, otherwise, 0.003)


CHECKS: dict[str, Callable[[object], str | None]] = {
    "1.1": _evidence,
    "1.2": _draws,
    "1.3": _gradient,
    "1.4": _mean_for_sum,
    "1.5": _open_bin,
}
